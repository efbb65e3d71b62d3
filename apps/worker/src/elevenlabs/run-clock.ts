import type { Alignment } from "@tts-labs/core/audio/alignment";
import { BYTES_PER_SAMPLE, samplesToMs } from "@tts-labs/protocol/audio/pcm";
import type { SynthesisAudio } from "../synthesizer.ts";
import {
  type AlignmentRefusal,
  type SegmentAlignment,
  TIMING_TOLERANCE_MS,
} from "./intake/provider-alignment.ts";

export interface Received {
  /** Absent where there is no whole sample yet. */
  readonly chunk?: SynthesisAudio;
  /** On the run's clock, where it is of the text as sent. */
  readonly verbatim?: Alignment;
  /** The characters that came, and what they take as the provider says. */
  readonly timed: Timed;
}

export interface Timed {
  readonly characters: number;
  readonly ms: number;
}

const NOTHING_TIMED: Timed = { characters: 0, ms: 0 };

/** Times of a segment told twice are not equal to the millisecond. */
const SAME_TIME_MS = 100;

/**
 * Puts what the provider sends on the run's own clock, on which 0 is the first sample received.
 *
 * The provider's timings start anew with each segment it generates, and segments are not announced. With
 * `sync_alignment` a message in mid-segment may count from the segment's start or from its own: both have
 * been described. Of the two possible origins the one is right that puts the first character nearest to the
 * audio already received; audio received is the measure, never the end of earlier timings. A segment may also be
 * told again with more of its characters: what was told before is dropped.
 *
 * Times never run backwards. Characters that lie beyond the audio by more than the tolerance wait until it comes, and
 * are dropped with the end of the run.
 */
export class RunClock {
  readonly #sampleRateHz: number;
  readonly #refused: (reason: AlignmentRefusal) => void;
  #samples = 0;
  #originMs = 0;
  #half: Buffer | undefined;
  /** The current segment as the provider has told it so far. */
  #segment: Characters = newCharacters();
  #latestMs = 0;
  /** Placed, and ahead of their audio; the first `#given` have gone. */
  #waiting: Characters = newCharacters();
  #given = 0;

  constructor(sampleRateHz: number, refused: (reason: AlignmentRefusal) => void = () => {}) {
    this.#sampleRateHz = sampleRateHz;
    this.#refused = refused;
  }

  /** Whole samples received. */
  get samples(): number {
    return this.#samples;
  }

