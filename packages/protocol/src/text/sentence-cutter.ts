import { classOf } from "./characters.ts";
import { forcedCut } from "./forced-cut.ts";
import { SentenceScanner } from "./sentence-scanner.ts";
import { WholeCharacters } from "./whole-characters.ts";

export { isSpeakable } from "./characters.ts";

/** Longest sentence, in UTF-16 code units; what has no end by then is cut at a clause's end, or at a space. */
export const MAX_SENTENCE_CHARACTERS = 400;
/** What may stand beyond that between a mark and the character that decides: white space, quotes and a word. */
const MAX_UNDECIDED_CHARACTERS = 128;

/**
 * Cuts text that comes in pieces into sentences, for the cache. Where it cuts depends only on the text and on where it
 * was flushed, never on the pieces: a mark waits until the first character of the next sentence is there, in doubt
 * ("3. Mai", "etc. Then") until its first word is. Nothing is lost: the sentences, joined, are the text. White space
 * between two sentences belongs to the first.
 *
 * Each character is looked at once, and some once more where a sentence is cut by force, so the time is linear in the
 * text however it comes.
 */
export class SentenceCutter {
  readonly #scanner = new SentenceScanner("cut-for-cache");
  readonly #characters = new WholeCharacters();
  /** The open sentence as it came, but for its last piece; joined when its end is found. */
  #pieces: string[] = [];
  #last = "";
  /** Places, in code units of all text so far: of the open sentence, of the last piece, of what is scanned next. */
  #start = 0;
  #lastStart = 0;
  #next = 0;

  /** Whether a pause here would end a sentence. */
  get endsPossibly(): boolean {
    return this.#scanner.isSpeakable && this.#scanner.rest !== "none";
  }

  /** @returns the sentences that are complete by now */
  push(text: string): string[] {
    this.#append(this.#characters.push(text));
    return this.#scan();
  }

  /** No more text belongs to the open sentence. @returns what was open */
  flush(): string[] {
    this.#append(this.#characters.finish());
    const sentences = this.#scan();
    for (;;) {
      const end = this.#scanner.finish() ?? this.#tooLong(MAX_SENTENCE_CHARACTERS + 1);
      if (end === undefined) break;
      sentences.push(this.#take(end));
      this.#next = end;
      sentences.push(...this.#scan());
    }
    if (this.#next > this.#start) sentences.push(this.#take(this.#next));
    return sentences;
  }

  #append(text: string): void {
    const rest = this.#last.slice(Math.max(0, this.#start - this.#lastStart));
    if (rest !== "") this.#pieces.push(rest);
    this.#last = text;
    this.#lastStart = this.#next;
  }

  #scan(): string[] {
    const sentences: string[] = [];
    const scanner = this.#scanner;
    while (this.#next < this.#lastStart + this.#last.length) {
      const undecided = scanner.isWaiting ? MAX_UNDECIDED_CHARACTERS : 0;
      const cut = this.#tooLong(MAX_SENTENCE_CHARACTERS + undecided);
      if (cut !== undefined) {
        sentences.push(this.#take(cut));
        this.#next = cut;
        scanner.reset();
        continue;
      }
      const codePoint = this.#last.codePointAt(this.#next - this.#lastStart) ?? 0;
      const end = scanner.take(codePoint, classOf(codePoint), this.#next);
      this.#next += codePoint > 0xffff ? 2 : 1;
      if (end !== undefined) sentences.push(this.#take(end));
    }
    return sentences;
  }

  /** The place to cut the open sentence, of which this many characters were scanned. */
  #tooLong(characters: number): number | undefined {
    if (this.#next - this.#start < characters) return undefined;
    this.#join();
    const from = this.#start - this.#lastStart;
    const text = this.#last.slice(from, from + MAX_SENTENCE_CHARACTERS + 2);
    return this.#start + forcedCut(text, MAX_SENTENCE_CHARACTERS);
  }

  /** The open sentence up to `end`; what follows is the next one. */
  #take(end: number): string {
    this.#join();
    const sentence = this.#last.slice(this.#start - this.#lastStart, end - this.#lastStart);
    this.#start = end;
    return sentence;
  }

  #join(): void {
    if (this.#pieces.length === 0) return;
    this.#last = this.#pieces.join("") + this.#last;
    this.#lastStart = this.#start;
    this.#pieces = [];
  }
}
