import { type Alignment, shiftAlignment } from "@tts-labs/core/audio/alignment";
import { BYTES_PER_SAMPLE, samplesToMs } from "@tts-labs/core/audio/pcm";
import type { SynthesisAudio } from "../synthesizer.ts";
import type { SegmentAlignment } from "./messages.ts";

export interface Received {
  /** Absent where there is no whole sample yet. */
  readonly chunk?: SynthesisAudio;
  /** On the run's clock, where it is of the text as sent. */
  readonly verbatim?: Alignment;
}

/**
 * Puts what the provider sends on the run's own clock, on which 0 is the first sample received.
 *
 * The provider's timings start anew with each segment it generates, and segments are not announced. With
 * `sync_alignment` a message in mid-segment may count from the segment's start or from its own: both have
 * been described. Of the two possible origins the one is right that puts the first character nearest to the
 * audio already received; audio received is the measure, never the end of earlier timings.
 */
export class RunClock {
  readonly #sampleRateHz: number;
  #samples = 0;
  #originMs = 0;
  #half: Buffer | undefined;
  #held: Alignment | undefined;

  constructor(sampleRateHz: number) {
    this.#sampleRateHz = sampleRateHz;
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
    const placed = alignment === undefined ? undefined : this.#place(alignment);
    const pcm = this.#take(audio);
    const due = joined(this.#held, placed);
    this.#held = pcm.length === 0 ? due : undefined;
    return {
      ...(pcm.length === 0 ? {} : { chunk: due === undefined ? { pcm } : { pcm, alignment: due } }),
      ...(placed !== undefined && alignment?.verbatim === true ? { verbatim: placed } : {}),
    };
  }

  #place({ chars, startMs, durationMs }: SegmentAlignment): Alignment {
    const receivedMs = this.elapsedMs;
    const firstMs = startMs[0] ?? 0;
    const isNewOrigin = firstMs < Math.abs(this.#originMs + firstMs - receivedMs);
    // Times are whole milliseconds, audio is not: rounded up, so that they never run backwards.
    if (isNewOrigin) this.#originMs = Math.ceil(receivedMs);
    return shiftAlignment({ chars, startMs, durationMs }, this.#originMs);
  }

  #take(audio: Buffer): Buffer {
    const bytes = this.#half === undefined ? audio : Buffer.concat([this.#half, audio]);
    const whole = bytes.length - (bytes.length % BYTES_PER_SAMPLE);
    this.#half = whole === bytes.length ? undefined : bytes.subarray(whole);
    this.#samples += whole / BYTES_PER_SAMPLE;
    return bytes.subarray(0, whole);
  }
}

function joined(first: Alignment | undefined, second: Alignment | undefined): Alignment | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return {
    chars: [...first.chars, ...second.chars],
    startMs: [...first.startMs, ...second.startMs],
    durationMs: [...first.durationMs, ...second.durationMs],
  };
}
