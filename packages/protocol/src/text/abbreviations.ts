/**
 * Words before a full stop, and how likely that ends a sentence. The one list for those who flush early and those who
 * cut for the cache; English and German, lower case, without their last full stop.
 */

/** Nothing ends with these: names, numbers or explanations follow. */
const NEVER_LAST = new Set(
  (
    "dr mr mrs ms prof st hr fr frl nr vgl bzw ca sog ggf inkl exkl evtl z.b e.g i.e d.h fig vs cf viz dipl ing gen rev " +
    "hon capt sgt col lt sen rep gov pres tel bspw zzgl geb gest mt"
  ).split(" "),
);
/** These end a sentence only where one certainly begins behind them. */
const SELDOM_LAST = new Set(
  (
    "etc usw inc ltd co corp jr sr str jh mio mrd min max std vol ed al approx est dept jan feb apr jun jul aug sep sept " +
    "okt oct nov dez dec abs bd hrsg mon tue wed thu fri u.a u.s a.m p.m"
  ).split(" "),
);
/** These are abbreviations where a number follows. */
const BEFORE_NUMBERS = new Set(["no", "p", "pp", "art"]);
/** Words that begin sentences, and are written small elsewhere, in German too: no nouns. */
const STARTERS = new Set(
  (
    "the a an it this that these those he she we you they i in on at but and so then there here if when what where who how why please your my our its his her for with after before not no yes as or all " +
    "der die das den dem des ein eine einen einem einer er sie es wir ihr ich du und aber dann da wenn was wo wer wie warum bitte mit für von im am auf zu nach bei danach dort hier heute nein ja nicht auch alle als ob weil"
  ).split(" "),
);

/** No word of these lists is longer. */
export const LONGEST_KNOWN_WORD = 12;

const DATE_OR_RANK = /^(?:\d{1,2}\.)*\d{1,2}$/;
const ENDS_IN_DIGIT = /\p{Nd}$/u;
const ROMAN = /^[IVX]+$/;
/** Single letters, with points between them: "J", "z.B", "U.S"; no word of a script without an alphabet. */
const LETTERS = /^\p{L}(?:\.\p{L})*$/u;
const IDEOGRAPH = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
const OPENED = /^[\p{Ps}\p{Pi}"'“„‚«¿¡*_-]+/u;
/** Of a word such as "m.z.B" or "5Mio", what may be an abbreviation by itself. */
const LAST_LETTERS = /\p{L}+$/u;

/** What a full stop behind `word` is likely to be, whatever follows. */
export type Stop =
  /** The end of a sentence. */
  | "end"
  /** That of an abbreviation that goes on. */
  | "abbreviation"
  /** One or the other: numbers, initials, "etc." */
  | "doubtful"
  /** An abbreviation where a number follows, else an end. */
  | "before-number";

/** @param word from the last white space to the full stop; of a long one, its end */
export function judgeStop(word: string): Stop {
  const whole = word.replace(OPENED, "");
  const lower = whole.toLowerCase();
  const last = LAST_LETTERS.exec(lower)?.[0] ?? "";
  if (NEVER_LAST.has(lower) || NEVER_LAST.has(last)) return "abbreviation";
  if (BEFORE_NUMBERS.has(lower)) return "before-number";
  if (SELDOM_LAST.has(lower) || SELDOM_LAST.has(last)) return "doubtful";
  if (DATE_OR_RANK.test(whole) || ROMAN.test(whole)) return "doubtful";
  return LETTERS.test(whole) && !IDEOGRAPH.test(whole) ? "doubtful" : "end";
}

/** Whether `word` ends in a number: what follows a full stop, or a comma, may still be more of it. */
export const endsInDigit = (word: string): boolean => ENDS_IN_DIGIT.test(word);

/** Whether `word`, without a full stop, is one that something always follows: "Dr", "bzw". */
export const isNeverLast = (word: string): boolean => NEVER_LAST.has(word.toLowerCase());

export const isStarter = (word: string): boolean => STARTERS.has(word.toLowerCase());
