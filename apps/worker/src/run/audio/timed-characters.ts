import type { Alignment } from "@tts-labs/core/audio/alignment";
import type { ResumePoint } from "@tts-labs/core/audio/word-tracker";

/** Times of a chunk's last letter may lie so far beyond its samples without being those of a next one. */
const INEXACT_MS = 60;

/** Characters with their times on the utterance's clock, gathered for one entry. */
export class TimedCharacters {
  readonly #chars: string[] = [];
  readonly #startMs: number[] = [];
  readonly #durationMs: number[] = [];

  get count(): number {
    return this.#chars.length;
  }

  get alignment(): Alignment | undefined {
    if (this.#chars.length === 0) return undefined;
    return { chars: this.#chars, startMs: this.#startMs, durationMs: this.#durationMs };
  }

  /** Those of `alignment` from `from` to before `to`, `offsetMs` later. */
  add({ chars, startMs, durationMs }: Alignment, from: number, to: number, offsetMs: number): void {
    for (let i = from; i < to; i++) {
      this.#chars.push(chars[i] ?? "");
      this.#startMs.push((startMs[i] ?? 0) + offsetMs);
      this.#durationMs.push(durationMs[i] ?? 0);
    }
  }

  /** Marks that were spoken with the word before them, and take no time; a space after them ends that word. */
  addMarks(marks: string, ms: number): void {
    for (const mark of `${marks} `) {
      this.#chars.push(mark);
      this.#startMs.push(ms);
      this.#durationMs.push(0);
    }
  }

  /** The same, with ends a little beyond `endMs` put there: the samples before it hold these letters whole. */
  within(endMs: number): Alignment {
    const durationMs = this.#durationMs.map((ms, i) => {
      const startMs = this.#startMs[i] ?? 0;
      const isInexact = startMs + ms > endMs && startMs + ms <= endMs + INEXACT_MS;
      return isInexact ? Math.max(0, endMs - startMs) : ms;
    });
    return { chars: this.#chars, startMs: this.#startMs, durationMs };
  }
}

/** The marks right before where it goes on that no times were given for, and those that have come since. */
export function untimedMarks(text: string, { char, untimed = 0 }: ResumePoint): string {
  return /[^\p{L}\p{N}\s]*\s*$/u.exec(text.slice(char - untimed, char))?.[0].trim() ?? "";
}
