import { classOf, DIGIT, EXTENDER, LETTER, SPEAKABLE, UNSPACED } from "./characters.ts";

/** A "word" this long is spoken in parts; in characters. */
const MAX_OPEN_CHARACTERS = 64;
const APOSTROPHES = /['’]/u;

/**
 * Whether a text that comes in pieces holds something that a worker would speak by now: a whole word, or whatever is
 * there once it was flushed or has ended. Each character is looked at once, and none any more once it does.
 */
export class SpeakableText {
  #isDue = false;
  #isHeard = false;
  #isInWord = false;
  #characters = 0;

  /** Never false again once it was true. */
  get isDue(): boolean {
    return this.#isDue;
  }

  push(text: string): void {
    for (const character of text) {
      if (this.#isDue) return;
      this.#take(character);
    }
  }

  /** What is there is to be spoken as it stands. */
  flush(): void {
    this.#isDue ||= this.#isHeard;
  }

  /** The text is over: a worker has to say so even when nothing is to be heard. */
  end(): void {
    this.#isDue = true;
  }

  #take(character: string): void {
    const kind = classOf(character.codePointAt(0) ?? 0);
    this.#characters += 1;
    if ((kind & SPEAKABLE) !== 0) this.#isHeard = true;
    const isWord = (kind & (LETTER | DIGIT)) !== 0;
    // Scripts without spaces: each character may complete a word.
    if (isWord && (kind & UNSPACED) !== 0) this.#isDue = true;
    const goesOn = isWord || (kind & EXTENDER) !== 0 || APOSTROPHES.test(character);
    if (this.#isInWord && !goesOn) this.#isDue = true;
    if (this.#isHeard && this.#characters > MAX_OPEN_CHARACTERS) this.#isDue = true;
    this.#isInWord = isWord || (this.#isInWord && goesOn);
  }
}
