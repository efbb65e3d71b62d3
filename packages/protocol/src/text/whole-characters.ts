/** Joins the two halves of a character that were parted between two pieces of text (UTF-16 surrogates). */
export class WholeCharacters {
  #half = "";

  /** The first half of a character whose second half has not come. */
  get half(): string {
    return this.#half;
  }

  /** @returns the text with what was held back before it, without half a character at its end */
  push(piece: string): string {
    const text = this.#half + piece;
    this.#half = "";
    if (!isFirstHalf(text.charCodeAt(text.length - 1))) return text;
    this.#half = text.slice(-1);
    return text.slice(0, -1);
  }

  /** No more comes. @returns what was held back */
  finish(): string {
    const half = this.#half;
    this.#half = "";
    return half;
  }
}

export const isFirstHalf = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
export const isSecondHalf = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;
