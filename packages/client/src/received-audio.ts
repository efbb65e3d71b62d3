import type { AudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ServerMessageOf } from "@tts-labs/protocol/wire-types";
import type { AudioChunk } from "./frame-queue.ts";
import { SpeechError } from "./speech-error.ts";
import type { UtteranceTotals } from "./utterance.ts";

export interface ReceivedAudioOptions {
  readonly sampleRateHz: number;
  /** False where the session may drop frames, so that gaps are no error. */
  readonly gapless: boolean;
}

/** What has come of one utterance's audio, and whether the next frame joins it. */
export class ReceivedAudio {
  readonly #options: ReceivedAudioOptions;
  readonly #askedAtMs = performance.now();
  #firstAudioMs: number | null = null;
  #nextSample = 0;
  #samples = 0;
  #frames = 0;
  #droppedFrames = 0;
  #splices = 0;
  #seq: number | undefined;

  constructor(options: ReceivedAudioOptions) {
    this.#options = options;
  }

  /** Held, without those that a splice has replaced. */
  get samples(): number {
    return this.#samples;
  }
  /** From asking to the first of it; null before. */
  get firstAudioMs(): number | null {
    return this.#firstAudioMs;
  }
  /** The place where a resumed session goes on. */
  get position(): { readonly sample: number; readonly seq?: number } {
    return { sample: this.#nextSample, ...(this.#seq === undefined ? {} : { seq: this.#seq }) };
  }

  /** The frame as a chunk, or the error that it is. */
  accept({ payload, firstSample, seq, last, splice, deflated }: AudioFrame): AudioChunk | SpeechError {
    if (deflated || payload.byteLength % 2 !== 0) return new SpeechError("client.not_understood");
    const joins = splice ? firstSample <= this.#nextSample : firstSample === this.#nextSample;
    if (this.#options.gapless && !joins) {
      const facts = { expected: this.#nextSample, received: firstSample };
      return new SpeechError("client.audio_gap", undefined, { facts });
    }
    this.#firstAudioMs ??= performance.now() - this.#askedAtMs;
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

  dropped(frames: number): void {
    this.#droppedFrames += frames;
  }

  /** Totals of all that the server says it has sent, or the error that something of it is missing. */
  complete(message: ServerMessageOf<"stream_complete">): UtteranceTotals | SpeechError {
    if (this.#options.gapless && message.samples !== this.#samples) {
      const facts = { expected: message.samples, received: this.#samples };
      return new SpeechError("client.audio_gap", undefined, { facts });
    }
    return {
      ...this.totals("completed", message.utterance_id),
      characters: message.characters,
      droppedFrames: message.dropped_frames,
      serverFirstAudioMs: message.first_audio_ms,
      latencyMs: message.latency_ms,
      ...(message.cache === undefined ? {} : { cache: message.cache }),
      ...(message.sentences === undefined ? {} : { sentences: message.sentences }),
    };
  }

  totals(outcome: UtteranceTotals["outcome"], utteranceId: string): UtteranceTotals {
    return {
      outcome,
      utteranceId,
      samples: this.#samples,
      durationMs: (this.#samples * 1000) / this.#options.sampleRateHz,
      frames: this.#frames,
      splices: this.#splices,
      droppedFrames: this.#droppedFrames,
      characters: 0,
      firstAudioMs: this.#firstAudioMs,
      serverFirstAudioMs: null,
      latencyMs: {},
    };
  }
}
