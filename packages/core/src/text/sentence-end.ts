/**
 * Whether a mark ends its sentence, as far as the cache is concerned: two sentences taken for one are only found less
 * often, so it may wait for what follows. (A worker, which flushes at sentence ends, has rules of its own: it can't
 * wait.) Where the text does not say yet, the answer is "wait"; more text than a word
 * behind the mark is never asked for.
 */
export type Verdict = "ends" | "goes-on" | "wait";

/** What stands around a mark, the mark's sentence before it. */
export interface MarkedPlace {
  /** The word right before the mark, without it. */
  readonly word: string;
  /** The marks in a row, without closing quotes and brackets. */
  readonly marks: string;
  /** From the first character behind the white space on; not empty. */
  readonly next: string;
  /** No more text will come. */
  readonly isAll: boolean;
}

const OPENERS = /^[\p{Ps}\p{Pi}"'“„‚«¿¡*_-]*/u;
/** A word that is so long begins no sentence by itself that we would know of. */
const LONGEST_STARTER = 12;

/** Nothing ends with these: names, numbers or explanations follow. */
const NEVER_LAST = new Set(
  "dr mr mrs ms prof st hr fr frl nr vgl bzw ca sog ggf inkl exkl evtl z.b e.g i.e d.h fig vs cf viz dipl ing gen rev hon capt sgt col lt sen rep gov pres tel".split(
    " ",
  ),
);
/** These end a sentence only where one certainly begins behind them. */
const SELDOM_LAST = new Set(
  "etc usw inc ltd co corp jr sr str jh mio mrd min std vol ed al approx dept jan feb apr jun jul aug sep sept okt oct nov dez dec abs bd hrsg u.a u.s a.m p.m".split(
    " ",
  ),
);
/** Words that begin sentences, and are written small elsewhere, in German too: no nouns. */
const STARTERS = new Set(
  (
    "the a an it this that these those he she we you they i in on at but and so then there here if when what where who how why please your my our its his her for with after before not no yes as or all " +
    "der die das den dem des ein eine einen einem einer er sie es wir ihr ich du und aber dann da wenn was wo wer wie warum bitte mit für von im am auf zu nach bei danach dort hier heute nein ja nicht auch alle als ob weil"
  ).split(" "),
);

const DATE_OR_RANK = /^(?:\d{1,2}\.)*\d{1,2}$/;
const ROMAN = /^[IVX]+$/;
/** Single letters, with points between them: "J", "z.B", "U.S". */
const LETTERS = /^\p{L}(?:\.\p{L})*$/u;

export function judgeMark({ word, marks, next, isAll }: MarkedPlace): Verdict {
  const opened = OPENERS.exec(next)?.[0].length ?? 0;
  const begin = next.slice(opened);
  if (begin === "") return isAll ? "ends" : "wait";
  if (/^\p{Ll}/u.test(begin)) return "goes-on";
  if (marks !== ".") return "ends";
  const lower = word.toLowerCase();
  if (NEVER_LAST.has(lower)) return "goes-on";
  if (lower === "no" || lower === "p" || lower === "pp") return /^\d/.test(begin) ? "goes-on" : "ends";
  const isDoubtful =
    SELDOM_LAST.has(lower) || DATE_OR_RANK.test(word) || ROMAN.test(word) || LETTERS.test(word);
  return isDoubtful ? judgeStarter(begin, isAll) : "ends";
}

function judgeStarter(begin: string, isAll: boolean): Verdict {
  const word = /^\p{L}*/u.exec(begin)?.[0] ?? "";
  if (word.length === begin.length && word.length <= LONGEST_STARTER && !isAll) return "wait";
  return STARTERS.has(word.toLowerCase()) ? "ends" : "goes-on";
}
