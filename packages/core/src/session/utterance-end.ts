import { ERROR_CODES, type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import { z } from "zod";

/** What the cache had to do with an utterance or a sentence. */
export type CacheUse = "hit" | "miss" | "joined" | "off";

/** How an utterance ended for its client. */
export type UtteranceEnd =
  | ({ readonly kind: "completed" } & CompletedSpeech)
  | { readonly kind: "failed"; readonly error: GatewayError }
  | ({ readonly kind: "cancelled" } & CancelledSpeech);

/** All of it was sent, or dropped as the client had asked. */
export interface CompletedSpeech {
  /** ISO 8601, on the edge's clock. */
  readonly endedAt: string;
  readonly characters: number;
  readonly samples: number;
  readonly frames: number;
  readonly droppedFrames: number;
  readonly splices: number;
  readonly replacedSamples: number;
  readonly durationMs: number;
  /** From the opening to the first frame; null where there was no audio, or another connection brought it. */
  readonly firstAudioMs: number | null;
  readonly latencyMs: Readonly<Record<string, number>>;
  readonly cache?: CacheUse;
  /** Present when it was made sentence by sentence: how many, by what the cache had to do with them. */
  readonly sentences?: Readonly<Record<CacheUse, number>>;
}

/** The client wanted no more of it. */
export interface CancelledSpeech {
  readonly sentSamples: number;
  /** As the client's player has reported. */
  readonly playedSamples: number;
  readonly heardMs: number;
  readonly textHeard: string;
  readonly textLeft: string;
  /** The cut between them is a guess. */
  readonly estimated: boolean;
}

const count = z.number().min(0);
const facts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const errorCode = z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]);
const cacheUse = z.enum(["hit", "joined", "miss", "off"]);
const sentences = z.object({ hit: count, joined: count, miss: count, off: count });

const storedEnd = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("completed"),
    endedAt: z.string(),
    characters: count,
    samples: count,
    frames: count,
    droppedFrames: count,
    splices: count,
    replacedSamples: count,
    durationMs: count,
    firstAudioMs: count.nullable(),
    latencyMs: z.record(z.string(), count),
    cache: cacheUse.optional(),
    sentences: sentences.optional(),
  }),
  z.object({
    kind: z.literal("failed"),
    code: errorCode,
    message: z.string(),
    retryable: z.boolean(),
    retryAfterMs: count.optional(),
    facts: facts.optional(),
  }),
  z.object({
    kind: z.literal("cancelled"),
    sentSamples: count,
    playedSamples: count,
    heardMs: count,
    textHeard: z.string(),
    textLeft: z.string(),
    estimated: z.boolean(),
  }),
]);
type StoredEndFields = z.infer<typeof storedEnd>;

/** As plain JSON, for the session's record. The cause of an error stays behind. */
export function encodeUtteranceEnd(end: UtteranceEnd): object {
  if (end.kind !== "failed") return end;
  const { code, message, retryable, retryAfterMs, facts: told } = end.error;
  const hasFacts = Object.keys(told).length > 0;
  return { kind: "failed", code, message, retryable, retryAfterMs, ...(hasFacts ? { facts: told } : {}) };
}

/** @throws ZodError where it is no end that any edge has stored */
export function parseUtteranceEnd(stored: unknown): UtteranceEnd {
  const end = storedEnd.parse(stored);
  return end.kind === "failed" ? { kind: "failed", error: toError(end) } : dropUndefined(end);
}

/**
 * The same, from the message that edges of the release before have stored in its place.
 * @throws ZodError where it is no such message
 */
export function parseFormerEnd(message: unknown): UtteranceEnd {
  return parseUtteranceEnd(toStoredEnd(formerEnd.parse(message)));
}

const formerEnd = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("stream_complete"),
    time: z.string().optional(),
    characters: count,
    samples: count,
    frames: count,
    dropped_frames: count,
    splices: count,
    replaced_samples: count,
    duration_ms: count,
    first_audio_ms: count.nullable(),
    latency_ms: z.record(z.string(), count),
    cache: cacheUse.optional(),
    sentences: sentences.optional(),
  }),
  z.object({
    type: z.literal("error"),
    code: errorCode,
    message: z.string(),
    retryable: z.boolean(),
    retry_after_ms: count.optional(),
    facts: facts.optional(),
  }),
  z.object({
    type: z.literal("cancelled"),
    sent_samples: count,
    played_samples: count,
    heard_ms: count,
    text_heard: z.string(),
    text_left: z.string(),
    estimated: z.boolean(),
  }),
]);

function toStoredEnd(message: z.infer<typeof formerEnd>): StoredEndFields {
  switch (message.type) {
    case "stream_complete":
      return {
        kind: "completed",
        endedAt: message.time ?? new Date().toISOString(),
        characters: message.characters,
        samples: message.samples,
        frames: message.frames,
        droppedFrames: message.dropped_frames,
        splices: message.splices,
        replacedSamples: message.replaced_samples,
        durationMs: message.duration_ms,
        firstAudioMs: message.first_audio_ms,
        latencyMs: message.latency_ms,
        cache: message.cache,
        sentences: message.sentences,
      };
    case "error":
      return {
        kind: "failed",
        code: message.code,
        message: message.message,
        retryable: message.retryable,
        retryAfterMs: message.retry_after_ms,
        facts: message.facts,
      };
    case "cancelled":
      return {
        kind: "cancelled",
        sentSamples: message.sent_samples,
        playedSamples: message.played_samples,
        heardMs: message.heard_ms,
        textHeard: message.text_heard,
        textLeft: message.text_left,
        estimated: message.estimated,
      };
  }
}

const toError = (end: Extract<StoredEndFields, { kind: "failed" }>): GatewayError =>
  new GatewayError(end.code, end.message, {
    retryable: end.retryable,
    ...(end.retryAfterMs === undefined ? {} : { retryAfterMs: end.retryAfterMs }),
    ...(end.facts === undefined ? {} : { facts: end.facts }),
  });

/** zod gives absent fields as `undefined`, which exact optional properties tell from absent ones. */
function dropUndefined(end: Exclude<StoredEndFields, { kind: "failed" }>): UtteranceEnd {
  if (end.kind === "cancelled") return end;
  const { cache, sentences: counts, ...rest } = end;
  return {
    ...rest,
    ...(cache === undefined ? {} : { cache }),
    ...(counts === undefined ? {} : { sentences: counts }),
  };
}
