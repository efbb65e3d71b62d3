interface ToldWord {
  readonly text: string;
  readonly startMs?: number | undefined;
  readonly endMs?: number | undefined;
}

/** Times are rounded here and there. */
const ROUNDING_MS = 1;

/**
 * Index of the first of `words`, which are in order, that is replaced when `next` is told; their number when it
 * follows them all. Words before a splice stay, even where their times overlap a little with the next ones.
 * @param fromMs what begins there or later is replaced, where the teller has said so
 */
export function firstReplaced(words: readonly ToldWord[], next: ToldWord, fromMs?: number): number {
  const beginsMs = fromMs ?? next.startMs ?? 0;
  let first = words.length;
  while (first > 0 && (words[first - 1]?.startMs ?? 0) >= beginsMs - ROUNDING_MS) first--;
  const last = words[first - 1];
  // The same word is told again while the first one is spoken, without a word about replacing.
  const isAgain =
    fromMs === undefined && last?.text === next.text && (last.endMs ?? 0) > beginsMs + ROUNDING_MS;
  return isAgain ? first - 1 : first;
}
