import { GatewayError } from "@tts-labs/protocol/errors";
import { parseJsonObject } from "@tts-labs/protocol/json-object";
import { MAX_CLIENT_MESSAGE_BYTES } from "@tts-labs/protocol/limits";
import { z } from "zod";

/** Settings by the name of a provider; ours are under `tts`. */
const providerOptionsSchema = z.record(z.string(), z.record(z.string(), z.unknown()));
export type ProviderOptions = z.infer<typeof providerOptionsSchema>;

const outputFormatSchema = z.object({
  type: z.string().min(1).max(100),
  rate: z.number().positive().optional(),
});
export type WantedFormat = z.infer<typeof outputFormatSchema>;

const PREFIX = "speech-stream.";

/** What a client says on the socket. Fields that are not known are ignored. */
export const clientFrameSchemas = {
  start: z
    .object({
      voice: z.string().min(1).max(100).optional(),
      outputFormat: outputFormatSchema.optional(),
      instructions: z.string().optional(),
      speed: z.number().optional(),
      language: z.string().max(35).optional(),
      providerOptions: providerOptionsSchema.optional(),
      includeRawChunks: z.boolean().optional(),
    })
    .describe("The first frame, and the only one of its kind."),
  "text-delta": z
    .object({
      delta: z.string(),
      voice: z.string().optional(),
      providerOptions: providerOptionsSchema.optional(),
    })
    .describe("A part of the text. An empty one carries only what is beside it."),
  "text-done": z.object({}).describe("The text is complete. A close without it is an abort."),
} as const;

type FrameName = keyof typeof clientFrameSchemas;
export type StartFrame = z.infer<(typeof clientFrameSchemas)["start"]>;
export type TextDelta = z.infer<(typeof clientFrameSchemas)["text-delta"]>;

export type ClientFrame =
  | ({ readonly kind: "start" } & StartFrame)
  | ({ readonly kind: "text-delta" } & TextDelta)
  | { readonly kind: "text-done" }
  /** Of a later version of the protocol: to be ignored. */
  | { readonly kind: "unknown" };

const FRAME = { what: "The frame", example: `{"type":"speech-stream.text-done"}` };

/** @throws GatewayError `protocol.*`, each saying what was wrong and what would be right */
export function parseClientFrame(bytes: Uint8Array, isBinary: boolean): ClientFrame {
  if (isBinary) throw new GatewayError("protocol.unexpected_binary", "Frames are JSON text, not binary.");
  if (bytes.byteLength > MAX_CLIENT_MESSAGE_BYTES) {
    throw new GatewayError(
      "protocol.message_too_large",
      `The frame is longer than the ${MAX_CLIENT_MESSAGE_BYTES} bytes that are taken.`,
      { facts: { limit: MAX_CLIENT_MESSAGE_BYTES } },
    );
  }
  const value = parseJsonObject(bytes, FRAME);
  const { type } = value;
  if (typeof type !== "string") throw invalid(`"type" must be text.`, "type");
  const name = type.startsWith(PREFIX) ? type.slice(PREFIX.length) : "";
  if (!isFrameName(name)) return { kind: "unknown" };
  const result = clientFrameSchemas[name].safeParse(value);
  if (result.success) return { ...result.data, kind: name } as ClientFrame;
  const [issue] = result.error.issues;
  const field = issue?.path.join(".") ?? "";
  throw invalid(`Not valid, field "${field}" of ${type}: ${issue?.message ?? "unknown reason"}.`, field);
}

const isFrameName = (name: string): name is FrameName => Object.hasOwn(clientFrameSchemas, name);

const invalid = (message: string, field: string) =>
  new GatewayError("protocol.invalid_message", message, { facts: { field } });
