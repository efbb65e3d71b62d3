import { endsInDigit, isStarter, judgeStop, LONGEST_KNOWN_WORD, type Stop } from "./abbreviations.ts";
import {
  CLAUSE,
  CLOSER,
  DIGIT,
  EXTENDER,
  LETTER,
  LINE,
  LOWER,
  MARK,
  OPENER,
  OPENING_QUOTE,
  PICTURE,
  PLAIN_MARK,
  SPACE,
  SPACE_ENDS,
  SPEAKABLE,
  UNSPACED,
} from "./characters.ts";

/**
 * What an end of a sentence is for:
 *
 * - `flush-early`: to be spoken while the next sentence is still being written. Judged by what stands before the mark
 *   and by one character behind it; in doubt there is no end, and `rest` says that a pause here would make one.
 * - `cut-for-cache`: to be found again. Two sentences taken for one are only found less often, so the rule may wait
 *   for what follows, up to a whole word in doubt ("3. Mai", "etc. Then").
 */
export type EndRule = "flush-early" | "cut-for-cache";

/** What the text so far ends with, when nothing more of it comes. */
export type Rest =
  /** The middle of a sentence. */
  | "none"
  /** A mark that hardly anything but the end of a sentence has. */
  | "clear"
  /** A number or an abbreviation with a full stop, a colon, a comma, a line break, an ellipsis, a picture. */
  | "doubtful";

/** A pause in the text behind a possible end of a sentence after which it is taken for one. */
export const SENTENCE_PAUSE_MS = 350;
/** Of a word only its end is looked at, which is more than any abbreviation. */
const LONGEST_LOOK_BACK = 24;
/** Quotes and brackets before the first word of a sentence; with more of them it is taken to begin. */
const MAX_OPENERS = 64;
/** Characters after which white space ends a sentence of a script that has no marks for it. */
const UNMARKED_SENTENCE_CHARACTERS = 80;
/** Line breaks in a row that make a paragraph. */
const PARAGRAPH_LINES = 2;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const EXCLAMATION_MARK = 0x21;
const FULL_STOP = 0x2e;
const QUESTION_MARK = 0x3f;
const PARAGRAPH_SEPARATOR = 0x2029;

/**
 *   text ──mark──▶ marked ──white space──▶ spaced ──opener, letter──▶ next
 *    │ ▲              │  (cut-for-cache)      │                        │
 *    │ └──────────────┴──────── verdict ──────┴────────────────────────┘
 *    └──line break──▶ lines ──anything else──▶ text
 */
type State = "text" | "marked" | "spaced" | "next" | "lines";

/**
 * Finds the ends of sentences in text that comes character by character, in any script that has marks for them, each
 * in constant time and with constant memory: what was looked at is never looked at again. So the answer can't depend
 * on the pieces in which the text came. Give it whole code points.
 */
export class SentenceScanner {
  readonly #rule: EndRule;
  #state: State = "text";
  /** Of the open sentence, since its last line break. */
  #isSpeakable = false;
  #characters = 0;
  /** Since the last white space, of a long one its end; in `next`, the letters that may begin the next sentence. */
  #word = "";
  /** Kind of the last character that is not an extender, and of the one before the marks. */
  #before = 0;
  #beforeMark = 0;
  /** Of the marks in a row: one never stands inside a word; one is a question or a call; a single full stop. */
  #isPlain = false;
  #isStrong = false;
  #isFullStop = false;
  #isOpeningQuote = false;
  /** What the full stop is, by the word before it. */
  #stop: Stop = "end";
  /** Of white space in a row. */
  #lines = 0;
  #lastSpace = 0;
  /** The end of the sentence if it ends: behind the white space. */
  #end = 0;
  #openers = 0;
  /** The word before the full stop is a number. */
  #isNumber = false;
  #rest: Rest = "none";

  constructor(rule: EndRule) {
    this.#rule = rule;
  }

  /** True when a pause here would end a sentence. */
  get rest(): Rest {
    return this.#rest;
  }

  /** Something of the open sentence is heard. */
  get isSpeakable(): boolean {
    return this.#isSpeakable;
  }

  /** Whether an end may have been passed that only what follows can confirm. */
  get isWaiting(): boolean {
    return this.#state !== "text";
  }

  /** The open sentence is over, wherever it is. */
  reset(): void {
    this.#state = "text";
    this.#isSpeakable = false;
    this.#characters = 0;
    this.#word = "";
    this.#before = 0;
    this.#lines = 0;
    this.#rest = "none";
  }

