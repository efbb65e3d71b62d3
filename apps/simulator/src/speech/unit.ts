import { toCharacterTimes } from "./character-times.ts";
import { ESPEAK_SAMPLE_RATE_HZ, type Espeak, type SpeechParameters } from "./espeak.ts";
import { resample } from "./resample.ts";

/** One sentence (or a fragment) to be spoken by itself. */
export interface UnitRequest {
  /** Trimmed, white space single, at most `MAX_ESPEAK_CHARACTERS`. */
  readonly text: string;
  readonly parameters: SpeechParameters;
  readonly sampleRateHz: number;
}

export interface SpokenUnit {
  readonly samples: Int16Array;
  /** First sample of each character (code point) of the text. */
  readonly starts: readonly number[];
  /** Samples before the trailing pause. */
  readonly speechSamples: number;
}

const SENTENCE_PAUSE_MS = 200;
const CLAUSE_PAUSE_MS = 140;
const WORD_PAUSE_MS = 60;
/** No sentence, and no clip of `auto_mode`, is shorter (docs/elevenlabs.md 8.2). */
export const SHORTEST_CLIP_MS = 450;
const FADE_IN_SAMPLES = 110;

/** The silence that belongs to the end of `text`, whatever follows it. */
export function trailingPauseMs(text: string): number {
  if (endsSentence(text)) return SENTENCE_PAUSE_MS;
  return /[,;:–—-]["'”’»)\]]*$/u.test(text) ? CLAUSE_PAUSE_MS : WORD_PAUSE_MS;
}

const endsSentence = (text: string): boolean => /[.!?…。！？]["'”’»)\]」』）]*$/u.test(text);

/** Characters that the engine would take for markup or choke on become spaces: the places stay the same. */
const toEngineText = (text: string): string => text.replace(/[<>\p{Cc}]/gu, " ");

export function speakUnit(engine: Espeak, { text, parameters, sampleRateHz }: UnitRequest): SpokenUnit {
  const spoken = engine.speak(toEngineText(text), parameters);
  for (let i = 0; i < Math.min(FADE_IN_SAMPLES, spoken.samples.length); i++) {
    spoken.samples[i] = Math.round(((spoken.samples[i] ?? 0) * i) / FADE_IN_SAMPLES);
  }
  const speech = resample(spoken.samples, ESPEAK_SAMPLE_RATE_HZ, sampleRateHz);
  const toSamples = (ms: number) => Math.round((ms * sampleRateHz) / 1000);
  const times = toCharacterTimes(
    [...text],
    spoken.events,
    (spoken.samples.length * 1000) / ESPEAK_SAMPLE_RATE_HZ,
  );
  const length = Math.max(
    speech.length + toSamples(trailingPauseMs(text)),
    endsSentence(text) ? toSamples(SHORTEST_CLIP_MS) : 0,
  );
  const samples = new Int16Array(length);
  samples.set(speech);
  return {
    samples,
    starts: times.map((ms) => Math.min(toSamples(ms), speech.length)),
    speechSamples: speech.length,
  };
}
