import {
  boundaryBefore,
  CONTEXT_UNITS,
  isLetter,
  isSpace,
  needsDictionary,
  segmentStarts,
} from "@tts-labs/protocol/words/word-starts";

/**
 * Characters and when they are spoken: three arrays of equal length, times in milliseconds.
 * On which clock (a provider's segment or the utterance) the holder says.
 */
export interface Alignment {
  readonly chars: readonly string[];
  readonly startMs: readonly number[];
  readonly durationMs: readonly number[];
}

export interface Word {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** The same characters, `offsetMs` later. */
export function shiftAlignment(alignment: Alignment, offsetMs: number): Alignment {
  if (offsetMs === 0) return alignment;
  return { ...alignment, startMs: alignment.startMs.map((start) => start + offsetMs) };
}

/** Of a script cut by a dictionary so many characters are held back: what follows may move the last two boundaries. */
const HELD_CHARACTERS = 12;
const HELD_SEGMENTS = 2;
/** Times are rounded to milliseconds on their way. */
const ROUNDING_MS = 1;

interface TimedCharacter {
  readonly char: string;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Cuts aligned characters into words, in every script (`word-starts.ts`). Segments cut words in two, so the last word
 * is held back until the next one begins, white space comes, or `finish` shows that it is complete. Words do not
 * overlap: one that is said to begin before the one before it has ended begins where that ends.
 */
export class WordCutter {
  #held: TimedCharacter[] = [];
  /** The last units of `#held`. */
  #context = "";
  /** Characters held when segments were last looked for, and whether there are any to look for. */
  #looked = 0;
  #hasDictionary = false;
  /**
   * A splice came behind the word held. Marks since then: its own if white space follows, the next one's before a
   * letter.
   */
  #behindSplice: TimedCharacter[] | undefined;
  #endMs = 0;

  /** When what is held back begins; `undefined` where nothing is. */
  get heldSinceMs(): number | undefined {
    return (this.#held[0] ?? this.#behindSplice?.[0])?.startMs;
  }

  /** Words completed by `alignment`, in order. */
  push(alignment: Alignment): Word[] {
    const words: Word[] = [];
    for (const [i, item] of alignment.chars.entries()) {
      const startMs = alignment.startMs[i] ?? 0;
      const endMs = startMs + (alignment.durationMs[i] ?? 0);
      for (const char of item === "" ? " " : item) {
        if (isSpace(char)) words.push(...this.finish());
        else words.push(...this.#take({ char, startMs, endMs }));
      }
    }
    words.push(...this.#settle());
    return words;
  }

  /** The words still held back, if any. */
  finish(): Word[] {
    for (const mark of this.#behindSplice ?? []) this.#hold(mark);
    return this.#cut(Number.POSITIVE_INFINITY);
  }

  /**
   * What was said to begin at `ms` or later is replaced. A word held that began before is complete but for its marks.
   */
  splice(ms: number): void {
    const replaced = this.#held.findIndex(({ startMs }) => startMs >= ms - ROUNDING_MS);
    if (replaced >= 0) this.#keep(this.#held.slice(0, replaced));
    this.#behindSplice = this.#held.length > 0 ? [] : undefined;
    this.#endMs = Math.min(this.#endMs, ms);
  }

  /** @returns the word that ends before this character, if any */
  #take(character: TimedCharacter): Word[] {
    const marks = this.#behindSplice;
    if (marks !== undefined && !isLetter(character.char)) {
      marks.push(character);
      return [];
    }
    const begins = marks !== undefined || this.#startsWord(character.char);
    const words = begins ? this.#cut(Number.POSITIVE_INFINITY) : [];
    for (const mark of marks ?? []) this.#hold(mark);
    this.#hold(character);
    return words;
  }

  #startsWord(char: string): boolean {
    return this.#held.length > 0 && boundaryBefore(this.#context, char) === "starts";
  }

  #hold(character: TimedCharacter): void {
    this.#held.push(character);
    this.#context = (this.#context + character.char).slice(-CONTEXT_UNITS);
    this.#hasDictionary ||= needsDictionary(character.char);
  }

  #keep(held: readonly TimedCharacter[]): void {
    this.#held = [];
    this.#context = "";
    this.#hasDictionary = false;
    this.#looked = 0;
    this.#behindSplice = undefined;
    for (const character of held) this.#hold(character);
    this.#looked = this.#held.length;
  }

  /** Those of a long run that nothing which follows can change. */
  #settle(): Word[] {
    if (!this.#hasDictionary || this.#held.length < this.#looked + HELD_CHARACTERS) return [];
    return this.#cut(HELD_SEGMENTS);
  }

  /** @param heldSegments `Infinity`: none is held back */
  #cut(heldSegments: number): Word[] {
    const held = this.#held;
    if (held.length === 0) return [];
    const begins = this.#hasDictionary ? this.#segmentBegins() : [0];
    const isAll = heldSegments === Number.POSITIVE_INFINITY;
    const settled = isAll ? begins.length : Math.max(0, begins.length - heldSegments);
    const words = begins
      .slice(0, settled)
      .map((begin, i) => this.#toWord(held.slice(begin, begins[i + 1] ?? held.length)));
    this.#keep(isAll ? [] : held.slice(begins[settled] ?? held.length));
    return words;
  }

  /** Places in `#held`; marks at the beginning belong to the first word. */
  #segmentBegins(): number[] {
    const starts = new Set(segmentStarts(this.#held.map(({ char }) => char).join("")));
    const begins: number[] = [];
    let unit = 0;
    for (const [i, { char }] of this.#held.entries()) {
      if (starts.has(unit)) begins.push(begins.length === 0 ? 0 : i);
      unit += char.length;
    }
    return begins.length === 0 ? [0] : begins;
  }

  #toWord(characters: readonly TimedCharacter[]): Word {
    const startMs = Math.max(this.#endMs, characters[0]?.startMs ?? 0);
    this.#endMs = Math.max(startMs, characters.at(-1)?.endMs ?? 0);
    return { text: characters.map(({ char }) => char).join(""), startMs, endMs: this.#endMs };
  }
}
