import type { HeardEntry } from "@tts-labs/core/broadcast/broadcast";

/** Audio is given out so long before it is due to be played, so that a player can fill its buffer. */
export const LISTEN_LEAD_MS = 1_000;

/**
 * The time at which each entry of a broadcast is due, in Redis' time. A session may be given its speech as fast as it
 * is made; its listeners get it in real time, counted from when it was stored. The clock depends on the log alone,
 * so that all edges are at the same place of it.
 */
export class PlayClock {
  readonly #sampleRateHz: number;
  /** When all that was taken so far has been played. */
  #endMs = 0;
  #utterance = 0;
  #nextSample = 0;

  constructor(sampleRateHz: number) {
    this.#sampleRateHz = sampleRateHz;
  }

  /** Call once with each entry, in order. */
  dueMs({ kind, utterance, firstSample, samples, storedAtMs }: HeardEntry): number {
    if (kind === "cancelled") this.#endMs = Math.min(this.#endMs, storedAtMs);
    // A splice takes back what was given of the utterance from there on.
    const isBack = kind === "frame" && utterance === this.#utterance && firstSample < this.#nextSample;
    if (isBack) this.#endMs -= this.#toMs(this.#nextSample - firstSample);
    const startMs = Math.max(storedAtMs, this.#endMs);
    if (kind === "frame") {
      this.#endMs = startMs + this.#toMs(samples);
      this.#utterance = utterance;
      this.#nextSample = firstSample + samples;
    }
    return startMs - LISTEN_LEAD_MS;
  }

  #toMs(samples: number): number {
    return (samples * 1_000) / this.#sampleRateHz;
  }
}
