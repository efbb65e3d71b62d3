/** Samples of the next frame; may change between any two. */
export interface FrameSize {
  readonly samples: number;
}

/**
 * The further away a client, the smaller its frames: one lost segment then holds back less, and what a cancel
 * can no longer take back is shorter. Near ones get few large frames, which cost both sides less.
 */
export const FRAME_STEPS = [
  { underMs: 50, samples: 1_920 },
  { underMs: 100, samples: 960 },
  { underMs: 300, samples: 480 },
  { underMs: Number.POSITIVE_INFINITY, samples: 240 },
] as const;

/** Round trips whose mean counts. */
const ROUND_TRIPS = 10;

/** Follows the client's round trips. Until the first one is known, frames have `firstSamples`. */
export class AdaptiveFrameSize implements FrameSize {
  readonly #roundTripsMs: number[] = [];
  #samples: number;

  constructor(firstSamples: number) {
    this.#samples = firstSamples;
  }

  get samples(): number {
    return this.#samples;
  }

  /** Mean of the last ten; `undefined` before the first. */
  get meanRoundTripMs(): number | undefined {
    const count = this.#roundTripsMs.length;
    return count === 0 ? undefined : this.#roundTripsMs.reduce((sum, it) => sum + it, 0) / count;
  }

  measured(roundTripMs: number): void {
    this.#roundTripsMs.push(roundTripMs);
    if (this.#roundTripsMs.length > ROUND_TRIPS) this.#roundTripsMs.shift();
    const meanMs = this.meanRoundTripMs ?? 0;
    this.#samples = FRAME_STEPS.find((it) => meanMs < it.underMs)?.samples ?? this.#samples;
  }
}
