import { parseQuery } from "@tts-labs/protocol/query";
import type { RequestedOptions } from "@tts-labs/protocol/speech-options";
import { speechOptionsShape } from "@tts-labs/protocol/speech-options";
import { z } from "zod";
import { DEFAULT_FORMAT, parseOutputFormat, type SpokenFormat } from "../wire/output-format.ts";
import { checked, parseVoiceId, toRequestedOptions } from "../wire/speech-body.ts";

/** Seconds; both as ElevenLabs has them. */
const DEFAULT_INACTIVITY_S = 20;
const MAX_INACTIVITY_S = 180;

/** A boolean as ElevenLabs reads it: `true` in lower case, and anything else is false. */
const flag = z
  .string()
  .max(16)
  .optional()
  .transform((it) => it === "true");

/** The query of both sockets. Names it does not know are ignored. */
export const socketQuerySchema = z.object({
  model_id: speechOptionsShape.model.describe("The edge's own model where it is missing."),
  language_code: z.string().max(16).optional(),
  output_format: z.string().max(64).default(DEFAULT_FORMAT),
  inactivity_timeout: z.coerce
    .number()
    .default(DEFAULT_INACTIVITY_S)
    .describe("Seconds without a message after which the socket is closed; brought into 1 to 180."),
  auto_mode: flag.describe("true: each message is spoken by itself, at once."),
  seed: z.coerce.number().pipe(speechOptionsShape.seed.unwrap()).optional(),
  apply_text_normalization: speechOptionsShape.text_normalization,
  apply_language_text_normalization: flag,
  enable_ssml_parsing: flag.describe("true: tags of SSML in the text are obeyed."),
  enable_logging: z
    .string()
    .max(16)
    .optional()
    .describe(
      "false: the provider is asked to keep nothing of it, and it is neither cached nor shared here.",
    ),
  alignment_base: z
    .enum(["context", "segment"])
    .optional()
    .describe(
      "Of our own: what the times of characters count from. `context`: the start of the context, the default of " +
        "multi-stream-input. `segment`: the start of the message's audio, the default of stream-input.",
    ),
});

/** What is fixed when a socket is opened, by its path and query. */
export interface SocketQuery {
  readonly requested: RequestedOptions;
  readonly spoken: SpokenFormat;
  readonly autoMode: boolean;
  readonly inactivityS: number;
  readonly alignmentBase: "context" | "segment" | undefined;
}

/** Place of the voice in the path, `/v1/text-to-speech/{voice_id}/…`. */
const VOICE_SEGMENT = 3;

/** @param ownHz rate of the edge's own speech @throws GatewayError `protocol.*`, `provider.voice_not_found` */
export function parseSocketQuery(path: string, given: string, ownHz: number): SocketQuery {
  const query = checked(socketQuerySchema, parseQuery(given), "query");
  const voice = parseVoiceId(path.split("/")[VOICE_SEGMENT] ?? "");
  const { auto_mode: autoMode, alignment_base: alignmentBase, ...body } = query;
  const inactivityS = Math.min(MAX_INACTIVITY_S, Math.max(1, query.inactivity_timeout));
  const requested: RequestedOptions = {
    ...toRequestedOptions(voice, body),
    auto_mode: autoMode,
    language_text_normalization: body.apply_language_text_normalization || undefined,
    ssml: body.enable_ssml_parsing || undefined,
    logging: body.enable_logging === "false" ? false : undefined,
  };
  const spoken = parseOutputFormat(query.output_format, "socket", ownHz);
  return { requested, spoken, autoMode, inactivityS, alignmentBase };
}