  get elapsedMs(): number {
    return samplesToMs(this.#samples, this.#sampleRateHz);
  }

  /**
   * The next audio and its timings, as they came together. Timings that come ahead of their audio wait for
   * it, since a chunk always has samples; half a sample waits for its other half.
   */
  receive(audio: Buffer, alignment: SegmentAlignment | undefined): Received {
    const beforeMs = this.elapsedMs;
    const pcm = this.#take(audio);
    const placed = alignment === undefined ? undefined : this.#place(alignment, beforeMs, pcm.length > 0);
    const due = pcm.length === 0 ? undefined : this.#takeDue();
    return {
      ...(pcm.length === 0 ? {} : { chunk: due === undefined ? { pcm } : { pcm, alignment: due } }),
      ...(placed !== undefined && alignment?.verbatim === true ? { verbatim: placed } : {}),
      timed: placed === undefined ? NOTHING_TIMED : timedOf(placed),
    };
  }

  /** No more audio comes. What still waits for it is dropped, except for timings that came behind their audio. */
  finish(): Alignment | undefined {
    const due = this.#takeDue();
    if (this.#given < this.#waiting.chars.length) this.#refused("beyond_audio");
    this.#waiting = newCharacters();
    this.#given = 0;
    return due;
  }

  #place(told: SegmentAlignment, beforeMs: number, hasAudio: boolean): Alignment | undefined {
    const again = this.#countToldAgain(told, beforeMs, hasAudio);
    if (again > 0) this.#refused("repeated");
    if (again === told.chars.length) return undefined;
    const firstMs = told.startMs[0] ?? 0;
    const isNewOrigin = again === 0 && firstMs < Math.abs(this.#originMs + firstMs - beforeMs);
    if (isNewOrigin || this.#segment.chars.length === 0) this.#segment = newCharacters();
    // Times are whole milliseconds, audio is not: rounded up, so that they never run backwards.
    if (isNewOrigin) this.#originMs = Math.ceil(beforeMs);
    const placed = newCharacters();
    for (let i = again; i < told.chars.length; i++) {
      const [char = "", startMs = 0, durationMs = 0] = [told.chars[i], told.startMs[i], told.durationMs[i]];
      this.#latestMs = Math.max(this.#latestMs, startMs + this.#originMs);
      add(this.#segment, char, startMs, durationMs);
      add(placed, char, this.#latestMs, durationMs);
      add(this.#waiting, char, this.#latestMs, durationMs);
    }
    return placed;
  }

  /**
   * Leading characters that have been told before: the segment from its start again, in part or whole. A new segment
   * that begins with the same words is told apart by its audio, which comes with it. Where the characters differ (an
   * alias and what it stands for), those whose time has been told are dropped.
   */
  #countToldAgain(told: SegmentAlignment, beforeMs: number, hasAudio: boolean): number {
    const known = this.#segment;
    if (known.chars.length === 0 || (told.startMs[0] ?? 0) > (known.startMs[0] ?? 0) + SAME_TIME_MS) return 0;
    const same = countSame(known, told);
    const untilMs = endOf(told);
    const asNewMs = Math.abs(beforeMs + untilMs - this.elapsedMs);
    const asAgainMs = Math.abs(this.#originMs + untilMs - this.elapsedMs);
    if (same === told.chars.length) return hasAudio || asNewMs <= asAgainMs ? 0 : same;
    if (same === known.chars.length) return asAgainMs < asNewMs ? same : 0;
    const isRetold = asAgainMs <= SAME_TIME_MS && asNewMs > TIMING_TOLERANCE_MS;
    if (!isRetold) return 0;
    const toldUntilMs = endOf(known);
    const next = told.startMs.findIndex((ms) => ms >= toldUntilMs);
    return next < 0 ? told.chars.length : next;
  }

  /** The waiting characters whose audio is here: all of them where the last one is within the tolerance. */
  #takeDue(): Alignment | undefined {
    const { chars, startMs, durationMs } = this.#waiting;
    const from = this.#given;
    if (from === chars.length) return undefined;
    const isWhole = endOf(this.#waiting) <= this.elapsedMs + TIMING_TOLERANCE_MS;
    let to = isWhole ? chars.length : from;
    while (to < chars.length && (startMs[to] ?? 0) < this.elapsedMs) to++;
    if (to === from) return undefined;
    this.#given = to;
    const due = {
      chars: chars.slice(from, to),
      startMs: startMs.slice(from, to),
      durationMs: durationMs.slice(from, to),
    };
    if (to === chars.length) {
      this.#waiting = newCharacters();
      this.#given = 0;
    }
    return due;
  }

  #take(audio: Buffer): Buffer {
    const bytes = this.#half === undefined ? audio : Buffer.concat([this.#half, audio]);
    const whole = bytes.length - (bytes.length % BYTES_PER_SAMPLE);
    this.#half = whole === bytes.length ? undefined : bytes.subarray(whole);
    this.#samples += whole / BYTES_PER_SAMPLE;
    return bytes.subarray(0, whole);
  }
}

interface Characters {
  readonly chars: string[];
  readonly startMs: number[];
  readonly durationMs: number[];
}

const newCharacters = (): Characters => ({ chars: [], startMs: [], durationMs: [] });

function add(to: Characters, char: string, startMs: number, durationMs: number): void {
  to.chars.push(char);
  to.startMs.push(startMs);
  to.durationMs.push(durationMs);
}

const endOf = ({ startMs, durationMs }: Pick<Alignment, "startMs" | "durationMs">): number =>
  (startMs.at(-1) ?? 0) + (durationMs.at(-1) ?? 0);

const timedOf = (alignment: Alignment): Timed => ({
  characters: alignment.chars.length,
  ms: endOf(alignment) - (alignment.startMs[0] ?? 0),
});

/** Leading characters that are the same at the same times. */
function countSame(known: Alignment, told: Alignment): number {
  const count = Math.min(known.chars.length, told.chars.length);
  for (let i = 0; i < count; i++) {
    const apartMs = Math.abs((told.startMs[i] ?? 0) - (known.startMs[i] ?? 0));
    if (told.chars[i] !== known.chars[i] || apartMs > SAME_TIME_MS) return i;
  }
  return count;
}
