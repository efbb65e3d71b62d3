/**
 * Where words begin, in every script. White space separates words; in scripts that have none, words are found in
 * another way: each character of Han and kana is one (with the marks behind it), and Thai, Lao, Khmer and Burmese are
 * cut by the dictionary of `Intl.Segmenter`. Between two such scripts, or one of them and letters or digits, a word
 * begins too, so that "iPhoneを買う" is iPhone, を, 買, う.
 */

/** "same": combines with what is before it. "opening": a bracket or quotation mark that belongs to what follows. */
type Kind = "space" | "mark" | "opening" | "same" | "letter" | "character" | "dictionary";

/** What a character does to the word before it; "segment": only a dictionary can tell. */
export type Boundary = "starts" | "continues" | "segment";

/** Number of characters before one that are looked at: a run of marks may be as long as the text. */
export const CONTEXT_UNITS = 16;
/**
 * Text is segmented in windows of this size, each with a margin on both sides, so that no text costs more than its
 * length.
 */
const WINDOW_UNITS = 64;
const MARGIN_UNITS = 32;

const DICTIONARY = /^[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]$/u;
const CHARACTER = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\u30fc\uff70]$/u;
const LETTER = /^[\p{L}\p{N}]$/u;
const SAME = /^(?:\p{M}|\u200d)$/u;
const OPENING = /^[\p{Ps}\p{Pi}]$/u;
const ASCII_LETTER = /^[0-9A-Za-z]$/;

/** `und`: the dictionaries go by script, not by language. */
const segmenter = new Intl.Segmenter("und", { granularity: "word" });

function kindOf(char: string): Kind {
  if (char <= "\x7f") {
    if (ASCII_LETTER.test(char)) return "letter";
    if (char === " " || (char >= "\t" && char <= "\r")) return "space";
    return char === "(" || char === "[" || char === "{" ? "opening" : "mark";
  }
  if (DICTIONARY.test(char)) return "dictionary";
  if (CHARACTER.test(char)) return "character";
  if (SAME.test(char)) return "same";
  if (LETTER.test(char)) return "letter";
  if (/^\s$/u.test(char)) return "space";
  return OPENING.test(char) ? "opening" : "mark";
}

export const isSpace = (char: string): boolean => kindOf(char) === "space";
/** A letter or digit of any script: what must be heard, and what times are held against. */
export const isLetter = (char: string): boolean => LETTER.test(char);
/** Written without spaces between words, and cut by a dictionary. */
export const needsDictionary = (char: string): boolean => kindOf(char) === "dictionary";
/** Spoken as long as some three letters of other scripts. */
export const isLongSpoken = (char: string): boolean => kindOf(char) === "character";

/**
 * @param context what stands right before `here`, at most `CONTEXT_UNITS` of it
 * @param here one character, which is not white space
 */
export function boundaryBefore(context: string, here: string): Boundary {
  const kind = kindOf(here);
  if (kind === "mark" || kind === "same") return "continues";
  let at = context.length - 1;
  const nearest = kindAt(context, at);
  if (kind === "opening") return nearest !== "opening" && mayOpen(context, at) ? "starts" : "continues";
  if (nearest === "opening") {
    while (kindAt(context, at) === "opening") at--;
    // It has begun the word for this character.
    if (mayOpen(context, at)) return "continues";
  }
  at = lastLetter(context, at);
  const last = kindAt(context, at);
  if (last === undefined || last === "space") return "continues";
  if (kind === "letter") return last === "letter" ? "continues" : "starts";
  if (kind === "character" || last !== "dictionary") return "starts";
  return nearest === "dictionary" || nearest === "same" ? "segment" : "starts";
}

const kindAt = (text: string, at: number): Kind | undefined => (at < 0 ? undefined : kindOf(text.charAt(at)));

/** The place of the last character at or before `at` that is no mark. */
function lastLetter(text: string, at: number): number {
  let letter = at;
  for (; letter >= 0; letter--) {
    const kind = kindOf(text.charAt(letter));
    if (kind !== "mark" && kind !== "same" && kind !== "opening") break;
  }
  return letter;
}

/** Whether an opening mark behind `at` begins a word: at a beginning, or behind a script without spaces. */
function mayOpen(text: string, at: number): boolean {
  const last = kindAt(text, lastLetter(text, at));
  return last !== "letter";
}

/** Whether a word begins at `at`, which holds a character of one. */
export function isWordStart(text: string, at: number): boolean {
  const here = characterAt(text, at);
  if (here === undefined || isSpace(here)) return false;
  if (at === 0 || isSpace(text.charAt(at - 1))) return true;
  const boundary = boundaryBefore(contextOf(text, at), here);
  return boundary === "segment" ? isSegmentStart(text, at) : boundary === "starts";
}

/** `undefined` in the middle of a pair of surrogates. */
function characterAt(text: string, at: number): string | undefined {
  const code = text.codePointAt(at);
  if (code === undefined || (code >= 0xdc00 && code <= 0xdfff && isHighSurrogate(text, at - 1)))
    return undefined;
  return String.fromCodePoint(code);
}

const isHighSurrogate = (text: string, at: number): boolean => /^[\ud800-\udbff]$/.test(text.charAt(at));

/** What stands before `at`, back to the white space before it. */
function contextOf(text: string, at: number): string {
  const context = text.slice(Math.max(0, at - CONTEXT_UNITS), at);
  return context.slice(context.search(/\S*$/));
}

/** The last window that was segmented: neighbouring places are asked for one after the other. */
let known: { readonly window: string; readonly starts: ReadonlySet<number> } = {
  window: "",
  starts: new Set(),
};

function isSegmentStart(text: string, at: number): boolean {
  const first = at - (at % WINDOW_UNITS);
  const from = Math.max(0, first - MARGIN_UNITS);
  const window = text.slice(from, first + WINDOW_UNITS + MARGIN_UNITS);
  if (window !== known.window) known = { window, starts: new Set(segmentStarts(window)) };
  return known.starts.has(at - from);
}

/** Starts of the segments of `text` that hold a letter. */
export function segmentStarts(text: string): number[] {
  const starts: number[] = [];
  for (const { index, segment } of segmenter.segment(text))
    if (/[\p{L}\p{N}]/u.test(segment)) starts.push(index);
  return starts;
}

/** Just behind the word that holds `at`: at white space, at the next word, or at the end. */
export function wordEnd(text: string, at: number): number {
  let end = Math.min(at + 1, text.length);
  while (end < text.length && !isSpace(text.charAt(end)) && !isWordStart(text, end)) end++;
  return end;
}

/** The beginning of the word that holds `at`, or of the last one before it. */
export function wordStart(text: string, at: number): number {
  let start = Math.min(at, text.length);
  while (start > 0 && !isWordStart(text, start)) start--;
  return start;
}
