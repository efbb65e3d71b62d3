import { SESSION_ID_PATTERN } from "@tts-labs/core/ids";
import type { SessionDelivery } from "@tts-labs/core/session/session-store";
import { validate } from "@tts-labs/protocol/client-message";
import { GatewayError } from "@tts-labs/protocol/errors";
import { MAX_FRAME_SAMPLES, MIN_FRAME_SAMPLES } from "@tts-labs/protocol/limits";
import { parseQuery } from "@tts-labs/protocol/query";
import { z } from "zod";

/** The query of `WS /api/v1/stream`. Names it does not know are ignored. */
export const nativeQuerySchema = z.object({
  session_id: z
    .string()
    .regex(SESSION_ID_PATTERN, "must be 1 to 128 printable characters")
    .optional()
    .describe("Id of the session; one is made up where it is missing."),
  resume: z
    .enum(["true", "false"])
    .default("false")
    .describe("true: go on with the session `session_id`; the first message must be `resume`, within 5 s."),
  delivery: z
    .enum(["burst", "paced"])
    .default("burst")
    .describe("burst: as fast as the client takes it; paced: in real time, at most 20 frames ahead."),
  overflow: z
    .enum(["wait", "drop-oldest"])
    .default("wait")
    .describe("For a client that reads too slowly: make the speech wait, or drop its oldest frames."),
  sentence_cache: z
    .enum(["true", "false"])
    .default("false")
    .describe(
      "true: text is spoken sentence by sentence, and what was said before comes from the cache. The voice then does " +
        "not carry its tone over from one sentence to the next. `connected` says whether it is on.",
    ),
  encoding: z
    .enum(["pcm_s16le", "mulaw", "alaw"])
    .default("pcm_s16le")
    .describe("Of the samples in audio frames; mulaw and alaw are G.711, one byte per sample at 8000 Hz."),
  sample_rate: z
    .enum(["8000", "16000", "22050", "24000", "32000", "44100", "48000"])
    .optional()
    .describe(
      "Hz; all positions count samples of it. The edge's own where it is missing, 8000 with mulaw and alaw.",
    ),
  compression: z
    .enum(["none", "deflate"])
    .default("none")
    .describe(
      "deflate: frames of more than 1,024 bytes that get smaller by it are deflated (raw DEFLATE), as a flag of each says. It " +
        "saves about a seventh of PCM, and costs the edge time.",
    ),
  frame_samples: z.coerce
    .number()
    .int()
    .min(MIN_FRAME_SAMPLES)
    .max(MAX_FRAME_SAMPLES)
    .optional()
    .describe("Samples of one audio frame; the edge's own size where it is missing."),
  adaptive: z
    .enum(["true", "false"])
    .optional()
    .describe(
      "Frame size by the connection's round trip: 1,920 samples under 50 ms, 960 under 100, 480 under 300, else 240. " +
        "On where `frame_samples` is missing and the operator allows it, off where it is given.",
    ),
});

export type NativeQuery = z.infer<typeof nativeQuerySchema>;

/** @throws GatewayError `protocol.invalid_message` naming the parameter and what would be right */
export function parseNativeQuery(query: string): NativeQuery {
  const parsed = validate(nativeQuerySchema, parseQuery(query), "the query");
  const isG711 = parsed.encoding !== "pcm_s16le";
  if (isG711 && parsed.sample_rate !== undefined && parsed.sample_rate !== "8000") {
    throw new GatewayError(
      "protocol.invalid_message",
      `Not valid, the query: ${parsed.encoding} goes with sample_rate=8000, not ${parsed.sample_rate}.`,
      { facts: { field: "sample_rate" } },
    );
  }
  return parsed;
}

/** How the audio of a new session is to be, without what is the edge's own choice. */
export const audioWishes = ({
  encoding,
  sample_rate: sampleRate,
  compression,
}: NativeQuery): Pick<SessionDelivery, "encoding" | "sampleRateHz" | "deflates"> => {
  const isG711 = encoding !== "pcm_s16le";
  const rate = sampleRate ?? (isG711 ? "8000" : undefined);
  return {
    ...(isG711 ? { encoding } : {}),
    ...(rate === undefined ? {} : { sampleRateHz: Number(rate) }),
    ...(compression === "deflate" ? { deflates: true } : {}),
  };
};
