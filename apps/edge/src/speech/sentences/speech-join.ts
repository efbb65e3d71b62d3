import { BYTES_PER_SAMPLE, msToSamples } from "@tts-labs/protocol/audio/pcm";
import { GatewayError } from "@tts-labs/protocol/errors";

/** Fade on either side of a join: too short to be heard as one, long enough that the join does not click. */
const FADE_MS = 5;
const NO_PCM: Uint8Array = new Uint8Array(0);

/** Samples of one part, to be given out. */
export interface JoinedPcm {
  /** On the part's own clock. */
  readonly firstSample: number;
  readonly pcm: Uint8Array;
}

export interface SpeechJoinOptions {
  readonly sampleRateHz: number;
  /** For tests: 0 joins without fading. */
  readonly fadeMs?: number;
}

/**
 * Joins speech that was made in parts: at each join the end of one and the beginning of the next are faded in
 * place, by half a cosine, so that every sample keeps its time and nothing else is changed. Whether a part's end is
 * faded shows only when another follows, so the last samples are held back until then. The first beginning and
 * the last end stay as they are. What comes out depends on the parts alone, not on the entries they came in.
 */
export class SpeechJoin {
  readonly #fadeSamples: number;
  #isFirst = true;
  /** Samples of the part that is being taken and that were not given out yet. */
  #held: Uint8Array = NO_PCM;
  /** End of what is held; `undefined`: nothing of the part has come. */
  #heldAt: number | undefined;

  constructor({ sampleRateHz, fadeMs = FADE_MS }: SpeechJoinOptions) {
    this.#fadeSamples = msToSamples(fadeMs, sampleRateHz);
  }

  /** Place where the part goes on; 0 before anything of it has come. */
  get nextSample(): number {
    return (this.#heldAt ?? 0) + this.#held.byteLength / BYTES_PER_SAMPLE;
  }

  /**
   * The next samples of the part, or, from a splice on, other ones.
   * @returns what may go out: where it begins no later than before, it replaces that
   * @throws GatewayError `stream.lost` where samples are missing
   */
  take(firstSample: number, pcm: Uint8Array): JoinedPcm {
    if (this.#heldAt !== undefined && firstSample > this.nextSample) {
      throw new GatewayError("stream.lost", `Sample ${this.nextSample} was due, ${firstSample} came.`);
    }
    // A resumed listener may begin in the middle, and a splice may reach into what is held, or before it.
    const keepsHeld = this.#heldAt !== undefined && firstSample >= this.#heldAt;
    const at = keepsHeld ? (this.#heldAt ?? 0) : firstSample;
    const before = keepsHeld ? this.#held.subarray(0, (firstSample - at) * BYTES_PER_SAMPLE) : NO_PCM;
    const all = Buffer.concat([before, pcm]);
    if (!this.#isFirst) this.#fadeIn(all.subarray(before.byteLength), firstSample);
    const given = Math.max(0, all.byteLength - this.#fadeSamples * BYTES_PER_SAMPLE);
    this.#held = all.subarray(given);
    this.#heldAt = at + given / BYTES_PER_SAMPLE;
    return { firstSample: at, pcm: all.subarray(0, given) };
  }

  /** Another part follows. @returns the end of the one before, faded out */
  next(): JoinedPcm {
    const end = this.finish();
    const { pcm } = end;
    const count = pcm.byteLength / BYTES_PER_SAMPLE;
    for (let i = 0; i < count; i++) scale(pcm, i, this.#gain(count - 1 - i));
    this.#isFirst = false;
    return end;
  }

  /** Nothing follows. @returns the end as it is */
  finish(): JoinedPcm {
    const end = { firstSample: this.#heldAt ?? 0, pcm: this.#held };
    this.#held = NO_PCM;
    this.#heldAt = undefined;
    return end;
  }

  #fadeIn(pcm: Uint8Array, firstSample: number): void {
    const count = Math.min(this.#fadeSamples - firstSample, pcm.byteLength / BYTES_PER_SAMPLE);
    for (let i = 0; i < count; i++) scale(pcm, i, this.#gain(firstSample + i));
  }

  /** Of the sample that is `distance` samples away from the join. */
  #gain(distance: number): number {
    return 0.5 - 0.5 * Math.cos((Math.PI * (distance + 0.5)) / this.#fadeSamples);
  }
}

function scale(pcm: Uint8Array, sample: number, gain: number): void {
  const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  const at = sample * BYTES_PER_SAMPLE;
  view.setInt16(at, Math.round(view.getInt16(at, true) * gain), true);
}
