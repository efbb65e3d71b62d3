import { endsInMark } from "@tts-labs/protocol/text/ends-in-mark";

/**
 * What of the text given so far may go to the provider, in which pieces. The pieces joined are the text as
 * given, except for white space at its very end. Two things are held back:
 *
 * - white space alone, which would be taken for a keep-alive, until text follows it;
 * - in `auto_mode`, where each message is spoken as a clip of its own, a word that may not be complete
 *   (docs/elevenlabs.md 1.5), until white space, the end of a sentence, a flush or the end.
 *
 * What is held back is bounded by the longest text of one utterance, which the caller keeps.
 */
export class OutgoingText {
  readonly #wholeWords: boolean;
  #held = "";
  #lastSent = " ";

  constructor(options: { readonly wholeWords: boolean }) {
    this.#wholeWords = options.wholeWords;
  }

  /** The piece to send now, if any: never empty, never white space alone. */
  push(text: string): string | undefined {
    const all = this.#held + text;
    const cut = this.#wholeWords ? endOfLastWord(all) : all.length;
    if (all.slice(0, cut).trim() === "") {
      this.#held = all;
      return undefined;
    }
    this.#held = all.slice(cut);
    return this.#sent(all.slice(0, cut));
  }

  /** What is held back, to be sent before a flush or the end. White space alone stays. */
  release(): string | undefined {
    const held = this.#held;
    if (held.trim() === "") return undefined;
    this.#held = "";
    return this.#sent(held);
  }

  /** The provider may be sent white space now without changing the text. */
  get betweenWords(): boolean {
    return this.#held.trim() === "" && (this.#held !== "" || /\s$/.test(this.#lastSent));
  }

  /** White space that the provider may be sent now without changing the text; `undefined` in the middle of a word. */
  takeSpace(): string | undefined {
    if (!this.betweenWords) return undefined;
    const space = this.#held === "" ? " " : this.#held;
    this.#held = "";
    return this.#sent(space);
  }

  #sent(piece: string): string {
    this.#lastSent = piece.slice(-1);
    return piece;
  }
}

/** Just after the last white space, or the whole length where a sentence ends there. */
function endOfLastWord(text: string): number {
  if (endsInMark(text) && !/\s$/.test(text)) return text.length;
  let end = text.length;
  while (end > 0 && !/\s/.test(text.charAt(end - 1))) end--;
  return end;
}
