import { z } from "zod";
import { DEFAULT_MODEL_ID, findModel, type Model } from "../voice/models.ts";
import { type VoiceSettings, voiceSettingsSchema } from "../voice/voice-settings.ts";
import { findVoice, type Voice } from "../voice/voices.ts";
import { type AudioFormat, DEFAULT_FORMAT, parseAudioFormat } from "../wire/audio-format.ts";
import { type HttpError, httpErrors } from "./error.ts";

/** The body of the speech routes (docs/elevenlabs.md 3.1); unknown fields are ignored. */
const bodySchema = z.object({
  text: z.string(),
  model_id: z.string().nullish(),
  language_code: z.string().nullish(),
  voice_settings: voiceSettingsSchema.nullish(),
  seed: z.int().min(0).max(4_294_967_295).nullish(),
  previous_text: z.string().nullish(),
  next_text: z.string().nullish(),
  previous_request_ids: z.array(z.string()).max(3).nullish(),
  next_request_ids: z.array(z.string()).max(3).nullish(),
  pronunciation_dictionary_locators: z.array(z.unknown()).max(3).nullish(),
  apply_text_normalization: z.enum(["auto", "on", "off"]).nullish(),
});

export interface SpeechOrder {
  readonly text: string;
  readonly voice: Voice;
  readonly model: Model;
  readonly format: AudioFormat;
  readonly language: string | undefined;
  readonly settings: VoiceSettings | undefined;
  readonly seed: number | undefined;
}

/** @param whole the route answers with a whole file: only then WAV can be had */
export function parseSpeechOrder(
  voiceId: string,
  query: URLSearchParams,
  json: unknown,
  whole: boolean,
): SpeechOrder | HttpError {
  const body = bodySchema.safeParse(json);
  if (!body.success) {
    return httpErrors.schema(
      body.error.issues.map((issue) => ({
        input: inputAt(json, issue.path),
        loc: ["body", ...issue.path.map((step) => (typeof step === "symbol" ? String(step) : step))],
        msg: isMissing(json, issue.path) ? "Field required" : issue.message,
        type: isMissing(json, issue.path) ? "missing" : issue.code,
      })),
    );
  }
  const { text, model_id, language_code, voice_settings, seed, previous_text } = body.data;
  const { previous_request_ids, next_request_ids } = body.data;
  const formatName = query.get("output_format") ?? DEFAULT_FORMAT;
  const format = parseAudioFormat(formatName);
  if (format === "opus") return httpErrors.opus(formatName);
  if (format === "unknown" || (format.codec === "wav" && !whole)) {
    return httpErrors.unsupportedFormat(formatName);
  }
  const voice = findVoice(voiceId);
  if (voice === undefined) return httpErrors.voiceNotFound(voiceId);
  const modelId = model_id ?? DEFAULT_MODEL_ID;
  const model = findModel(modelId);
  if (model === undefined) return httpErrors.modelNotFound(modelId);
  if (modelId === "eleven_v3" && typeof previous_text === "string") {
    return httpErrors.unsupportedStitching(modelId, "previous_text");
  }
  if (modelId === "eleven_v3_conversational" && (previous_request_ids ?? next_request_ids)?.length) {
    return httpErrors.unsupportedStitching(modelId, "model_id");
  }
  const asked = language_code ?? undefined;
  if (asked !== undefined && !model.takesLanguage) return httpErrors.unsupportedLanguage(modelId, asked);
  // A code that the model does not know is ignored here, where the sockets refuse it.
  const language = asked !== undefined && model.languages.includes(asked) ? asked : undefined;
  if (text.trim() === "") return httpErrors.emptyText();
  if (text.length > model.maxCharacters) return httpErrors.textTooLong(model.maxCharacters);
  return {
    text,
    voice,
    model,
    format,
    language,
    settings: voice_settings ?? undefined,
    seed: seed ?? undefined,
  };
}

/** What the client sent at `path`; for a field that is missing the object in which it is. */
function inputAt(json: unknown, path: readonly PropertyKey[]): unknown {
  let input = json;
  for (const step of path) {
    if (typeof input !== "object" || input === null || !Object.hasOwn(input, step)) break;
    input = (input as Record<PropertyKey, unknown>)[step];
  }
  return input;
}

function isMissing(json: unknown, path: readonly PropertyKey[]): boolean {
  const [field] = path;
  return path.length === 1 && field !== undefined && !Object.hasOwn(Object(json), field);
}
