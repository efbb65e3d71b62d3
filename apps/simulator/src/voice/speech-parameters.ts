import type { SpeechParameters } from "../speech/espeak.ts";
import type { Model } from "./models.ts";
import type { VoiceSettings } from "./voice-settings.ts";
import type { Voice } from "./voices.ts";

/** espeak's voice and the rate at which it takes about 80 ms per character, pauses included. */
interface Spoken {
  readonly espeak: string;
  readonly rate: number;
}

const LANGUAGES: Readonly<Record<string, Spoken>> = {
  en: { espeak: "en-us", rate: 130 },
  de: { espeak: "de", rate: 128 },
  fr: { espeak: "fr", rate: 128 },
  es: { espeak: "es", rate: 126 },
};
/** Languages whose code is not the engine's. It has no Filipino; Indonesian is the nearest it has. */
const ESPEAK_NAMES: Readonly<Record<string, string>> = { fil: "id", no: "nb", pt: "pt-br", zh: "cmn" };
const RATE = 130;
/** An ideograph or a syllable block is a syllable or more, not a letter. */
const SYLLABLE_RATES: Readonly<Record<string, number>> = { ja: 200, ko: 220, zh: 260 };

function toSpoken(code: string): Spoken {
  return LANGUAGES[code] ?? { espeak: ESPEAK_NAMES[code] ?? code, rate: SYLLABLE_RATES[code] ?? RATE };
}

/** What is made ready at the start; other languages are loaded when they are first asked for. */
export const ESPEAK_VOICES = ["en-gb", ...Object.values(LANGUAGES).map(({ espeak }) => espeak)];

export interface AudibleOptions {
  readonly voice: Voice;
  readonly model: Model;
  readonly language?: string | undefined;
  readonly settings?: VoiceSettings | undefined;
  readonly seed?: number | undefined;
}

const within = (value: number, min: number, max: number): number =>
  Math.round(Math.max(min, Math.min(max, value)));

/**
 * Everything audible is audible here too, each in its way, so that a cache that confuses two requests is
 * caught by the bytes: speed in the rate, stability and style in the melody, similarity in the pitch, the
 * speaker boost in the volume, the seed a little in all.
 */
export function toSpeechParameters(options: AudibleOptions): SpeechParameters {
  const { voice, model, settings = {}, seed } = options;
  const code = options.language !== undefined && model.takesLanguage ? options.language : voice.language;
  const language = toSpoken(code);
  const espeak = code === "en" && voice.accent === "british" ? "en-gb" : language.espeak;
  const chance = seed === undefined ? 0 : (Math.imul(seed + 1, 0x9e3779b1) >>> 8) % 35;
  return {
    espeakVoice: `${espeak}+${voice.variant}`,
    rate: within(
      (language.rate + model.rateOffset) * (settings.speed ?? 1) + Math.floor(chance / 7),
      80,
      400,
    ),
    pitch: within(voice.pitch + ((settings.similarity_boost ?? 0.75) - 0.75) * 24 + (chance % 7), 0, 99),
    range: within(50 + (0.5 - (settings.stability ?? 0.5)) * 60 + (settings.style ?? 0) * 30, 0, 99),
    volume: settings.use_speaker_boost === false ? 80 : 90,
  };
}
