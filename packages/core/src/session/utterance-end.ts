import { ERROR_CODES, type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import { z } from "zod";

const count = z.number().min(0);
const errorCode = z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]);
const facts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const cacheUse = z.enum(["hit", "joined", "miss", "off"]);
const sentences = z.record(cacheUse, count);

const completed = z.object({
  kind: z.literal("completed"),
  /** ISO 8601, on the edge's clock. */
  endedAt: z.string(),
  characters: count,
  samples: count,
  frames: count,
  droppedFrames: count,
  splices: count,
  replacedSamples: count,
  durationMs: count,
  /** From the opening to the first frame; null where there was no audio, or another connection brought it. */
  firstAudioMs: count.nullable(),
  latencyMs: z.record(z.string(), count),
  cache: cacheUse.exactOptional(),
  /** Sentences by what the cache had to do with them, when it was made sentence by sentence. */
  sentences: sentences.exactOptional(),
});

const cancelled = z.object({
  kind: z.literal("cancelled"),
  sentSamples: count,
  /** As the client's player has reported. */
  playedSamples: count,
  heardMs: count,
  textHeard: z.string(),
  textLeft: z.string(),
  /** The cut between them is a guess. */
  estimated: z.boolean(),
  /** As of one that was completed; edges of the release before have not stored them. */
  firstAudioMs: count.nullable().exactOptional(),
  latencyMs: z.record(z.string(), count).exactOptional(),
});

const failed = z.object({
  kind: z.literal("failed"),
  code: errorCode,
  message: z.string(),
  retryable: z.boolean(),
  retryAfterMs: count.exactOptional(),
  facts: facts.exactOptional(),
});

const storedEnd = z.discriminatedUnion("kind", [completed, cancelled, failed]);

/** What the cache had to do with an utterance or a sentence. */
export type CacheUse = z.infer<typeof cacheUse>;

/** All of it was sent, or dropped as the client had asked. */
export type CompletedSpeech = Readonly<Omit<z.infer<typeof completed>, "kind">>;

/** The client wanted no more of it. */
export type CancelledSpeech = Readonly<Omit<z.infer<typeof cancelled>, "kind">>;

/** How an utterance ended for its client. */
export type UtteranceEnd =
  | ({ readonly kind: "completed" } & CompletedSpeech)
  | ({ readonly kind: "cancelled" } & CancelledSpeech)
  | { readonly kind: "failed"; readonly error: GatewayError };

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
  if (end.kind !== "failed") return end;
  const { kind, code, message, ...more } = end;
  return { kind, error: new GatewayError(code, message, more) };
}

const formerEnd = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("stream_complete"),
    time: z.string(),
    characters: count,
    samples: count,
    frames: count,
    dropped_frames: count,
    splices: count,
    replaced_samples: count,
    duration_ms: count,
    first_audio_ms: count.nullable(),
    latency_ms: z.record(z.string(), count),
    cache: cacheUse.exactOptional(),
    sentences: sentences.exactOptional(),
  }),
  z.object({
    type: z.literal("error"),
    code: errorCode,
    message: z.string(),
    retryable: z.boolean(),
    retry_after_ms: count.exactOptional(),
    facts: facts.exactOptional(),
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

/**
 * The same, from the message that edges of the release before have stored in its place.
 * @throws ZodError where it is no such message
 */
export function parseFormerEnd(stored: unknown): UtteranceEnd {
  const message = formerEnd.parse(stored);
  switch (message.type) {
    case "stream_complete":
      return {
        kind: "completed",
        endedAt: message.time,
        characters: message.characters,
        samples: message.samples,
        frames: message.frames,
        droppedFrames: message.dropped_frames,
        splices: message.splices,
        replacedSamples: message.replaced_samples,
        durationMs: message.duration_ms,
        firstAudioMs: message.first_audio_ms,
        latencyMs: message.latency_ms,
        ...(message.cache === undefined ? {} : { cache: message.cache }),
        ...(message.sentences === undefined ? {} : { sentences: message.sentences }),
      };
    case "error": {
      const { type: _, code, message: words, retry_after_ms: retryAfterMs, ...more } = message;
      const after = retryAfterMs === undefined ? {} : { retryAfterMs };
      return { kind: "failed", error: new GatewayError(code, words, { ...more, ...after }) };
    }
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
