import type { Alignment } from "@tts-labs/core/audio/alignment";
import type { CachedSpeech } from "@tts-labs/core/cache/audio-cache";
import { toCacheKey } from "@tts-labs/core/cache/cache-key";
import type { Speech } from "@tts-labs/core/cache/stored-speech";

export const keyOf = (text: string, voice = "v"): string =>
  toCacheKey({
    provider: "test",
    text,
    speech: { voice, model: "m", autoMode: false, sampleRateHz: 24_000 },
  });

/** `bytes` of samples that no other speech has, with a caption for each half second. */
export function speech(name: string, bytes: number, voice = "v"): Speech {
  const samples = new Int16Array(bytes / 2);
  let state = [...name].reduce((sum, char) => sum * 31 + (char.codePointAt(0) ?? 0), 7) >>> 0;
  for (let i = 0; i < samples.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    samples[i] = state >>> 16;
  }
  const captions = [];
  for (let firstSample = 0; firstSample < samples.length; firstSample += 12_000) {
    const begin = firstSample / 24;
    const alignment: Alignment = { chars: ["a", "b"], startMs: [begin, begin + 9], durationMs: [9, 8] };
    captions.push({ firstSample, alignment });
  }
  const pcm = new Uint8Array(samples.buffer);
  return { voice, sampleRateHz: 24_000, characters: name.length, pcm, captions };
}

/** All of it, as a reader gets it. */
export async function readAll(cached: CachedSpeech | undefined) {
  if (cached === undefined) return undefined;
  const parts: Uint8Array[] = [];
  const alignments: Alignment[] = [];
  let samples = 0;
  for (let piece = await cached.next(); piece !== undefined; piece = await cached.next()) {
    if (piece.firstSample !== samples) throw new Error(`sample ${samples} was due, not ${piece.firstSample}`);
    samples += piece.pcm.byteLength / 2;
    parts.push(piece.pcm.slice());
    alignments.push(...piece.alignments);
  }
  return { pcm: Buffer.concat(parts), alignments };
}

/** What is left of it, to its end. */
export async function readRest(cached: CachedSpeech | undefined): Promise<void> {
  while ((await cached?.next()) !== undefined);
}

export const asRead = ({ pcm, captions }: Speech) => ({
  pcm: Buffer.from(pcm),
  alignments: captions.map(({ alignment }) => alignment),
});
