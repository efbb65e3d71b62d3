import { z } from "zod";
import { toErrorBody } from "./error-body.ts";
import { ERROR_CODES, type ErrorCode, type GatewayError } from "./errors.ts";

/**
 * What an edge sends on `WS /api/v1/stream` as JSON text messages. Audio travels beside them in binary
 * messages, see `audio-frame.ts`. `docs/asyncapi.yaml` is generated from these schemas.
 */
const errorCode = z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]);
const milliseconds = z.number().min(0);
const count = z.int().min(0);
const cacheUse = z.enum(["hit", "joined", "miss", "off"]);

export const serverMessageSchemas = {
  connected: z
    .object({
      type: z.literal("connected"),
      protocol: z.literal(1),
      session_id: z.string(),
      resume_token: z
        .string()
        .describe(
          "Secret; lets this session be resumed on any edge, unless the client itself closed the connection with 1000.",
        ),
      provider: z.string(),
      model: z.string(),
      voice: z.string(),
      time: z.iso.datetime().describe("The server's clock."),
      encoding: z
        .enum(["pcm_s16le", "mulaw", "alaw"])
        .describe(
          "Of all audio, mono: signed 16-bit samples, little-endian, or one byte per sample by G.711.",
        ),
      deflate: z
        .boolean()
        .optional()
        .describe(
          "true: frames that get smaller by it are deflated, as a flag of each says. Absent: none is.",
        ),
      sample_rate: count.describe("Hz."),
      frame_samples: count.describe(
        "Samples of one audio frame; the last one of an utterance may be shorter.",
      ),
      adaptive_frames: z
        .boolean()
        .describe("Frames begin with `frame_samples` and then change their size with the round trip."),
      delivery: z.enum(["burst", "paced"]),
      overflow: z.enum(["wait", "drop-oldest"]),
      sentence_cache: z
        .boolean()
        .describe(
          "Text is spoken sentence by sentence; false where it was not asked for, or nothing is cached.",
        ),
      request_id: z.string().describe("Names this connection in the logs of every process."),
      resumed: z.boolean().describe("This connection goes on with the session of an earlier one."),
      utterances: z
        .array(
          z.object({
            utterance_id: z.string(),
            utterance: count,
            text_characters: count.describe(
              "UTF-16 code units of the utterance's text that are held safely; send again what comes after.",
            ),
            text_complete: z.boolean().describe("Its `stream_end` is held too."),
          }),
        )
        .describe(
          "The unfinished utterances of a resumed session, in order; what is not here never arrived.",
        ),
    })
    .describe("First message of every connection."),
  utterance_started: z
    .object({
      type: z.literal("utterance_started"),
      utterance_id: z.string(),
      utterance: count.describe("Number in the session, from 1; stands in the header of its audio frames."),
      voice: z.string(),
      model: z.string(),
    })
    .describe("An utterance was opened."),
  alignment: z
    .object({
      type: z.literal("alignment"),
      utterance_id: z.string(),
      chars: z.array(z.string()),
      start_ms: z.array(milliseconds),
      duration_ms: z.array(milliseconds),
    })
    .describe("Characters with their times, on the utterance's own clock."),
  words: z
    .object({
      type: z.literal("words"),
      utterance_id: z.string(),
      words: z.array(z.object({ text: z.string(), start_ms: milliseconds, end_ms: milliseconds })),
      replaces_from_ms: milliseconds
        .optional()
        .describe("Behind a splice: words told before that begin here or later are no longer true."),
    })
    .describe(
      "Words derived from the alignment, each sent when it is complete. A word that begins before an earlier one has ended comes from a splice: it and what follows stand instead of that one and what followed it.",
    ),
  prewarmed: z
    .object({
      type: z.literal("prewarmed"),
      prewarm_id: z.string().optional().describe("As the `prewarm` named itself."),
      voice: z.string(),
      model: z.string(),
      connect_ms: milliseconds.describe(
        "How long it took to connect to the provider: what speech with these options is spared.",
      ),
    })
    .describe(
      "The answer to `prewarm`: a connection to the provider is ready. Where it can't be had, an `error` says why, with `facts.prewarm_id`.",
    ),
  substituted: z
    .object({
      type: z.literal("substituted"),
      utterance_id: z.string(),
      voice: z.string(),
      model: z.string(),
      provider: z.string().optional().describe("Another provider than `connected` names; else absent."),
      reason: errorCode.describe("What the first choice failed with."),
    })
    .describe(
      "The rest of the utterance, or with `sentence_cache` of the sentence, is spoken by this voice and model, since the first choice failed. Comes before the first frame of it, and again on a connection that resumes within it.",
    ),
  frames_dropped: z
    .object({
      type: z.literal("frames_dropped"),
      utterance_id: z.string(),
      frames: count,
      samples: count,
    })
    .describe(
      "With `overflow=drop-oldest`: this many frames of the utterance were dropped since the last such message.",
    ),
  slow_client: z
    .object({
      type: z.literal("slow_client"),
      waited_ms: milliseconds.describe("The client has taken nothing for so long."),
      cut_off_in_ms: milliseconds.describe("Goes on like this, and the edge closes with 4002."),
      queued_frames: count.describe("Frames that wait at the edge, beyond what the socket holds."),
    })
    .describe(
      "The client reads too slowly: what waits for it stands still. Sent once per standstill; it arrives when the client reads on.",
    ),
  stream_complete: z
    .object({
      type: z.literal("stream_complete"),
      time: z.iso.datetime().describe("The server's clock."),
      utterance_id: z.string(),
      utterance: count,
      characters: count,
      samples: count,
      frames: count,
      dropped_frames: count,
      splices: count.describe(
        "How often its audio went on anew at a word, after a provider socket or a worker had failed.",
      ),
      replaced_samples: count.describe("Samples sent and then replaced by a splice; not in `samples`."),
      duration_ms: milliseconds,
      first_audio_ms: milliseconds
        .nullable()
        .describe("Opening of the utterance to its first audio frame; null where there was no audio."),
      latency_ms: z
        .record(z.string(), milliseconds)
        .describe("The parts of `first_audio_ms` that are known, by name."),
      cache: cacheUse
        .optional()
        .describe(
          "hit: it had been spoken before; joined: another utterance was just saying the same; miss: it was spoken; off: the cache was not asked, as for text that came in pieces. With `sentence_cache`, of all sentences: miss where one was spoken for this utterance.",
        ),
      sentences: z
        .object({ hit: count, joined: count, miss: count, off: count })
        .optional()
        .describe(
          "With `sentence_cache`: the sentences read over this connection, by what the cache had to do with each.",
        ),
    })
    .describe("The utterance is complete and all its audio has been sent."),
  cancelled: z
    .object({
      type: z.literal("cancelled"),
      utterance_id: z.string(),
      utterance: count,
      sent_samples: count.describe("Samples the edge had sent."),
      played_samples: count.describe("Samples the player has reported as played."),
      heard_ms: milliseconds.describe(
        "`played_samples` in milliseconds; where `played` was never reported, the time since the first frame, at most what was sent.",
      ),
      text_heard: z
        .string()
        .describe("The utterance's text up to the last word whose beginning was played, that word included."),
      text_left: z.string().describe("The rest: both together are the text as it was sent."),
      estimated: z
        .boolean()
        .describe("The cut is a guess: the provider gave no times, or `played` was never reported."),
      first_audio_ms: milliseconds
        .nullable()
        .optional()
        .describe("As in `stream_complete`: null where no audio had come before the cancel."),
      latency_ms: z
        .record(z.string(), milliseconds)
        .optional()
        .describe("The parts of `first_audio_ms` that are known, by name."),
    })
    .describe("The utterance was cancelled; nothing more of it will be sent."),
  error: z
    .object({
      type: z.literal("error"),
      code: errorCode.describe("See errors.md."),
      message: z.string().describe("For people; may change."),
      retryable: z.boolean().describe("May the same request succeed later, or elsewhere, unchanged?"),
      retry_after_ms: milliseconds.optional(),
      utterance_id: z.string().optional(),
      utterance: count.optional(),
      facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
    })
    .describe(
      "A typed error; with `utterance_id` it ended that utterance, without it concerns the message or the connection.",
    ),
  draining: z
    .object({
      type: z.literal("draining"),
      reconnect_in_ms: milliseconds.describe(
        "Reconnect with `resume` after this time; it differs from session to session, so that not all come at once.",
      ),
    })
    .describe(
      "This edge is going away. Delivery goes on until the client has left; at its deadline the edge closes with 4001.",
    ),
  shared: z
    .object({
      type: z.literal("shared"),
      listener_token: z
        .string()
        .describe("Secret; lets any number of listeners in, on any edge, for as long as the session lives."),
    })
    .describe(
      "The answer to `share`. Listeners connect to `/api/v1/listen?session_id=…&token=…`, and hear what is spoken from now on.",
    ),
  pong: z.object({ type: z.literal("pong"), t: z.number().optional() }).describe("The answer to `ping`."),
} as const;

export type ServerMessageType = keyof typeof serverMessageSchemas;
export type ServerMessage = z.infer<(typeof serverMessageSchemas)[ServerMessageType]>;
export type ServerMessageOf<T extends ServerMessageType> = z.infer<(typeof serverMessageSchemas)[T]>;

export const encodeServerMessage = (message: ServerMessage): string => JSON.stringify(message);

/** The one translation of an error to what a client of the native protocol sees. */
export function toErrorMessage(
  error: GatewayError,
  utterance?: { readonly utterance_id: string; readonly utterance?: number },
): ServerMessageOf<"error"> {
  return { type: "error", ...toErrorBody(error), ...utterance };
}
