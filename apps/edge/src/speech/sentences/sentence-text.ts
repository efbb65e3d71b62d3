import { createHash } from "node:crypto";
import { GatewayError } from "@tts-labs/protocol/errors";
import { isSpeakable, SentenceCutter } from "@tts-labs/protocol/text/sentence-cutter";
import type { StoredText } from "../utterance-text.ts";

/** A sentence of an utterance that is made by itself. */
export interface Sentence {
  /** From 0; sentences in which nothing is to be heard have none. */
  readonly number: number;
  /** The text without the white space around it, which is not heard. */
  readonly text: string;
  /** Its beginning in the utterance's text, in UTF-16 code units. */
  readonly char: number;
  readonly spaceBefore: boolean;
  readonly spaceAfter: boolean;
}

/** An utterance's sentences, as they become complete; one at a time waits for the next. */
export class SentenceText {
  readonly #cutter = new SentenceCutter();
  /** At most as many as the text has words. */
  readonly #sentences: Sentence[] = [];
  #characters = 0;
  #isOver = false;
  #wake: () => void = () => {};

  /** Those known so far: as many as the text allows. */
  get sentences(): readonly Sentence[] {
    return this.#sentences;
  }

  /** Whether a pause in the text would end the open sentence. */
  get endsPossibly(): boolean {
    return this.#cutter.endsPossibly;
  }

  push(text: string): void {
    this.#take(this.#cutter.push(text));
  }

  /** The open sentence is over. */
  flush(): void {
    this.#take(this.#cutter.flush());
  }

  /** The text is bounded, too. */
  end(): void {
    this.#isOver = true;
    this.flush();
  }

  /** What an earlier connection was given. */
  recall({ text, flushes, isComplete }: StoredText): void {
    let from = 0;
    for (const at of flushes) {
      this.push(text.slice(from, at));
      this.flush();
      from = at;
    }
    this.push(text.slice(from));
    if (isComplete) this.end();
  }

  /**
   * Once it is complete; `undefined`: the text ended before.
   * @param limitMs of a wait without any text
   * @throws GatewayError `session.text_timeout`, or the signal's reason
   */
  async sentence(
    number: number,
    limitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Sentence | undefined> {
    while (this.#sentences.length <= number && !this.#isOver) await this.#change(limitMs, signal);
    return this.#sentences[number];
  }

  #change(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const over = (end: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.#wake = () => {};
        end();
      };
      const onAbort = () => over(() => reject(signal?.reason));
      const onLate = () => over(() => reject(new GatewayError("session.text_timeout")));
      const timer = setTimeout(onLate, limitMs);
      this.#wake = () => over(resolve);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #take(texts: readonly string[]): void {
    for (const whole of texts) {
      const text = whole.trim();
      const char = this.#characters + whole.indexOf(text);
      this.#characters += whole.length;
      if (!isSpeakable(text)) continue;
      this.#sentences.push({
        number: this.#sentences.length,
        text,
        char,
        spaceBefore: /^\s/.test(whole),
        spaceAfter: /\s$/.test(whole),
      });
    }
    this.#wake();
  }
}

/**
 * The utterance that a sentence is to the workers. Its text is part of the name: should a flush be lost with an
 * edge, and the text be cut otherwise by the next one, no sentence is taken for another.
 */
export const toPartId = (utteranceId: string, { number, text }: Sentence): string =>
  `${utteranceId}-${number}-${createHash("sha256").update(text).digest("base64url").slice(0, 8)}`;
