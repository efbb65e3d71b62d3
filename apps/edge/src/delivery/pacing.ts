import { samplesToMs } from "@tts-labs/protocol/audio/pcm";
import type { FrameSize } from "./frame-size.ts";

/** Frames the listener is kept ahead of real time when the edge has few in hand, and when its queue is full. */
const MIN_FRAMES_AHEAD = 4;
export const MAX_FRAMES_AHEAD = 20;

/**
 * Real-time emission: when the next frame may go, so that the listener is never more than 20 frames ahead of
 * its own playing. The clock starts when the first frame goes and starts anew after a pause: between
 * utterances nothing is sent, since the frame header numbers every sample (silence for RTP-like listeners is
 * made where the clock must not stand).
 *
 * The lead follows the queue: a queue that fills up is drained further ahead, one that is nearly empty is
 * spread out, so that a gap upstream is heard as late as possible.
 */
export class Pacer {
  readonly #sampleRateHz: number;
  readonly #frameSize: FrameSize;
  /** When the listener will have played all that was sent, on the clock of `nowMs`. */
  #playedUpAtMs = 0;

  constructor(options: { readonly sampleRateHz: number; readonly frameSize: FrameSize }) {
    this.#sampleRateHz = options.sampleRateHz;
    this.#frameSize = options.frameSize;
  }

  /** Milliseconds until a frame may go; 0: now. */
  delayMs(queuedFrames: number, nowMs: number): number {
    const framesAhead = Math.min(Math.max(queuedFrames, MIN_FRAMES_AHEAD), MAX_FRAMES_AHEAD);
    const frameMs = samplesToMs(this.#frameSize.samples, this.#sampleRateHz);
    return Math.max(0, this.#playedUpAtMs - nowMs - (framesAhead - 1) * frameMs);
  }

  sent(samples: number, nowMs: number): void {
    this.#playedUpAtMs = Math.max(this.#playedUpAtMs, nowMs) + samplesToMs(samples, this.#sampleRateHz);
  }

  /** The listener drops samples that it has not played yet. */
  takenBack(samples: number): void {
    this.#playedUpAtMs -= samplesToMs(samples, this.#sampleRateHz);
  }

  /** The listener has thrown away what it held. */
  reset(): void {
    this.#playedUpAtMs = 0;
  }
}
