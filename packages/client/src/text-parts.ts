import { SureEnd } from "./sure-end.ts";
import { cutPieces, type SpeechText, textPieces } from "./text-pieces.ts";

/** Characters after which a part ends with its sentence. */
const FULL_AFTER_CHARACTERS = 30_000;
/** So many more are searched for a sure end; with two slices more they stay below an utterance's 40,000. */
const MAX_SEARCHED_CHARACTERS = 6_000;
const SLICE_CHARACTERS = 1_000;

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
    const end = new SureEnd();
    let given = 0;
    for (let piece: string | undefined = this.#takeRest(); piece !== undefined; piece = await this.#next()) {
      let left = piece;
      const fits = given + piece.length <= this.#fullAfter;
      for (const slice of fits ? [piece] : cutPieces(piece, SLICE_CHARACTERS)) {
        const cut = this.#cutOf(slice, given, end);
        if (cut !== undefined) {
          this.#rest = left.slice(cut);
          if (cut > 0) yield left.slice(0, cut);
          return;
        }
        given += slice.length;
        left = left.slice(slice.length);
        if (slice !== "") yield slice;
      }
    }
  }

  /** Where `slice` begins the next part; undefined where it belongs to this one, of which `given` is there. */
  #cutOf(slice: string, given: number, end: SureEnd): number | undefined {
    if (given < this.#fullAfter) {
      end.pass(slice);
      return undefined;
    }
    const sure = end.find(slice);
    if (sure !== undefined || given < this.#fullAfter + MAX_SEARCHED_CHARACTERS) return sure;
    return slice.search(/\s/) + 1;
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
