import { createHash } from "node:crypto";
import { isSpeakable, SentenceCutter } from "@tts-labs/core/text/sentence-cutter";

/** A sentence of an utterance that is made by itself. */
export interface Sentence {
  /** From 0; sentences in which nothing is to be heard have none. */
  readonly number: number;
  /** Without the white space around it, which nobody hears. */
  readonly text: string;
  /** Its beginning in the utterance's text, in UTF-16 code units. */
  readonly char: number;
  readonly spaceBefore: boolean;
  readonly spaceAfter: boolean;
}

/** An utterance's sentences, as they become complete. */
export class SentenceText {
  readonly #cutter = new SentenceCutter();
  readonly #sentences: Sentence[] = [];
  #characters = 0;

  /** Those known so far: as many as the text allows. */
  get sentences(): readonly Sentence[] {
    return this.#sentences;
  }

  push(text: string): void {
    this.#take(this.#cutter.push(text));
  }

  /** The open sentence is over. */
  flush(): void {
    this.#take(this.#cutter.flush());
  }

  #take(texts: readonly string[]): void {
    for (const whole of texts) {
      const text = whole.trim();
      const char = this.#characters + whole.indexOf(text);
      this.#characters += whole.length;
      if (!isSpeakable(text)) continue;
      this.#sentences.push({
        ...{ number: this.#sentences.length, text, char },
        spaceBefore: /^\s/.test(whole),
        spaceAfter: /\s$/.test(whole),
      });
    }
  }
}

/**
 * The utterance that a sentence is to the workers. Its text is part of the name: should a flush be lost with an
 * edge, and the text be cut otherwise by the next one, no sentence is taken for another.
 */
export const toPartId = (utteranceId: string, { number, text }: Sentence): string =>
  `${utteranceId}-${number}-${createHash("sha256").update(text).digest("base64url").slice(0, 8)}`;
