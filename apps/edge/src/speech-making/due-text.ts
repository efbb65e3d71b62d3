import { GatewayError } from "@tts-labs/core/errors";
import { SpeakableText } from "@tts-labs/core/text/speakable-text";
import type { StoredText } from "../utterance-text.ts";

/**
 * Text for which a worker is asked only once there is something to speak: until then it takes no place among the
 * workers' and none of the provider's slots, however many clients begin and do not go on.
 */
export class DueText {
  readonly #speakable = new SpeakableText();
  #lastTextAtMs = performance.now();
  #wake: () => void = () => {};
  #isOver = false;

  get isDue(): boolean {
    return this.#speakable.isDue;
  }

  /** `performance.now()` when the client last gave text. */
  get lastTextAtMs(): number {
    return this.#lastTextAtMs;
  }

  push(text: string): void {
    this.#changed(() => this.#speakable.push(text));
  }

  flush(): void {
    this.#changed(() => this.#speakable.flush());
  }

  end(): void {
    this.#changed(() => this.#speakable.end());
  }

  /** What an earlier connection was given. */
  recall({ text, flushes, isComplete }: StoredText): void {
    this.#speakable.push(text);
    if (flushes.length > 0) this.#speakable.flush();
    if (isComplete) this.#speakable.end();
  }

  /** It is wanted no more: ends a wait. */
  stop(): void {
    this.#isOver = true;
    this.#wake();
  }

  /**
   * Until it is due, or is stopped. One call at a time.
   * @param limitMs of a wait without any text
   * @throws GatewayError `session.text_timeout`
   */
  async wait(limitMs: number): Promise<void> {
    while (!this.isDue && !this.#isOver) {
      const leftMs = this.#lastTextAtMs + limitMs - performance.now();
      if (leftMs <= 0) throw new GatewayError("session.text_timeout");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  #changed(change: () => void): void {
    this.#lastTextAtMs = performance.now();
    change();
    if (this.isDue) this.#wake();
  }
}
