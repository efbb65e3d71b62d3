import { z } from "zod";
import { ERROR_CODES, type ErrorCode } from "./errors.ts";

/**
 * What an edge sends on `WS /api/v1/listen` as JSON text messages. Audio travels beside them in binary messages, as on
 * `/api/v1/stream` (audio-frame.ts). A listener sends nothing. `docs/asyncapi.yaml` is generated from these schemas.
 */
const milliseconds = z.number().min(0);
const count = z.int().min(0);
const errorCode = z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]);
const utterance = count.describe("Its number in the session, as in the header of its audio frames.");

export const listenMessageSchemas = {
  listening: z
    .object({
      type: z.literal("listening"),
      protocol: z.literal(1),
      session_id: z.string(),
      encoding: z.literal("pcm_s16le").describe("Of all audio: signed 16-bit samples, little-endian, mono."),
      sample_rate: count.describe("Hz."),
      utterance: count.nullable().describe("The utterance that is being heard; null between utterances."),
      request_id: z.string().describe("Names this connection in the logs of every process."),
    })
    .describe("First message to every listener that is let in."),
  utterance_started: z
    .object({ type: z.literal("utterance_started"), utterance })
    .describe("The session begins to speak an utterance."),
  words: z
    .object({
      type: z.literal("words"),
      utterance,
      words: z.array(z.object({ text: z.string(), start_ms: milliseconds, end_ms: milliseconds })),
      replaces_from_ms: milliseconds
        .optional()
        .describe("Behind a splice: words told before that begin here or later are no longer true."),
    })
    .describe("Captions: words with their times, on the utterance's own clock."),
  frames_dropped: z
    .object({ type: z.literal("frames_dropped"), utterance, samples: count })
    .describe("So many samples before the next frame did not reach this edge."),
  utterance_ended: z
    .object({
      type: z.literal("utterance_ended"),
      utterance,
      outcome: z.enum(["completed", "cancelled", "failed"]),
    })
    .describe("Nothing more of the utterance follows. After `cancelled`, stop playing it."),
  session_ended: z
    .object({ type: z.literal("session_ended") })
    .describe("The session is over. The edge closes with 1000."),
  draining: z
    .object({ type: z.literal("draining"), reconnect_in_ms: milliseconds })
    .describe("This edge is going away: connect again after this time, with `from` where you have come to."),
  error: z
    .object({
      type: z.literal("error"),
      code: errorCode.describe("See errors.md."),
      message: z.string().describe("For people; may change."),
      retryable: z.boolean().describe("May the same request succeed later, or elsewhere, unchanged?"),
      retry_after_ms: milliseconds.optional(),
      facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
    })
    .describe(
      "Why the listener is not let in, or no longer: the edge closes with the code that belongs to it.",
    ),
} as const;

export type ListenMessageType = keyof typeof listenMessageSchemas;
export type ListenMessage = z.infer<(typeof listenMessageSchemas)[ListenMessageType]>;
export type ListenMessageOf<T extends ListenMessageType> = z.infer<(typeof listenMessageSchemas)[T]>;

export const encodeListenMessage = (message: ListenMessage): string => JSON.stringify(message);
