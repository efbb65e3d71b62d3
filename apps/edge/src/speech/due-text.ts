import { GatewayError } from "@tts-labs/protocol/errors";
import { SpeakableText } from "@tts-labs/protocol/text/speakable-text";
import type { StoredText } from "./utterance-text.ts";

/** After so long a pause a worker may have left the utterance: it is looked for before more is relied on; ms. */
const PAUSE_MS = 1_000;

/**
 * Text for which a worker is asked only once there is something to speak: until then it takes no place among the
 * workers' and none of the provider's slots, however many clients begin and do not go on.
 */
export class DueText {
  readonly #speakable = new SpeakableText();
  /** What came since the last pause. */
  #fresh = new SpeakableText();
  #hasPaused = false;
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

  /** After a pause, something has come that has to be spoken. */
  get isDueAgain(): boolean {
    return this.#hasPaused && this.#fresh.isDue;
  }

  /** A worker has been asked to speak it. */
  seenTo(): void {
    this.#hasPaused = false;
  }

  push(text: string): void {
    this.#changed((speakable) => speakable.push(text));
  }

  flush(): void {
    this.#changed((speakable) => speakable.flush());
    // What came before the pause may not have been spoken.
    if (this.isDue) this.#fresh.end();
  }

  end(): void {
    this.#changed((speakable) => speakable.end());
  }

  /** What an earlier connection was given. */
  recall({ text, flushes, isComplete }: StoredText): void {
    for (const speakable of [this.#speakable, this.#fresh]) {
      speakable.push(text);
      if (flushes.length > 0) speakable.flush();
      if (isComplete) speakable.end();
    }
    this.#hasPaused = true;
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

  #changed(change: (speakable: SpeakableText) => void): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastTextAtMs >= PAUSE_MS) {
      this.#hasPaused = true;
      this.#fresh = new SpeakableText();
    }
    this.#lastTextAtMs = nowMs;
    change(this.#speakable);
    change(this.#fresh);
    if (this.isDue) this.#wake();
  }
}
