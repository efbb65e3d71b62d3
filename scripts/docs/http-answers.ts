import { DIALECTS } from "@tts-labs/core/session/live-registry";
import { ERROR_CODES, type ErrorCode } from "@tts-labs/protocol/errors";
import { serverMessageSchemas } from "@tts-labs/protocol/server-message";
import { z } from "zod";

/**
 * What an edge answers over HTTP, as JSON. The edge builds these answers by hand; an integration test holds a
 * running edge against these schemas, which know no field that is not named here.
 */
const count = z.int().min(0);
const milliseconds = z.number().min(0);

export const errorSchema = z
  .strictObject({
    error: z.strictObject({
      code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]).describe("See errors.md."),
      message: z.string().describe("For people; may change."),
      retryable: z.boolean().describe("May the same request succeed later, or elsewhere, unchanged?"),
      retry_after_ms: milliseconds.optional(),
      facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
    }),
    request_id: z.string(),
  })
  .describe("A typed error.");

const { type: _, utterance_id: __, ...substituted } = serverMessageSchemas.substituted.shape;

export const speechSchema = z
  .strictObject({
    audio: z.base64().describe("Samples, mono 16-bit little-endian."),
    encoding: z.literal("pcm_s16le"),
    sample_rate: count.describe("Hz."),
    samples: count,
    duration_ms: milliseconds,
    words: serverMessageSchemas.words.shape.words.describe("When each word is heard."),
    cache: z
      .enum(["hit", "joined", "miss", "off"])
      .describe("As in `x-cache`: hit, joined (another request was just saying the same), miss, off."),
    substituted: z
      .strictObject(substituted)
      .optional()
      .describe("Who spoke instead, from some word on; absent where all is as it was asked for."),
    request_id: z.string(),
  })
  .describe("The whole speech.");

export const tokenSchema = z
  .object({
    token: z.string().describe("Shown once; spent by its first use."),
    purpose: z.enum(["stream", "listen", "synthesize"]),
    origin: z.string().nullable(),
    expires_in_s: z.int(),
  })
  .describe("A token for a page.");

export const voicesSchema = z
  .strictObject({
    voices: z.array(
      z.strictObject({
        voice_id: z.string(),
        name: z.string(),
        language: z.string().nullable().describe("ISO 639-1, where known."),
      }),
    ),
  })
  .describe("The voices that may be asked for.");

const pageOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({
    total: count,
    items: z.array(item),
    next_cursor: z.string().nullable().describe("For the next page; null on the last."),
  });

export const liveSchema = z
  .strictObject({
    sessions: pageOf(
      z.strictObject({
        session_id: z.string(),
        tenant: z.string().nullable().describe("null where access is open."),
        edge: z.string(),
        state: z.enum(["open", "detached"]),
        dialect: z.enum(DIALECTS),
        connection_epoch: count,
        age_ms: milliseconds,
      }),
    ),
    utterances: pageOf(
      z.strictObject({
        utterance_id: z.string(),
        session_id: z.string(),
        tenant: z.string().nullable().describe("null where access is open."),
        edge: z.string(),
        worker: z.string().nullable().describe("null until one has taken it."),
        state: z.enum(["queued", "speaking", "delivering"]),
        voice: z.string(),
        model: z.string(),
        queued_frames: count,
        age_ms: milliseconds,
      }),
    ),
    queue: z.strictObject({ waiting: count, active: count }).describe("Jobs of all edges."),
  })
  .describe("What is live on all nodes.");

export const scalingSchema = z
  .strictObject({
    sessions: count.describe("Of all edges."),
    utterances: z.strictObject({
      waiting: count.describe("Without a worker."),
      active: count.describe("With a worker."),
      wanted: count.describe(
        "Both together: divided by what one worker should carry, it is the number of workers.",
      ),
      oldest_wait_ms: milliseconds.describe("How long the one has waited that a worker takes next."),
    }),
  })
  .describe("What an autoscaler goes by. Where it can't be known the answer is 503, never 0.");

export const versionSchema = z
  .strictObject({
    program: z.enum(["edge", "worker", "simulator"]),
    version: z.string(),
    commit: z.string().describe("That it was built from; `unknown` where it was not told (`TTS_COMMIT`)."),
  })
  .describe("Which program this is.");

export const infoSchema = z
  .strictObject({
    protocol: z.literal(1),
    node: z.string().describe("The edge that answered."),
    provider: z.string(),
    defaults: z.strictObject({
      voice: z.string(),
      model: z.string(),
      language: z.string().nullable(),
      sample_rate: count,
      frame_samples: count,
    }),
    limits: z.strictObject({
      message_bytes: count,
      utterance_characters: count,
      unfinished_utterances: count.describe("Of one session."),
    }),
  })
  .describe("What this edge is set to.");

export const healthSchema = z.strictObject({ status: z.literal("ok") }).describe("The process runs.");

export const readinessSchema = z
  .strictObject({
    status: z.enum(["ready", "draining", "storage-away"]),
    code: z
      .string()
      .optional()
      .describe("With `storage-away`: what is wrong with Redis, such as `storage.full`."),
    message: z.string().optional(),
  })
  .describe("Whether new work is taken.");

export const listenerTokenSchema = z
  .object({
    session_id: z.string(),
    listener_token: z.string().describe("Secret; for any number of listeners, while the session lives."),
    path: z.string().describe("Path of the WebSocket to which it is shown, as `token`."),
  })
  .describe("A token for listeners.");
