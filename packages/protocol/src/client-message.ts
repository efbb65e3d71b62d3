import { z } from "zod";
import { type ErrorCode, GatewayError } from "./errors.ts";
import { parseJsonObject } from "./json-object.ts";
import { MAX_UTTERANCE_CHARACTERS } from "./limits.ts";
import { speechOptionsShape } from "./speech-options.ts";

/**
 * What a client may send on `WS /api/v1/stream`: JSON text messages with a `type`.
 *
 * A session speaks one utterance after the other. The first `text` opens one; `stream_end` ends its text;
 * the next `text` opens the next, which waits for its turn. `docs/asyncapi.yaml` is generated from these schemas.
 */
const utteranceId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, '_' or '-'");

export const clientMessageSchemas = {
  text: z
    .strictObject({
      type: z.literal("text"),
      text: z.string().max(MAX_UTTERANCE_CHARACTERS),
      end: z
        .boolean()
        .optional()
        .describe(
          "The text is complete with this, as if `stream_end` followed: a whole sentence is found sooner.",
        ),
      ...speechOptionsShape,
    })
    .describe("Speak this. Opens an utterance when none is open; the options count only then."),
  flush: z
    .strictObject({ type: z.literal("flush") })
    .describe("Speak what has been sent so far, without waiting for more."),
  stream_end: z
    .strictObject({ type: z.literal("stream_end") })
    .describe("The open utterance's text is complete."),
  cancel: z
    .strictObject({ type: z.literal("cancel"), utterance_id: utteranceId.optional() })
    .describe("Stop speaking: the named utterance, or every unfinished one."),
  prewarm: z
    .strictObject({
      type: z.literal("prewarm"),
      prewarm_id: utteranceId.optional().describe("Comes back with the answer."),
      ...speechOptionsShape,
    })
    .describe(
      "Speech with these options will be wanted soon. Answered by `prewarmed` once it will find a connection ready, or by an `error`.",
    ),
  resume: z
    .strictObject({
      type: z.literal("resume"),
      resume_token: z.string().min(16).max(128).describe("As given by `connected`."),
      utterance_id: utteranceId.optional(),
      epoch: z.string().min(1).max(64).optional().describe("The life of the stream that `seq` belongs to."),
      seq: z.int().min(0).optional().describe("Last entry held, from the audio frames' header."),
      sample: z.int().min(0).optional().describe("First sample that is still missing."),
    })
    .describe(
      "Go on where an earlier connection was cut. First message of a connection opened with `resume=true`, within 5 s. " +
        "The position is that of the utterance being received: all earlier ones are held, nothing of later ones; none: nothing is held.",
    ),
  authenticate: z
    .strictObject({
      type: z.literal("authenticate"),
      token: z.string().min(16).max(128).describe("As given by `POST /api/v1/tokens`; it is spent by this."),
    })
    .describe(
      "First message of a connection that was opened without credentials to an edge that asks for them, within 5 s. " +
        "`connected` answers it; with `resume=true`, `resume` follows it.",
    ),
  played: z
    .strictObject({
      type: z.literal("played"),
      utterance_id: utteranceId,
      samples: z
        .int()
        .min(0)
        .max(2 ** 40)
        .describe("Samples played so far, from the start of the utterance."),
    })
    .describe("How far the player has come."),
  share: z
    .strictObject({ type: z.literal("share") })
    .describe("Let others hear what this session speaks: answered by `shared` with a token for them."),
  ping: z
    .strictObject({
      type: z.literal("ping"),
      t: z.number().optional().describe("Anything, such as the client's clock."),
    })
    .describe("Answered by `pong` with the same `t`."),
} as const;

export type ClientMessageType = keyof typeof clientMessageSchemas;
export type ClientMessage = z.infer<(typeof clientMessageSchemas)[ClientMessageType]>;
export type TextMessage = z.infer<(typeof clientMessageSchemas)["text"]>;
export type PrewarmMessage = z.infer<(typeof clientMessageSchemas)["prewarm"]>;
export type ResumeMessage = z.infer<(typeof clientMessageSchemas)["resume"]>;

const isClientMessageType = (type: string): type is ClientMessageType =>
  Object.hasOwn(clientMessageSchemas, type);

/**
 * Parses one message of a client.
 * @throws GatewayError `protocol.invalid_utf8`, `protocol.invalid_json`, `protocol.unknown_type` or
 *   `protocol.invalid_message`, each saying what was wrong and what would be right.
 */
export function parseClientMessage(bytes: Uint8Array): ClientMessage {
  const value = parseJsonObject(bytes, { what: "The message", example: `{"type":"ping"}` });
  const type = value["type"];
  if (typeof type !== "string" || !isClientMessageType(type)) {
    throw new GatewayError(
      "protocol.unknown_type",
      `"type" must be one of ${Object.keys(clientMessageSchemas).join(", ")}.`,
    );
  }
  return validate<ClientMessage>(clientMessageSchemas[type], value, `a "${type}" message`);
}

/** Holds `value` against `schema`; the first issue becomes a `protocol.invalid_message` that names the field. */
export function validate<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join(".") ?? "";
  if (issue?.code === "too_big" && field === "text") throw textTooLong(value, Number(issue.maximum));
  const code: ErrorCode = "protocol.invalid_message";
  const where = field === "" ? what : `field "${field}" of ${what}`;
  throw new GatewayError(code, `Not valid, ${where}: ${issue?.message ?? "unknown reason"}.`, {
    facts: field === "" ? {} : { field },
  });
}

function textTooLong(value: unknown, limit: number): GatewayError {
  const { text } = value as { readonly text: string };
  const message = `The text has ${text.length} characters; an utterance has at most ${limit}. Cut it at sentence ends.`;
  return new GatewayError("capacity.text_too_long", message, { facts: { limit, characters: text.length } });
}
