import type { Alignment } from "@tts-labs/core/audio/alignment";
import type { SpeechEngine } from "./engine.ts";
import type { SpeechParameters } from "./espeak.ts";
import { cutIntoUnits } from "./sentences.ts";
import { SHORTEST_CLIP_MS, type SpokenUnit } from "./unit.ts";

/** A spoken text. Positions are samples, so that nothing drifts; milliseconds are made of them at the end. */
export interface Speech {
  readonly samples: Int16Array;
  readonly sampleRateHz: number;
  readonly chars: readonly string[];
  /** First sample of each character. */
  readonly starts: readonly number[];
}

export interface SpeechRequest {
  readonly text: string;
  readonly parameters: SpeechParameters;
  readonly sampleRateHz: number;
  /** Padded with silence to the shortest clip: each message of `auto_mode` is a clip. */
  readonly clip?: boolean;
}

/**
 * Speaks `text` as the concatenation of its units, each rendered alone: cut a text at sentence ends, speak
 * the parts, and the samples are the same. White space has no sound of its own: what stands at an end gets
 * the pause that is there anyway.
 */
export async function speak(engine: SpeechEngine, request: SpeechRequest): Promise<Speech> {
  const { parameters, sampleRateHz } = request;
  const texts = cutIntoUnits(request.text);
  const units = await Promise.all(
    texts.map(async (text): Promise<{ text: string; unit: SpokenUnit | undefined }> => {
      const spoken = text.trim().replace(/\s+/gu, " ");
      const unit = spoken === "" ? undefined : await engine.speak({ text: spoken, parameters, sampleRateHz });
      return { text, unit };
    }),
  );
  const spokenSamples = units.reduce((sum, { unit }) => sum + (unit?.samples.length ?? 0), 0);
  const shortest = request.clip === true ? Math.round((SHORTEST_CLIP_MS * sampleRateHz) / 1000) : 0;
  const samples = new Int16Array(spokenSamples === 0 ? 0 : Math.max(spokenSamples, shortest));
  const chars: string[] = [];
  const starts: number[] = [];
  let offset = 0;
  for (const { text, unit } of units) {
    chars.push(...text);
    starts.push(...placeCharacters(text, unit).map((start) => offset + start));
    if (unit !== undefined) samples.set(unit.samples, offset);
    offset += unit?.samples.length ?? 0;
  }
  return { samples, sampleRateHz, chars, starts };
}

/** First sample of each character of `text` as it was given, from those of the tidied text that was spoken. */
function placeCharacters(text: string, unit: SpokenUnit | undefined): number[] {
  const chars = [...text];
  if (unit === undefined) return chars.map(() => 0);
  const isSpace = (char: string | undefined) => char !== undefined && /\s/u.test(char);
  const lastSpoken = chars.findLastIndex((char) => !isSpace(char));
  const firstSpoken = chars.findIndex((char) => !isSpace(char));
  const total = unit.samples.length;
  let spoken = 0;
  return chars.map((char, i) => {
    if (i < firstSpoken) return 0;
    // The first space at the end takes most of the pause; any more take no time.
    if (i === lastSpoken + 1) return unit.speechSamples + Math.round((total - unit.speechSamples) / 3);
    if (i > lastSpoken) return total;
    if (isSpace(char) && isSpace(chars[i - 1])) return unit.starts[spoken] ?? unit.speechSamples;
    return unit.starts[spoken++] ?? unit.speechSamples;
  });
}

/** Whole milliseconds whose sum is the audio's length: each border is rounded once, from its exact sample. */
export function toAlignment({ chars, starts, samples, sampleRateHz }: Speech): Alignment {
  const toMs = (sample: number) => Math.round((sample * 1000) / sampleRateHz);
  const startMs = starts.map(toMs);
  const endMs = toMs(samples.length);
  return {
    chars,
    startMs,
    durationMs: startMs.map((start, i) => (startMs[i + 1] ?? endMs) - start),
  };
}
