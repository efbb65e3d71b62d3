import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import type { AudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ServerMessageOf } from "@tts-labs/protocol/server-message";

type CacheUse = ServerMessageOf<"stream_complete">["cache"];

export type HeardEnd =
  | { readonly kind: "completed"; readonly samples: number; readonly cache?: CacheUse }
  /** As the server told it. */
  | { readonly kind: "failed"; readonly code: string; readonly retryable: boolean }
  /** The connection went, and with it the session. */
  | { readonly kind: "disconnected"; readonly closeCode: number }
  /** No sign of it for longer than anybody would wait. */
  | { readonly kind: "stuck" };

/** Audio that follows on from itself: up to the first splice, or from one splice on. */
export interface Segment {
  /** Of the utterance's clock. */
  readonly firstSample: number;
  readonly parts: Buffer[];
  samples: number;
}

/** One utterance as its listener has it: what was asked for, every sample that came, and when. */
export class HeardUtterance {
  readonly text: string;
  readonly voice: string;
  readonly session: number;
  readonly askedAtMs = performance.now();
  /** Arrival of each frame. */
  readonly framesAtMs: number[] = [];
  /** Arrival of each frame that carried a splice. */
  readonly splicesAtMs: number[] = [];
  readonly segments: Segment[] = [{ firstSample: 0, parts: [], samples: 0 }];
  /** Samples that never came, before others that did. */
  skippedSamples = 0;
  /** Samples that came although they had come before, without a splice. */
  duplicatedSamples = 0;
  /** Last message, frame or end. */
  lastSignAtMs = performance.now();
  endedAtMs = 0;
  /** Resolves with how it ended; never rejects. */
  readonly ended: Promise<HeardEnd>;
  #end: HeardEnd | undefined;
  #resolve: (end: HeardEnd) => void = () => {};

  constructor(asked: { readonly text: string; readonly voice: string; readonly session: number }) {
    this.text = asked.text;
    this.voice = asked.voice;
    this.session = asked.session;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get end(): HeardEnd | undefined {
    return this.#end;
  }

  /** The first sample that is still missing. */
  get nextSample(): number {
    const { firstSample, samples } = this.#segment;
    return firstSample + samples;
  }

  sign(): void {
    this.lastSignAtMs = performance.now();
  }

  take(frame: AudioFrame): void {
    this.sign();
    this.framesAtMs.push(this.lastSignAtMs);
    if (frame.splice) {
      this.splicesAtMs.push(this.lastSignAtMs);
      this.skippedSamples += Math.max(0, frame.firstSample - this.nextSample);
      this.segments.push({ firstSample: frame.firstSample, parts: [], samples: 0 });
    }
    const ahead = frame.firstSample - this.nextSample;
    if (ahead > 0) {
      // Silence in their place keeps the rest comparable.
      this.skippedSamples += ahead;
      this.#append(Buffer.alloc(ahead * BYTES_PER_SAMPLE));
    }
    const samples = frame.payload.byteLength / BYTES_PER_SAMPLE;
    const known = Math.min(samples, Math.max(0, -ahead));
    this.duplicatedSamples += known;
    // A copy: the payload is a view into the socket's buffer.
    this.#append(Buffer.from(frame.payload.subarray(known * BYTES_PER_SAMPLE)));
  }

  finish(end: HeardEnd): void {
    if (this.#end !== undefined) return;
    this.sign();
    this.endedAtMs = this.lastSignAtMs;
    this.#end = end;
    this.#resolve(end);
  }

  get #segment(): Segment {
    const last = this.segments.at(-1);
    if (last === undefined) throw new RangeError("an utterance has at least one segment");
    return last;
  }

  #append(pcm: Buffer): void {
    if (pcm.byteLength === 0) return;
    this.#segment.parts.push(pcm);
    this.#segment.samples += pcm.byteLength / BYTES_PER_SAMPLE;
  }
}
