import { sentenceEnds } from "../speech/sentences.ts";

/** Characters before the 1st, 2nd, … generation; the last repeats (docs/elevenlabs.md 1.3). */
export const DEFAULT_SCHEDULE: readonly number[] = [120, 160, 250, 290];

/** `try_trigger_generation` does nothing below this. */
const TRY_TRIGGER_CHARACTERS = 50;

export interface BufferedText {
  readonly text: string;
  readonly flush?: boolean | undefined;
  readonly tryTrigger?: boolean | undefined;
}

export interface BufferOptions {
  readonly schedule?: readonly number[] | undefined;
  readonly autoMode: boolean;
}

/**
 * What the service gathers before it speaks (docs/elevenlabs.md 1.5). Pure: text goes in, generations
 * come out.
 *
 * Messages are joined verbatim. When the schedule's next threshold is reached, the buffer is cut at the last
 * sentence end in it, else at the last white space (where the real service cuts is not known); what is left
 * counts towards the next threshold. A flush and the end empty it. In auto mode each message is a
 * generation. White space alone is never spoken.
 */
export class TextBuffer {
  readonly #schedule: readonly number[];
  readonly #autoMode: boolean;
  #text = "";
  #generations = 0;

  constructor({ schedule = DEFAULT_SCHEDULE, autoMode }: BufferOptions) {
    this.#schedule = schedule;
    this.#autoMode = autoMode;
  }

  get length(): number {
    return this.#text.length;
  }

  /** The generations that this message triggers, in order. */
  push({ text, flush = false, tryTrigger = false }: BufferedText): string[] {
    this.#text += text;
    if (flush || this.#autoMode) return this.end();
    const generations: string[] = [];
    let threshold = tryTrigger ? Math.min(TRY_TRIGGER_CHARACTERS, this.#threshold()) : this.#threshold();
    while (this.#text.length >= threshold) {
      const cut = lastCut(this.#text);
      if (cut === 0) break;
      generations.push(this.#text.slice(0, cut));
      this.#text = this.#text.slice(cut);
      this.#generations++;
      threshold = this.#threshold();
    }
    return generations;
  }

  /** All there is. White space alone stays, and is lost at the end of the utterance. */
  end(): string[] {
    if (this.#text.trim() === "") return [];
    const generation = this.#text;
    this.#text = "";
    this.#generations++;
    return [generation];
  }

  #threshold(): number {
    const last = this.#schedule.at(-1) ?? 290;
    return this.#schedule[this.#generations] ?? last;
  }
}

/** 0 where the text can't be cut. */
function lastCut(text: string): number {
  const sentence = sentenceEnds(text).findLast((end) => text.slice(0, end).trim() !== "");
  if (sentence !== undefined) return sentence;
  const space = /\s(?=\S*$)/u.exec(text)?.index;
  return space === undefined || text.slice(0, space).trim() === "" ? 0 : space + 1;
}
