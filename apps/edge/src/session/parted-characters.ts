import { GatewayError } from "@tts-labs/protocol/errors";
import type { RequestedOptions } from "@tts-labs/protocol/speech-options";
import { isSecondHalf, WholeCharacters } from "@tts-labs/protocol/text/whole-characters";

/** What stands for half a character whose other half never came. */
const REPLACEMENT = "\ufffd";
const HALF = /\p{Surrogate}/u;

export interface PartedText {
  /** Empty where there is nothing yet. */
  readonly text: string;
  readonly requested: RequestedOptions;
}

/**
 * Joins characters that a client's source has parted between two messages: an emoji is two UTF-16 units, and a token
 * may end between them. One unit is held back at most. A first half that its other half does not follow is replaced
 * by U+FFFD; half a character anywhere else is refused.
 */
export class PartedCharacters {
  readonly #characters = new WholeCharacters();
  /** What was asked for with a text that was but half a character: it counts with the whole one. */
  #requested: RequestedOptions = {};

  /** A first half waits for its second. */
  get isHolding(): boolean {
    return this.#characters.half !== "";
  }

  /**
   * @param isEnd no text follows: half a character at its end is refused, too
   * @returns what can be spoken now @throws GatewayError `protocol.invalid_message`; nothing is held back then
   */
  push(text: string, asked: RequestedOptions, isEnd: boolean): PartedText {
    if (text === "" && !isEnd) return { text, requested: asked };
    const isAbandoned = this.isHolding && !isSecondHalf(text.charCodeAt(0));
    const joined = this.#characters.push(text) + (isEnd ? this.#characters.finish() : "");
    const whole = isAbandoned ? REPLACEMENT + joined.slice(1) : joined;
    const requested = { ...this.#requested, ...asked };
    this.#requested = whole === "" ? requested : {};
    if (!HALF.test(whole)) return { text: whole, requested };
    this.drop();
    throw new GatewayError(
      "protocol.invalid_message",
      `Not valid, field "text": it holds half of a surrogate pair; send whole characters.`,
      { facts: { field: "text" } },
    );
  }

  /** The text has ended. @returns what is to be spoken for what was held back */
  end(): string {
    this.#requested = {};
    return this.#characters.finish() === "" ? "" : REPLACEMENT;
  }

  drop(): void {
    this.end();
  }
}
