/**
 * Where a sentence ends, as far as it can be told from text that is still arriving: early enough to speak a
 * sentence while the next is being written, and never inside "z. B.", "Dr. Weiß", "am 3. Mai" or "3.5".
 * A missed end costs a little time, a false one is heard as a wrong pause; so in doubt there is none.
 */

/**
 * Marks that end a sentence when white space follows; `\n` stands for an empty line. A colon is none: what it
 * announces is spoken with it.
 */
const MARKS = ".!?…\n";
/** Marks that end a sentence by themselves: these scripts write no spaces. */
const CJK_MARKS = "。！？";
/** What may stand between the mark and the white space. German closing quotes are not among them: „Halt!“ rief er. */
const CLOSERS = "\"'”’»)]」』）";

/** Abbreviations of more than one letter, lower case, without their last full stop. Single letters always count. */
const ABBREVIATIONS: ReadonlySet<string> = new Set(
  [
    "dr prof dipl ing hr fr frl nr str tel abs art bd bzw bspw usw ca evtl ggf vgl inkl exkl max min mio mrd mind",
    "std sog zzgl geb gest jh jan feb apr aug sept okt nov dez mr mrs ms st mt no vs etc jr sr inc ltd co corp",
    "dept approx est fig vol pp gen col lt sgt capt rev hon pres gov sen rep mon tue wed thu fri sat sun dec oct",
  ].flatMap((line) => line.split(" ")),
);

/** Longer than any abbreviation. */
const LONGEST_LOOK_BACK = 16;
const WHITE_SPACE = /\s/u;
const LETTERS_AT_END = /\p{L}+$/u;
const DIGIT_AT_END = /\p{Nd}$/u;

/**
 * Index behind the first sentence of `text` (with the white space that ended it), or -1 where none is
 * complete. The answer depends on the text alone, not on the pieces in which it arrived.
 */
export function findSentenceEnd(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const mark = text.charAt(i);
    const byItself = CJK_MARKS.includes(mark);
    if (!byItself && !MARKS.includes(mark)) continue;
    if (mark === "." && !endsSentence(text, i)) continue;
    // A bracket at the start of a line closes nothing that ended before the line did.
    const next = mark === "\n" ? i + 1 : skipClosers(text, i + 1);
    if (next >= text.length) return -1;
    if (byItself) {
      if (!CJK_MARKS.includes(text.charAt(next))) return next;
    } else if (WHITE_SPACE.test(text.charAt(next)) && (mark !== "\n" || text.slice(0, i).trim() !== "")) {
      return next + 1;
    }
  }
  return -1;
}

/** Whether the full stop at `at` ends a sentence rather than a number, an initial or an abbreviation. */
function endsSentence(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - LONGEST_LOOK_BACK), at);
  if (before.endsWith(".")) return true;
  if (DIGIT_AT_END.test(before)) return false;
  const word = LETTERS_AT_END.exec(before)?.[0] ?? "";
  if (word.length === 1 && !isIdeograph(word)) return false;
  return !ABBREVIATIONS.has(word.toLowerCase());
}

function skipClosers(text: string, from: number): number {
  let at = from;
  while (at < text.length && CLOSERS.includes(text.charAt(at))) at++;
  return at;
}

const isIdeograph = (char: string): boolean => /\p{Ideographic}/u.test(char);

/** Scripts that write no spaces: a piece may end after any of their characters. */
const UNSPACED =
  /[\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}。、！？，]/u;

/**
 * Index behind the last whole word of `text` (with its white space), 0 where there is none. Line breaks at the
 * end are left for what follows them: a second one ends a sentence.
 */
export function findLastWordEnd(text: string): number {
  let end = text.length;
  while (end > 0 && text.charAt(end - 1) === "\n") end--;
  while (end > 0 && !UNSPACED.test(text.charAt(end - 1))) end--;
  return end;
}
