import { validate } from "@tts-labs/protocol/client-message";
import { GatewayError } from "@tts-labs/protocol/errors";
import { parseJsonObject } from "@tts-labs/protocol/json-object";
import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import { type RequestedOptions, speechOptionsShape } from "@tts-labs/protocol/speech-options";
import { z } from "zod";
import {
  findOutputFormat,
  type OutputFormat,
  SHORT_FORMAT_NAMES,
} from "../../delivery/encoders/output-format.ts";
import { toModel } from "../model-names.ts";
import { nearestSpeed } from "../speaking-speed.ts";
import type { VoiceNames } from "../voice-names.ts";

/** The body of `POST /v1/audio/speech`. Fields that are not known are ignored. */
export const openAiBodySchema = z.object({
  model: z
    .string()
    .min(1)
    .max(100)
    .describe("One of OpenAI's names for the edge's own, or one of the provider's."),
  input: z
    .string()
    .max(MAX_UTTERANCE_CHARACTERS)
    .regex(/\S/, "must hold something to say")
    .describe("What to say, complete."),
  voice: z
    .union([z.string().min(1).max(100), z.object({ id: z.string().min(1).max(100) })])
    .describe("One of OpenAI's names, an id, or the name of one of the account's voices."),
  response_format: z.string().max(40).nullish().describe("mp3 where it is missing."),
  speed: z.number().min(0.25).max(4).nullish().describe("The nearest that the provider has: 0.7 to 1.2."),
  instructions: z.string().max(MAX_UTTERANCE_CHARACTERS).nullish().describe("Not followed."),
  stream_format: z.enum(["audio", "sse"]).nullish(),
});

export interface OpenAiRequest {
  readonly text: string;
  readonly requested: RequestedOptions;
  readonly format: OutputFormat;
  readonly isSse: boolean;
}

const BODY = {
  what: "The body",
  example: `{"model":"tts-1","voice":"alloy","input":"Hello."}`,
};
/** PCM has no header, and clients of this dialect know it in this rate only. */
const PCM = "pcm_24000";

/** @throws GatewayError `protocol.*`, `capacity.text_too_long`, `provider.*`; its facts name the field */
export function parseOpenAiBody(
  bytes: Uint8Array,
  voices: VoiceNames,
  defaults: { readonly model: string; readonly sampleRateHz: number },
): OpenAiRequest {
  const given = parseJsonObject(bytes, BODY);
  if (typeof given["input"] === "string" && given["input"].length > MAX_UTTERANCE_CHARACTERS) {
    throw textTooLong(given["input"].length);
  }
  const body = validate(openAiBodySchema, given, "the body");
  const speed = body.speed ?? undefined;
  return {
    text: body.input,
    requested: {
      voice: toVoice(typeof body.voice === "string" ? body.voice : body.voice.id, voices),
      model: toModel(body.model, defaults.model),
      voice_settings: speed === undefined || speed === 1 ? undefined : { speed: nearestSpeed(speed) },
    },
    format: toFormat(body.response_format ?? "mp3", defaults.sampleRateHz),
    isSse: body.stream_format === "sse",
  };
}

/** @throws GatewayError `provider.voice_not_found` for what can be no voice */
function toVoice(name: string, voices: VoiceNames): string | undefined {
  const id = voices.toId(name);
  if (id === undefined || speechOptionsShape.voice.safeParse(id).success) return id;
  throw new GatewayError("provider.voice_not_found", `There is no voice ${JSON.stringify(name)}.`, {
    facts: { field: "voice" },
  });
}

/** @throws GatewayError `protocol.not_acceptable` */
function toFormat(name: string, providerHz: number): OutputFormat {
  const format = findOutputFormat(name === "pcm" ? PCM : name, providerHz);
  if (format !== undefined) return format;
  throw new GatewayError(
    "protocol.not_acceptable",
    `There is no response_format ${JSON.stringify(name)}; there are ${SHORT_FORMAT_NAMES.join(", ")}.`,
    { facts: { field: "response_format" } },
  );
}

const textTooLong = (characters: number) =>
  new GatewayError(
    "capacity.text_too_long",
    `The input has ${characters} characters; there may be at most ${MAX_UTTERANCE_CHARACTERS}.`,
    { facts: { field: "input", limit: MAX_UTTERANCE_CHARACTERS, characters } },
  );
