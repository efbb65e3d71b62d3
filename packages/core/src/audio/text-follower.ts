import { isLetter, isSpace } from "@tts-labs/protocol/words/word-starts";

/** The place in the text where a character of speech was found. */
export type Match =
  | { readonly kind: "at"; readonly char: number }
  /** White space, or a mark that the text does not have there. */
  | { readonly kind: "passed" }
  /** Speech and text differ from `char` on: from there on nothing is known. */
  | { readonly kind: "lost"; readonly char: number };

/** Letters that speech may leave out in a row, and letters that must agree before it may again. */
const MAX_SKIPPED = 2;
const CONFIRMING = 2;
const PASSED: Match = { kind: "passed" };

/**
 * Follows speech, character by character, through the text that is spoken. A provider may change white space, marks
 * and case, and has been seen to leave letters out: only letters and digits are held against the text, and up to two
 * letters may be missing where the two after them agree. Text may grow at its end meanwhile.
 */
export class TextFollower {
  readonly #text: () => string;
  #next: number;
  /**
   * From `#next` up to here the text is known to hold no letter, or only white space: it is not looked through again.
   */
  #letterless = 0;
  #blank = 0;
  /** Place before the letters that were left out, and letters that have agreed since. */
  #doubt: { readonly char: number; agreed: number } | undefined;
  #lost: Match | undefined;

  constructor(text: () => string, from: number) {
    this.#text = text;
    this.#next = from;
  }

  /** The next character of the text that is awaited. */
  get next(): number {
    return this.#next;
  }

  /** @param unit one UTF-16 code unit of speech */
  follow(unit: string): Match {
    if (this.#lost !== undefined) return this.#lost;
    if (isSpace(unit)) return PASSED;
    const text = this.#text();
    if (!isLetter(unit)) return this.#followMark(text, unit);
    let at = Math.max(this.#next, this.#letterless);
    while (at < text.length && !isLetter(text.charAt(at))) at++;
    this.#letterless = at;
    if (at === text.length) return PASSED;
    if (isSameLetter(text.charAt(at), unit)) {
      if (this.#doubt !== undefined && ++this.#doubt.agreed >= CONFIRMING) this.#doubt = undefined;
      return this.#found(at);
    }
    const behind = this.#doubt === undefined ? findBehind(text, at, unit) : undefined;
    if (behind === undefined) {
      this.#lost = { kind: "lost", char: this.#doubt?.char ?? at };
      return this.#lost;
    }
    this.#doubt = { char: at, agreed: 1 };
    return this.#found(behind);
  }

  #followMark(text: string, mark: string): Match {
    let at = Math.max(this.#next, this.#blank);
    while (at < text.length && isSpace(text.charAt(at))) at++;
    this.#blank = at;
    return text.charAt(at) === mark ? this.#found(at) : PASSED;
  }

  #found(at: number): Match {
    this.#next = at + 1;
    return { kind: "at", char: at };
  }
}

/**
 * Where `letter` stands behind at most `MAX_SKIPPED` letters from `at` on. Digits are read out otherwise, never left
 * out.
 */
function findBehind(text: string, at: number, letter: string): number | undefined {
  let skipped = 0;
  for (let behind = at; behind < text.length && skipped <= MAX_SKIPPED; behind++) {
    const char = text.charAt(behind);
    if (isSameLetter(char, letter)) return behind;
    if (/\d/.test(char)) return undefined;
    if (isLetter(char)) skipped += 1;
    else if (behind - at > 4 * MAX_SKIPPED) return undefined;
  }
  return undefined;
}

const isSameLetter = (a: string, b: string): boolean => a === b || a.toLowerCase() === b.toLowerCase();
