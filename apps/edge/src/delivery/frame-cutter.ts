import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { FRAME_HEADROOM_BYTES, type Frame } from "./frame.ts";
import type { FrameSize } from "./frame-size.ts";

/**
 * Cuts an utterance's chunks into frames of exactly `frameSize.samples`, as it stands when a frame is begun, the
 * remainder carried over; the last one is as short as it comes. A full frame is held back until more is known to
 * follow, so that the true last frame can say so. Before a splice a frame ends where that begins, whatever its length.
 * Samples are copied once, out of the reader's buffer into the one that is sent.
 */
export class FrameCutter {
  readonly #frameSize: FrameSize;
  /** Of the frame being filled. */
  #frameBytes: number;
  #buffer: Uint8Array<ArrayBuffer>;
  #filledBytes = 0;
  /** Stream entry of the last sample filled in. */
  #seq = 0;
  /** Samples of the frames already cut, those of an earlier connection included. */
  #cutSamples: number;
  /** The frame being filled begins at a splice. */
  #isSplice = false;

  constructor(frameSize: FrameSize, firstSample = 0) {
    this.#cutSamples = firstSample;
    this.#frameSize = frameSize;
    this.#frameBytes = frameSize.samples * BYTES_PER_SAMPLE;
    this.#buffer = this.#blank();
  }

  /** Samples taken in so far, cut or carried. */
  get samples(): number {
    return this.#cutSamples + this.#filledBytes / BYTES_PER_SAMPLE;
  }

  /** The frames that `pcm` (whole samples of entry `seq`) completes; cut as they are taken. */
  *push(pcm: Uint8Array, seq: number): Generator<Frame, void> {
    for (let at = 0; at < pcm.byteLength; ) {
      if (this.#filledBytes === this.#frameBytes) yield this.#cut(false);
      const part = pcm.subarray(at, at + this.#frameBytes - this.#filledBytes);
      this.#buffer.set(part, FRAME_HEADROOM_BYTES + this.#filledBytes);
      this.#filledBytes += part.byteLength;
      this.#seq = seq;
      at += part.byteLength;
    }
  }

  /**
   * What comes next begins at `sample` and replaces whatever came from there on: what is carried of that is dropped.
   * @returns the frame up to there, if one has been begun
   */
  splice(sample: number): Frame | undefined {
    const carried = (sample - this.#cutSamples) * BYTES_PER_SAMPLE;
    this.#filledBytes = Math.min(this.#filledBytes, Math.max(0, carried));
    const before = this.#filledBytes === 0 ? undefined : this.#cut(false);
    this.#cutSamples = sample;
    this.#isSplice = true;
    return before;
  }

  /** The last frame; none of an utterance without samples. */
  finish(): Frame | undefined {
    return this.#filledBytes === 0 ? undefined : this.#cut(true);
  }

  #cut(last: boolean): Frame {
    const pcm = this.#buffer.subarray(FRAME_HEADROOM_BYTES, FRAME_HEADROOM_BYTES + this.#filledBytes);
    const firstSample = this.#cutSamples;
    const samples = this.#filledBytes / BYTES_PER_SAMPLE;
    const splice = this.#isSplice;
    this.#isSplice = false;
    this.#cutSamples += samples;
    this.#filledBytes = 0;
    this.#frameBytes = this.#frameSize.samples * BYTES_PER_SAMPLE;
    this.#buffer = this.#blank();
    return { firstSample, samples, seq: this.#seq, last, splice, pcm };
  }

  #blank(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(FRAME_HEADROOM_BYTES + this.#frameBytes);
  }
}
