/** Speech that can be computed again: a hum, one swell per word. */
export interface HumWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

export const HUM_RATE_HZ = 24_000;
const MS_PER_CHARACTER = 55;

/** The PCM of `text` and its words with their times. */
export function humOf(text: string): { readonly pcm: Int16Array; readonly words: readonly HumWord[] } {
  const words: HumWord[] = [];
  let endMs = 0;
  for (const word of text.split(/\s+/).filter((it) => it !== "")) {
    const startMs = endMs;
    endMs += (word.length + 1) * MS_PER_CHARACTER;
    words.push({ text: word, startMs, endMs });
  }
  const pcm = new Int16Array((endMs * HUM_RATE_HZ) / 1000);
  for (const [n, { startMs, endMs: wordEndMs }] of words.entries()) {
    const first = Math.round((startMs * HUM_RATE_HZ) / 1000);
    const count = Math.round(((wordEndMs - startMs) * HUM_RATE_HZ) / 1000);
    for (let i = 0; i < count; i++) {
      const pitch = Math.sin((2 * Math.PI * (180 + 40 * (n % 5)) * i) / HUM_RATE_HZ);
      pcm[first + i] = Math.round(9_000 * Math.sin((Math.PI * i) / count) * pitch);
    }
  }
  return { pcm, words };
}

/** The hum as another voice would hum it after a take-over: the same words from sample `from` on, upside down. */
export function splicedHumOf(text: string, from: number): Int16Array {
  return humOf(text).pcm.map((sample, i) => (i < from ? sample : -sample));
}

/** `text` up to and with the last word whose beginning was played, and the rest. */
export function heardOf(
  text: string,
  playedSamples: number,
): { readonly heard: string; readonly left: string } {
  const begun = humOf(text).words.filter(
    ({ startMs }) => startMs * HUM_RATE_HZ < playedSamples * 1000,
  ).length;
  const heard = text.match(new RegExp(`^\\s*(?:\\S+\\s*){${begun}}`))?.[0] ?? "";
  return { heard, left: text.slice(heard.length) };
}
