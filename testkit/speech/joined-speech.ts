import type { Alignment } from "@tts-labs/core/audio/alignment";
import { renderSpeech } from "@tts-labs/simulator/voice/render";

const SAMPLES_PER_MS = 24;
/** What docs/cache.md says of a join, told once more in other words: half a cosine of 5 ms on either side. */
const FADE_SAMPLES = 120;
const RISING = Array.from(
  { length: FADE_SAMPLES },
  (_, i) => (1 - Math.cos((Math.PI * (i + 0.5)) / FADE_SAMPLES)) / 2,
);

/** Sentences as they sound when each is spoken by itself. */
export async function renderSentences(texts: readonly string[], voice: string) {
  return Promise.all(texts.map((text) => renderSpeech({ text, voice })));
}

/** Parts of 24 kHz one after the other, as a listener with the sentence cache hears them. */
export function joinedPcm(parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    parts.map((part, number) => {
      const samples = toSamples(part);
      const fade = Math.min(FADE_SAMPLES, samples.length);
      const scale = (at: number, i: number) => {
        samples[at] = Math.round((samples[at] ?? 0) * (RISING[i] ?? 1));
      };
      for (let i = 0; i < fade && number > 0; i++) scale(i, i);
      for (let i = 0; i < fade && number < parts.length - 1; i++) scale(samples.length - 1 - i, i);
      return Buffer.from(samples.buffer);
    }),
  );
}

/** A copy. */
export const toSamples = (pcm: Uint8Array): Int16Array<ArrayBuffer> =>
  new Int16Array(Uint8Array.from(pcm).buffer);

/** When each word begins, on the whole speech's clock, as the parts' own alignments say. */
export function wordStarts(parts: readonly { readonly pcm: Uint8Array; readonly alignment: Alignment }[]) {
  const words: { text: string; startMs: number; endMs: number }[] = [];
  let offsetMs = 0;
  for (const { pcm, alignment } of parts) {
    let word: { text: string; startMs: number; endMs: number } | undefined;
    for (const [i, char] of alignment.chars.entries()) {
      const startMs = offsetMs + (alignment.startMs[i] ?? 0);
      const endMs = startMs + (alignment.durationMs[i] ?? 0);
      if (char.trim() === "") {
        word = undefined;
        continue;
      }
      if (word === undefined) {
        word = { text: "", startMs, endMs };
        words.push(word);
      }
      word.text += char;
      word.endMs = endMs;
    }
    offsetMs += pcm.byteLength / 2 / SAMPLES_PER_MS;
  }
  return words;
}
