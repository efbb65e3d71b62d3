/** Code units before the bound in which a better place than the bound itself is looked for. */
const WINDOW = 64;
const CLAUSE_END = /[\p{Terminal_Punctuation}–—]\s+(?!.*[\p{Terminal_Punctuation}–—]\s)/su;

let segmenters: { readonly words: Intl.Segmenter; readonly characters: Intl.Segmenter } | undefined;

/** Created when first needed: it takes milliseconds. */
const useSegmenters = () => {
  segmenters ??= {
    words: new Intl.Segmenter(undefined, { granularity: "word" }),
    characters: new Intl.Segmenter(undefined, { granularity: "grapheme" }),
  };
  return segmenters;
};

/**
 * Where to cut a text that has no end within `limit` code units: at the end of a clause in its second half, at white
 * space, before a word of a script without spaces, between two characters as people see them; never inside one, as
 * long as it has fewer than `WINDOW` code units.
 * @param text longer than `limit` by one code point, which is all that is looked at beyond it
 */
export function forcedCut(text: string, limit: number): number {
  const half = Math.floor(limit / 2);
  const most = text.slice(0, limit);
  const clause = CLAUSE_END.exec(most.slice(half));
  if (clause !== null) return half + clause.index + clause[0].length;
  const space = lastSpace(most);
  if (space > 0) return space;
  const from = Math.max(0, limit - WINDOW);
  const window = text.slice(from, limit + ((text.codePointAt(limit) ?? 0) > 0xffff ? 2 : 1));
  const { words, characters } = useSegmenters();
  const cut = lastStart(words, window) || lastStart(characters, window);
  if (cut > 0) return from + cut;
  return /[\uD800-\uDBFF]$/.test(most) ? limit - 1 : limit;
}

/**
 * Where the last word of `text` begins, which may not be complete; 0 where that can't be told. For scripts without
 * spaces: looks at the last `WINDOW` code units.
 */
export function lastWordStart(text: string): number {
  const from = Math.max(0, text.length - WINDOW);
  const start = lastStart(useSegmenters().words, text.slice(from));
  return start === 0 ? 0 : from + start;
}

function lastSpace(text: string): number {
  for (let at = text.length - 1; at > 0; at--) if (/\s/.test(text.charAt(at))) return at + 1;
  return 0;
}

function lastStart(segmenter: Intl.Segmenter, text: string): number {
  return segmenter.segment(text).containing(text.length - 1)?.index ?? 0;
}
