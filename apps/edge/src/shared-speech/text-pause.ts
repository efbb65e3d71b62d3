import { endsInMark } from "@tts-labs/protocol/text/ends-in-mark";

/** Longest wait for a `stream_end` that was sent with the text, and came in a packet of its own. */
const END_FOLLOWS_MS = 5;

/**
 * Whether an utterance's text is complete shows when its end comes: with the text, or a packet later. Where it did not
 * come with it, one turn of the event loop is waited for; a few milliseconds more only where the text ends like a
 * sentence, which the first token of a stream hardly does.
 */
export class TextPause {
  #end: (() => void) | undefined;
  #hasEnded = false;

  /** The end has come. */
  ended(): void {
    this.#hasEnded = true;
    this.#end?.();
  }

  /** @param given text so far, asked for once the turn is over */
  async wait(given: () => string): Promise<void> {
    await Promise.resolve(); // whoever opened the utterance ends its text right after that
    if (this.#hasEnded) return;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#hasEnded || !endsInMark(given())) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#end = resolve;
      timer = setTimeout(resolve, END_FOLLOWS_MS);
    });
    clearTimeout(timer);
  }
}
