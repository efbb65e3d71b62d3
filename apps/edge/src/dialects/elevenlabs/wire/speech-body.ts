import { GatewayError } from "@tts-labs/protocol/errors";
import { parseJsonObject } from "@tts-labs/protocol/json-object";
import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import {
  type PronunciationDictionary,
  type RequestedOptions,
  speechOptionsShape,
  voiceSettingsSchema,
} from "@tts-labs/protocol/speech-options";
import { z } from "zod";

/** What a client leaves open it may also send as null. */
const orNull = <T extends z.ZodType>(schema: T) => schema.nullish();

const settings = voiceSettingsSchema.shape;

/** Voice settings as ElevenLabs' clients write them; names that are not known are ignored. */
export const elevenLabsVoiceSettingsSchema = z.object({
  stability: orNull(settings.stability),
  similarity_boost: orNull(settings.similarity_boost),
  style: orNull(settings.style),
  use_speaker_boost: orNull(settings.use_speaker_boost),
  speed: orNull(settings.speed),
});

/** Names a dictionary of the provider's account. */
const locatorSchema = z.object({
  pronunciation_dictionary_id: z.string().min(1).max(64),
  version_id: orNull(z.string().min(1).max(64)),
});

/** As clients send them; none where the list is empty. */
export const locatorsSchema = orNull(z.array(locatorSchema).max(3));

export const toDictionaries = (
  locators: z.infer<typeof locatorsSchema>,
): readonly PronunciationDictionary[] | undefined =>
  locators === null || locators === undefined || locators.length === 0
    ? undefined
    : locators.map(({ pronunciation_dictionary_id, version_id }) =>
        version_id === null || version_id === undefined
          ? { pronunciation_dictionary_id }
          : { pronunciation_dictionary_id, version_id },
      );

/** The body of `POST /v1/text-to-speech/{voice_id}` and its three other forms. Fields that are not known are ignored. */
export const elevenLabsBodySchema = z.object({
  text: z.string().max(MAX_UTTERANCE_CHARACTERS).describe("What to say, complete."),
  model_id: orNull(speechOptionsShape.model).describe("The edge's own model where it is missing."),
  language_code: orNull(z.string().max(16)).describe("A code that is none is ignored."),
  voice_settings: orNull(elevenLabsVoiceSettingsSchema),
  seed: orNull(speechOptionsShape.seed),
  apply_text_normalization: orNull(speechOptionsShape.text_normalization),
  apply_language_text_normalization: orNull(z.boolean()),
  pronunciation_dictionary_locators: locatorsSchema,
});

export type ElevenLabsBody = z.infer<typeof elevenLabsBodySchema>;

const BODY = { what: "The body", example: `{"text":"Hello."}` };

/** @throws GatewayError `protocol.*`, `capacity.text_too_long`; its facts name the field */
export function parseSpeechBody(bytes: Uint8Array): ElevenLabsBody {
  const body = checked(elevenLabsBodySchema, parseJsonObject(bytes, BODY), "body");
  if (body.text.trim() !== "") return body;
  throw new GatewayError("protocol.invalid_message", "There is nothing to speak in the text.", {
    facts: { field: "text", emptyText: true },
  });
}

/** The values that hold against `schema`. @param where of the request, for the error */
export function checked<T>(schema: z.ZodType<T>, value: Readonly<Record<string, unknown>>, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path ?? [];
  const field = path.join(".");
  if (field === "text" && issue?.code === "too_big") {
    const message = `The text is longer than ${MAX_UTTERANCE_CHARACTERS} characters.`;
    throw new GatewayError("capacity.text_too_long", message, { facts: { limit: MAX_UTTERANCE_CHARACTERS } });
  }
  const isMissing = path.length === 1 && value[String(path[0])] === undefined;
  throw new GatewayError(
    "protocol.invalid_message",
    isMissing ? "Field required" : `Not valid: ${issue?.message ?? "unknown reason"}.`,
    { facts: { field, in: where, isMissing } },
  );
}

/** The same wishes in the words of the edge. */
export function toRequestedOptions(voice: string, body: Partial<ElevenLabsBody>): RequestedOptions {
  const language = speechOptionsShape.language.safeParse(body.language_code ?? undefined);
  return {
    voice,
    model: body.model_id ?? undefined,
    language: language.success ? language.data : undefined,
    voice_settings: toVoiceSettings(body.voice_settings),
    seed: body.seed ?? undefined,
    text_normalization: body.apply_text_normalization ?? undefined,
    language_text_normalization: body.apply_language_text_normalization ?? undefined,
    pronunciation_dictionaries: toDictionaries(body.pronunciation_dictionary_locators)?.slice(),
  };
}

/** Without what was left open; nothing where all of it was. */
export function toVoiceSettings(
  given: z.infer<typeof elevenLabsVoiceSettingsSchema> | null | undefined,
): z.infer<typeof voiceSettingsSchema> | undefined {
  const named = Object.entries(given ?? {}).filter(([, value]) => value !== null && value !== undefined);
  return named.length === 0 ? undefined : voiceSettingsSchema.parse(Object.fromEntries(named));
}

/** The voice that a path names. @throws GatewayError `provider.voice_not_found` where it can be none */
export function parseVoiceId(encoded: string): string {
  const voice = decoded(encoded);
  if (speechOptionsShape.voice.safeParse(voice).success) return voice;
  throw voiceNotFound(voice);
}

export const voiceNotFound = (voice: string): GatewayError =>
  new GatewayError(
    "provider.voice_not_found",
    `A voice with voice_id '${voice.slice(0, 64)}' was not found.`,
  );

function decoded(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
