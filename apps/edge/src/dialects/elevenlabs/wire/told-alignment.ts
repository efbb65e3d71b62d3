import type { Alignment } from "@tts-labs/core/audio/alignment";

/** Times are rounded to milliseconds on their way. */
const ROUNDING_MS = 1;
/** A splice goes back no further than a few words. */
const MAX_REMEMBERED = 4_096;

interface Waiting {
  readonly chars: string[];
  readonly startMs: number[];
  readonly durationMs: number[];
}

const nothing = (): Waiting => ({ chars: [], startMs: [], durationMs: [] });
const isBlank = (char: string): boolean => char.trim() === "";

/**
 * The characters of one utterance on their way to a client that can't take any back. Behind a splice those from the
 * word on that was being spoken come again; they are told once, with the times of the first telling. Generations begin
 * and end in spaces of their own: of several in a row the first is told, and none before the first word.
 */
export class ToldAlignment {
  #waiting = nothing();
  /** Starts of the last characters that were taken in. */
  readonly #starts: number[] = [];
  /** Characters that come again and are not told. */
  #repeated = 0;
  #endsBlank = true;

  add({ chars, startMs, durationMs }: Alignment): void {
    const first = startMs[0] ?? 0;
    const last = this.#starts.at(-1) ?? 0;
    if (this.#repeated === 0 && first < last - ROUNDING_MS) {
      this.#repeated = this.#starts.filter((start) => start >= first - ROUNDING_MS).length;
    }
    for (const [i, char] of chars.entries()) {
      if (this.#repeated > 0) this.#repeated--;
      else {
        const start = startMs[i] ?? 0;
        this.#starts.push(start);
        this.#push(char, start, durationMs[i] ?? 0);
      }
    }
    if (this.#starts.length > 2 * MAX_REMEMBERED)
      this.#starts.splice(0, this.#starts.length - MAX_REMEMBERED);
  }

  /** What has come since, on the utterance's clock; `undefined` where nothing has. */
  take(): Alignment | undefined {
    const waiting = this.#waiting;
    if (waiting.chars.length === 0) return undefined;
    this.#waiting = nothing();
    return waiting;
  }

  /** The same without a space at its end, which is told with what follows, if anything does. */
  takeWords(): Alignment | undefined {
    const waiting = this.take();
    const last = waiting?.chars.at(-1);
    if (waiting === undefined || last === undefined || !isBlank(last)) return waiting;
    this.#waiting = {
      chars: [last],
      startMs: waiting.startMs.slice(-1),
      durationMs: waiting.durationMs.slice(-1),
    };
    if (waiting.chars.length === 1) return undefined;
    return {
      chars: waiting.chars.slice(0, -1),
      startMs: waiting.startMs.slice(0, -1),
      durationMs: waiting.durationMs.slice(0, -1),
    };
  }

  #push(char: string, startMs: number, durationMs: number): void {
    const isSpace = isBlank(char);
    if (isSpace && this.#endsBlank) return;
    this.#endsBlank = isSpace;
    this.#waiting.chars.push(char);
    this.#waiting.startMs.push(startMs);
    this.#waiting.durationMs.push(durationMs);
  }
}

/** As the HTTP routes tell it: seconds, starts and ends. */
export interface SecondsAlignment {
  readonly characters: readonly string[];
  readonly character_start_times_seconds: readonly number[];
  readonly character_end_times_seconds: readonly number[];
}

const toSeconds = (ms: number): number => Math.round(ms) / 1_000;

export const toSecondsAlignment = ({ chars, startMs, durationMs }: Alignment): SecondsAlignment => ({
  characters: chars,
  character_start_times_seconds: startMs.map(toSeconds),
  character_end_times_seconds: startMs.map((start, i) => toSeconds(start + (durationMs[i] ?? 0))),
});
