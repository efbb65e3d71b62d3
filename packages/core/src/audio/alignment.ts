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

/**
 * Cuts aligned characters into words at white space. Segments cut words in two, so the last word is held
 * back until white space or `finish` shows that it is complete.
 */
export class WordCutter {
  #text = "";
  #startMs = 0;
  #endMs = 0;

  /** Words completed by `alignment`, in order. */
  push(alignment: Alignment): Word[] {
    const words: Word[] = [];
    for (const [i, char] of alignment.chars.entries()) {
      const startMs = alignment.startMs[i] ?? 0;
      const endMs = startMs + (alignment.durationMs[i] ?? 0);
      if (/^\s*$/.test(char)) {
        words.push(...this.finish());
        continue;
      }
      if (this.#text === "") this.#startMs = startMs;
      this.#text += char;
      this.#endMs = endMs;
    }
    return words;
  }

  /** The word still held back, if any. */
  finish(): Word[] {
    if (this.#text === "") return [];
    const word = { text: this.#text, startMs: this.#startMs, endMs: this.#endMs };
    this.#text = "";
    return [word];
  }
}
