import { MAX_ESPEAK_CHARACTERS } from "./espeak.ts";

/** Ends of sentences: marks, closing quotes, then white space; or a line's end; or marks of East Asian writing. */
const CLOSERS = "[\"'”’»)\\]」』）]*";
const SENTENCE_END = new RegExp(`[.!?…]+${CLOSERS}\\s+|[。！？]+${CLOSERS}\\s*|\\s*\\n\\s*`, "gu");

/** A stop after these, or after a single letter ("z. B.", "J. R."), ends no sentence. */
const ABBREVIATIONS = new Set(
  "mr mrs ms dr prof st vs no nr bzw ca evtl ggf inkl usw etc mio mrd tel str hr fr abs art bspw".split(" "),
);

/** Places where a sentence is over, white space behind it included; never the end of `text` itself unless marked. */
export function sentenceEnds(text: string): number[] {
  const ends: number[] = [];
  for (const match of text.matchAll(SENTENCE_END)) {
    const before = text.slice(Math.max(0, match.index - 12), match.index);
    const word = /(\p{L}+)$/u.exec(before)?.[1]?.toLowerCase();
    const stop = /^\.\s+$/u.test(match[0]) && !match[0].includes("\n");
    const initial = word?.length === 1 && !/\p{Ideographic}/u.test(word);
    if (stop && word !== undefined && (initial || ABBREVIATIONS.has(word))) continue;
    ends.push(match.index + match[0].length);
  }
  return ends;
}

/**
 * `text` cut into what is spoken by itself: sentences and the rest, each with the white space behind it.
 * Whether a place is a cut depends only on what stands before it and the white space behind, so a text that
 * is given in parts, parted at sentence ends, gives the same units.
 */
export function cutIntoUnits(text: string): string[] {
  const units: string[] = [];
  let from = 0;
  for (const end of [...sentenceEnds(text), text.length]) {
    if (text.slice(from, end).trim() === "") {
      // White space alone, or an empty line: belongs to what came before it.
      if (units.length > 0 && end > from) units.push((units.pop() ?? "") + text.slice(from, end));
      else if (end < text.length) continue;
      else if (end > from) units.push(text.slice(from, end));
    } else units.push(...cutLong(text.slice(from, end)));
    from = end;
  }
  return units;
}

function cutLong(sentence: string): string[] {
  const parts: string[] = [];
  let rest = sentence;
  while (rest.length > MAX_ESPEAK_CHARACTERS) {
    const space = rest.lastIndexOf(" ", MAX_ESPEAK_CHARACTERS - 1);
    let cut = space > 0 ? space + 1 : MAX_ESPEAK_CHARACTERS;
    if (/[\uD800-\uDBFF]/.test(rest[cut - 1] ?? "")) cut--;
    parts.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  return rest.trim() === "" && parts.length > 0
    ? [...parts.slice(0, -1), parts.at(-1) + rest]
    : [...parts, rest];
}
