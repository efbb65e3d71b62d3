import { SentenceCutter } from "@tts-labs/protocol/text/sentence-cutter";
import { type SpeechText, textPieces } from "./text-pieces.ts";

/**
 * Characters after which a part ends with its sentence. So far below an utterance's limit that one more piece of text
 * and one more sentence always fit.
 */
const FULL_AFTER_CHARACTERS = 30_000;

/** Cuts a text of any length at sentence ends into parts that each fit into one utterance, as the text comes. */
export class TextParts {
  readonly #pieces: AsyncGenerator<string, void, undefined>;
  readonly #fullAfter: number;
  #rest = "";

  constructor(text: SpeechText, fullAfterCharacters: number = FULL_AFTER_CHARACTERS) {
    this.#pieces = textPieces(text);
    this.#fullAfter = fullAfterCharacters;
  }

  /** Whether there is something to say after the part before, which has been read to its end. Waits for the text. */
  async hasMore(): Promise<boolean> {
    while (this.#rest.trim() === "") {
      const next = await this.#pieces.next();
      if (next.done === true) return false;
      this.#rest += next.value;
    }
    return true;
  }

  /** The next part, piece by piece; what comes is passed on at once until the part is full. */
  async *part(): AsyncGenerator<string, void, undefined> {
    const cutter = new SentenceCutter();
    let given = 0;
    let ended = 0;
    const push = (text: string) => {
      for (const sentence of cutter.push(text)) ended += sentence.length;
    };
    for (let piece: string | undefined = this.#takeRest(); piece !== undefined; piece = await this.#next()) {
      if (given < this.#fullAfter) {
        push(piece);
        given += piece.length;
        if (piece !== "") yield piece;
        continue;
      }
      let tail = "";
      for (const character of piece) {
        push(character);
        // Its first character shows that the sentence before it is complete.
        if (ended >= given + tail.length) {
          this.#rest = piece.slice(tail.length);
          if (tail !== "") yield tail;
          return;
        }
        tail += character;
      }
      given += tail.length;
      yield tail;
    }
  }

  /** The source of the text is told that no more is wanted. Never throws. */
  async stop(): Promise<void> {
    await this.#pieces.return().catch(() => {});
  }

  #takeRest(): string {
    const rest = this.#rest;
    this.#rest = "";
    return rest;
  }

  async #next(): Promise<string | undefined> {
    const next = await this.#pieces.next();
    return next.done === true ? undefined : next.value;
  }
}
