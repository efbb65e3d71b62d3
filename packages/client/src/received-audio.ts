import type { AudioFrame } from "@tts-labs/core/protocol/audio-frame";
import type { AudioChunk } from "./frame-queue.ts";
import { SpeechError } from "./speech-error.ts";

/** What has come of one utterance's audio, and whether the next frame joins it. */
export class ReceivedAudio {
  readonly #gapless: boolean;
  #nextSample = 0;
  #samples = 0;
  #frames = 0;
  #splices = 0;
  #seq: number | undefined;

  /** `gapless`: false where the session may drop frames, so that gaps are no error. */
  constructor(gapless: boolean) {
    this.#gapless = gapless;
  }

  /** Held, without those that a splice has replaced. */
  get samples(): number {
    return this.#samples;
  }
  get frames(): number {
    return this.#frames;
  }
  get splices(): number {
    return this.#splices;
  }
  /** Where a resumed session goes on. */
  get position(): { readonly sample: number; readonly seq?: number } {
    return { sample: this.#nextSample, ...(this.#seq === undefined ? {} : { seq: this.#seq }) };
  }

  /** The frame as a chunk, or the error that it is. */
  accept({ payload, firstSample, seq, last, splice, deflated }: AudioFrame): AudioChunk | SpeechError {
    if (deflated || payload.byteLength % 2 !== 0) return new SpeechError("client.not_understood");
    const joins = splice ? firstSample <= this.#nextSample : firstSample === this.#nextSample;
    if (this.#gapless && !joins) {
      const facts = { expected: this.#nextSample, received: firstSample };
      return new SpeechError("client.audio_gap", undefined, { facts });
    }
    const samples = new Int16Array(payload.slice().buffer);
    const replaced = splice ? Math.max(0, this.#nextSample - firstSample) : 0;
    this.#samples = Math.max(0, this.#samples - replaced) + samples.length;
    this.#nextSample = firstSample + samples.length;
    this.#frames++;
    this.#seq = seq;
    if (!splice) return { firstSample, samples, last };
    this.#splices++;
    return { firstSample, samples, last, splice };
  }
}