  /**
   * Takes the next code point, which stands at `at` and is of `kind`, see `classOf`.
   * @returns the place where the sentence ends that was open until now: `at` plus its length, or before
   */
  take(codePoint: number, kind: number, at: number): number | undefined {
    const length = codePoint > 0xffff ? 2 : 1;
    const begun = this.#state === "next" ? this.#word : "";
    const end = this.#step(codePoint, kind, at, length);
    if (end !== undefined) {
      this.reset();
      if (end > at) return end;
      // The next sentence has begun with what was looked at, and goes on with this character.
      this.#word = begun;
      this.#isSpeakable = begun !== "";
      this.#characters = at - end;
      this.#step(codePoint, kind, at, length);
    }
    this.#learn(codePoint, kind, length);
    return end;
  }

  /** No more text will come. @returns the end that waits for what follows, if that is enough to tell */
  finish(): number | undefined {
    const isEnd = this.#state === "next" && this.#judgeNext(true);
    const end = this.#end;
    this.reset();
    return isEnd ? end : undefined;
  }

  #step(codePoint: number, kind: number, at: number, length: number): number | undefined {
    switch (this.#state) {
      case "text":
        return this.#inText(codePoint, kind, at, length);
      case "marked":
        return this.#afterMarks(codePoint, kind, at, length);
      case "spaced":
        return this.#afterSpace(codePoint, kind, at, length);
      case "next":
        return this.#inNext(codePoint, kind, at, length);
      case "lines":
        return this.#inLines(codePoint, kind, at, length);
    }
  }

  #inText(codePoint: number, kind: number, at: number, length: number): number | undefined {
    if ((kind & MARK) !== 0) this.#mark(codePoint, kind);
    else if ((kind & LINE) !== 0) {
      this.#state = "lines";
      this.#countLine(codePoint);
      return this.#paragraphEnd(at + length);
    } else if ((kind & SPACE) !== 0) {
      const isUnmarked =
        (this.#before & SPACE_ENDS) !== 0 && this.#characters >= UNMARKED_SENTENCE_CHARACTERS;
      if (isUnmarked) return at + length;
    }
    return undefined;
  }

  #mark(codePoint: number, kind: number): void {
    this.#state = "marked";
    this.#beforeMark = this.#before;
    this.#isPlain = (kind & PLAIN_MARK) !== 0;
    this.#isStrong = codePoint === QUESTION_MARK || codePoint === EXCLAMATION_MARK;
    this.#isFullStop = codePoint === FULL_STOP;
    this.#stop = this.#isFullStop ? judgeStop(this.#word) : "end";
    this.#isNumber = endsInDigit(this.#word);
    this.#isOpeningQuote = false;
    this.#lines = 0;
  }

  #afterMarks(codePoint: number, kind: number, at: number, length: number): number | undefined {
    if ((kind & MARK) !== 0) {
      this.#isPlain ||= (kind & PLAIN_MARK) !== 0;
      this.#isStrong ||= codePoint === QUESTION_MARK || codePoint === EXCLAMATION_MARK;
      this.#isFullStop = false;
      this.#stop = "end";
      return undefined;
    }
    if ((kind & CLOSER) !== 0) return undefined;
    if ((kind & OPENING_QUOTE) !== 0) {
      this.#isOpeningQuote = true;
      return undefined;
    }
    if ((kind & SPACE) !== 0) return this.#spaceAfterMarks(codePoint, kind, at + length);
    const isEnd = this.#isSpeakable && (this.#isPlain || this.#isUnspacedMark(codePoint, kind));
    if (isEnd) return at;
    return this.#goOn(codePoint, kind, at, length);
  }

  /** "你好!今天": where words have no spaces between them, marks of other scripts have none behind them. */
  #isUnspacedMark(codePoint: number, kind: number): boolean {
    const isUnspaced = (this.#beforeMark & UNSPACED) !== 0 && (this.#isStrong || this.#isFullStop);
    return isUnspaced && codePoint >= 0x80 && (kind & DIGIT) === 0;
  }

  #spaceAfterMarks(codePoint: number, kind: number, end: number): number | undefined {
    if (this.#rule === "flush-early") {
      if (this.#isSpeakable && this.#isClear) return end;
      return this.#goOn(codePoint, kind, end - 1, 1);
    }
    this.#state = "spaced";
    this.#end = end;
    this.#countLine(codePoint, kind);
    return undefined;
  }

  /** Nothing but the end of a sentence is likely here. */
  get #isClear(): boolean {
    if (this.#isPlain) return true;
    if (this.#isOpeningQuote) return false;
    return !this.#isFullStop || (this.#stop === "end" && !this.#isNumber);
  }

  #afterSpace(codePoint: number, kind: number, at: number, length: number): number | undefined {
    if ((kind & SPACE) !== 0) {
      this.#end = at + length;
      this.#countLine(codePoint, kind);
      return undefined;
    }
    const isCertain = this.#isPlain || this.#lines >= PARAGRAPH_LINES;
    if (isCertain && this.#isSpeakable) return at;
    this.#word = "";
    if (!this.#isSpeakable) return this.#goOn(codePoint, kind, at, length);
    this.#state = "next";
    this.#openers = 0;
    return this.#inNext(codePoint, kind, at, length);
  }

  #inNext(codePoint: number, kind: number, at: number, length: number): number | undefined {
    if (this.#word === "" && (kind & OPENER) !== 0 && this.#openers < MAX_OPENERS) {
      this.#openers++;
      return undefined;
    }
    if (this.#word === "") {
      if ((kind & LOWER) !== 0 || this.#stop === "abbreviation")
        return this.#goOn(codePoint, kind, at, length);
      if (this.#stop === "end") return this.#end;
      const isEnd = this.#stop === "before-number" && (kind & DIGIT) === 0;
      if (isEnd) return this.#end;
      if ((kind & LETTER) === 0) return this.#goOn(codePoint, kind, at, length);
    } else if ((kind & LETTER) === 0 || this.#word.length > LONGEST_KNOWN_WORD) {
      return this.#judgeNext(false) ? this.#end : this.#goOn(codePoint, kind, at, length);
    }
    this.#word += String.fromCodePoint(codePoint);
    return undefined;
  }

  /** @returns whether the sentence before has ended */
  #judgeNext(isAll: boolean): boolean {
    if (this.#word === "") return isAll && this.#stop !== "abbreviation";
    return this.#word.length <= LONGEST_KNOWN_WORD && isStarter(this.#word);
  }

  #inLines(codePoint: number, kind: number, at: number, length: number): number | undefined {
    if ((kind & SPACE) !== 0) {
      this.#countLine(codePoint, kind);
      return this.#paragraphEnd(at + length);
    }
    const isParagraph = this.#lines >= PARAGRAPH_LINES && this.#isSpeakable;
    if (isParagraph) return at;
    // Marks alone at the beginning of a line are no sentence.
    this.#isSpeakable = false;
    this.#characters = 0;
    return this.#goOn(codePoint, kind, at, length);
  }

  /** The early flush cuts at the second line break, the cache behind all of them. */
  #paragraphEnd(end: number): number | undefined {
    const isEnd = this.#rule === "flush-early" && this.#lines >= PARAGRAPH_LINES && this.#isSpeakable;
    return isEnd ? end : undefined;
  }

  #countLine(codePoint: number, kind: number = LINE): void {
    const isSecondHalf = codePoint === LINE_FEED && this.#lastSpace === CARRIAGE_RETURN;
    if ((kind & LINE) !== 0 && !isSecondHalf) this.#lines++;
    if (codePoint === PARAGRAPH_SEPARATOR) this.#lines = PARAGRAPH_LINES;
    this.#lastSpace = codePoint;
  }

  /** It was no end: the sentence goes on with this character. */
  #goOn(codePoint: number, kind: number, at: number, length: number): number | undefined {
    this.#state = "text";
    this.#lines = 0;
    this.#lastSpace = 0;
    return this.#inText(codePoint, kind, at, length);
  }

  #learn(codePoint: number, kind: number, length: number): void {
    this.#characters += length;
    if ((kind & SPEAKABLE) !== 0) this.#isSpeakable = true;
    this.#rest = this.#restAfter(kind);
    if ((kind & SPACE) !== 0) {
      this.#word = "";
    } else if (this.#state !== "next") this.#addToWord(codePoint);
    if ((kind & EXTENDER) === 0) this.#before = kind;
  }

  #addToWord(codePoint: number): void {
    if (this.#word.length >= 2 * LONGEST_LOOK_BACK) this.#word = this.#word.slice(-LONGEST_LOOK_BACK);
    this.#word += String.fromCodePoint(codePoint);
  }

  #restAfter(kind: number): Rest {
    if ((kind & MARK) !== 0) {
      if (this.#isPlain || this.#isStrong) return "clear";
      if (this.#isFullStop && this.#stop === "abbreviation") return "none";
      return this.#isFullStop && this.#isClear ? "clear" : "doubtful";
    }
    if ((kind & LINE) !== 0) return this.#rest === "none" ? "doubtful" : this.#rest;
    if ((kind & (SPACE | CLOSER | OPENING_QUOTE | EXTENDER)) !== 0) return this.#rest;
    return (kind & (CLAUSE | PICTURE)) !== 0 ? "doubtful" : "none";
  }
}
