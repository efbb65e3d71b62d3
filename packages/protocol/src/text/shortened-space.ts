import { classOf, LINE, SPACE } from "./characters.ts";

/** Line breaks that are heard: a paragraph is a longer pause than a line, three are no longer than two. */
const MAX_LINES = 2;

/**
 * Shortens runs of white space in text that comes in pieces: of each, its first character stays and as many line
 * breaks as are heard. A provider is paid by the character, and nothing more of it is heard. The result does not
 * depend on the pieces.
 */
export class ShortenedSpace {
  #isInRun = false;
  #lines = 0;
  #before = 0;

  shorten(text: string): string {
    let kept = "";
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      const kind = classOf(code);
      if ((kind & SPACE) === 0) {
        this.#isInRun = false;
        this.#lines = 0;
      } else if (!this.#keeps(code, kind)) {
        kept += text.slice(from, at);
        from = at + 1;
      }
      this.#before = code;
    }
    return from === 0 ? text : kept + text.slice(from);
  }

  #keeps(code: number, kind: number): boolean {
    const isFirst = !this.#isInRun;
    this.#isInRun = true;
    if ((kind & LINE) === 0) return isFirst;
    const isSecondHalf = code === 0x0a && this.#before === 0x0d;
    if (isSecondHalf) return this.#lines <= MAX_LINES;
    this.#lines++;
    return this.#lines <= MAX_LINES;
  }
}
