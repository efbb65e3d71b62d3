import type { EspeakEvent } from "@echogarden/espeak-ng-emscripten";

type TimedEvent = Pick<EspeakEvent, "type" | "text_position" | "audio_position" | "id">;

interface SpokenWord {
  /** Index of its first character. */
  readonly from: number;
  readonly startMs: number;
}

const isLetter = (char: string): boolean => /[\p{L}\p{N}\p{M}]/u.test(char);

/** What a space or a mark takes, against a letter's 1, where no pause is spoken for it. */
const MARK_WEIGHT = 0.5;

/**
 * When each of `chars` begins, in ms, from the engine's word and phoneme events. Never decreasing.
 *
 * Words are placed by their events; a number has several, with overlapping text, of which each that begins
 * further on counts. Within a word the letters share out its phonemes; the marks and spaces after it get the
 * pause that follows it, if there is one.
 */
export function toCharacterTimes(
  chars: readonly string[],
  events: readonly TimedEvent[],
  totalMs: number,
): number[] {
  const words = toWords(events, chars.length, totalMs);
  const starts: number[] = [];
  for (const [i, word] of words.entries()) {
    const next = words[i + 1];
    const endMs = next?.startMs ?? totalMs;
    const inside = (event: TimedEvent) => event.audio_position > word.startMs && event.audio_position < endMs;
    const phonemes = events.filter((event) => event.type === "phoneme" && inside(event));
    const pauseMs = phonemes.find((event) => event.id === "")?.audio_position;
    const slice = chars.slice(word.from, next?.from ?? chars.length);
    const letters = slice.findLastIndex(isLetter) + 1;
    if (pauseMs === undefined || letters === 0) {
      starts.push(...shareOut(slice, word.startMs, endMs));
      continue;
    }
    const borders = [
      word.startMs,
      ...phonemes.map((event) => event.audio_position).filter((ms) => ms < pauseMs),
      pauseMs,
    ];
    for (let letter = 0; letter < letters; letter++) starts.push(along(borders, letter / letters));
    const marks = slice.length - letters;
    for (let mark = 0; mark < marks; mark++) starts.push(pauseMs + ((endMs - pauseMs) * mark) / marks);
  }
  return starts;
}

/** Words in order, the first of them from character 0, so that every character belongs to one. */
function toWords(events: readonly TimedEvent[], characters: number, totalMs: number): SpokenWord[] {
  const words: SpokenWord[] = [];
  for (const event of events) {
    if (event.type !== "word") continue;
    const last = words.at(-1);
    const from = last === undefined ? 0 : event.text_position - 1;
    const startMs = last === undefined ? 0 : event.audio_position;
    if (from >= characters || startMs > totalMs) continue;
    if (last !== undefined && (from <= last.from || startMs < last.startMs)) continue;
    words.push({ from, startMs });
  }
  return words.length === 0 ? [{ from: 0, startMs: 0 }] : words;
}

function shareOut(chars: readonly string[], startMs: number, endMs: number): number[] {
  const weights = chars.map((char) => (isLetter(char) ? 1 : MARK_WEIGHT));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let before = 0;
  return weights.map((weight) => {
    const start = startMs + ((endMs - startMs) * before) / total;
    before += weight;
    return start;
  });
}

/** The place at `fraction` of the way along `borders`, each stretch between two of them counting the same. */
function along(borders: readonly number[], fraction: number): number {
  const place = fraction * (borders.length - 1);
  const index = Math.floor(place);
  const from = borders[index] ?? 0;
  const to = borders[index + 1] ?? from;
  return from + (to - from) * (place - index);
}
