import { type ServiceError, serviceErrors } from "../faults/service-error.ts";
import { DEFAULT_MODEL_ID, findModel, type Model } from "../voice/models.ts";
import { findVoice, type Voice } from "../voice/voices.ts";
import { type AudioFormat, DEFAULT_FORMAT, parseAudioFormat } from "../wire/audio-format.ts";

/** What is fixed when a socket is opened, by its path and query. */
export interface SocketQuery {
  readonly voice: Voice;
  readonly model: Model;
  readonly format: AudioFormat;
  readonly language: string | undefined;
  readonly autoMode: boolean;
  readonly syncAlignment: boolean;
  readonly seed: number | undefined;
  readonly inactivitySeconds: number;
}

const MAX_INACTIVITY_SECONDS = 180;

/** The query, or the error that the socket gets for it. Booleans are `true` in lower case, else false. */
export function parseSocketQuery(
  voiceId: string,
  query: URLSearchParams,
  defaultInactivitySeconds: number,
): SocketQuery | ServiceError {
  const voice = findVoice(voiceId);
  if (voice === undefined) return serviceErrors.unknownVoice(voiceId);
  const modelId = query.get("model_id") ?? DEFAULT_MODEL_ID;
  const model = findModel(modelId);
  if (model === undefined) return serviceErrors.invalidSetting("model_id", `there is no model ${modelId}`);
  const formatName = query.get("output_format") ?? DEFAULT_FORMAT;
  const format = parseAudioFormat(formatName);
  if (format === "opus") return serviceErrors.opus(formatName);
  if (format === "unknown" || format.codec === "wav") return serviceErrors.unsupportedFormat(formatName);
  const language = query.get("language_code") ?? undefined;
  if (language !== undefined && !(model.takesLanguage && model.languages.includes(language))) {
    return serviceErrors.unsupportedLanguage(modelId, language);
  }
  const seedText = query.get("seed");
  const seed = seedText === null ? undefined : Number(seedText);
  if (seed !== undefined && !(Number.isInteger(seed) && seed >= 0 && seed <= 4_294_967_295)) {
    return serviceErrors.invalidSetting("seed", "it must be a whole number from 0 to 4294967295");
  }
  return {
    voice,
    model,
    format,
    language,
    autoMode: query.get("auto_mode") === "true",
    syncAlignment: query.get("sync_alignment") === "true",
    seed,
    inactivitySeconds: toInactivity(query.get("inactivity_timeout"), defaultInactivitySeconds),
  };
}

/** Values out of range are brought into it: how the real service takes them is not known. */
function toInactivity(given: string | null, otherwise: number): number {
  const seconds = given === null ? Number.NaN : Number(given);
  if (!Number.isFinite(seconds)) return otherwise;
  return Math.max(1, Math.min(MAX_INACTIVITY_SECONDS, seconds));
}
