import { createHash } from "node:crypto";

/** One utterance as a listener met it. */
export interface HeardUtterance {
  /** Sending of the text (or, where it had to connect first, the first step towards it) → first audio in hand. */
  readonly firstAudioMs: number;
  readonly bytes: number;
  /** SHA-256 of all samples, unless they were checked in another way. */
  readonly digest: string;
  /** What the gateway says of its own parts; empty for a direct client. */
  readonly partsMs: Readonly<Record<string, number>>;
}

/** What is done with the samples beyond counting them. */
export interface SampleCheck {
  take(pcm: Uint8Array): void;
  /** Once all of them were taken. */
  digest(): string;
}

class Sha256 implements SampleCheck {
  readonly #hash = createHash("sha256");

  take(pcm: Uint8Array): void {
    this.#hash.update(pcm);
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

/** Gathers one utterance's audio without keeping it. */
export class Ear {
  readonly #startedAtMs: number;
  readonly #check: SampleCheck;
  #firstAudioMs: number | undefined;
  #bytes = 0;

  constructor(startedAtMs: number, check: SampleCheck = new Sha256()) {
    this.#startedAtMs = startedAtMs;
    this.#check = check;
  }

  /** `atMs` is when the message arrived, before anything was done with it. */
  hear(pcm: Uint8Array, atMs: number): void {
    if (pcm.byteLength === 0) return;
    this.#firstAudioMs ??= atMs - this.#startedAtMs;
    this.#bytes += pcm.byteLength;
    this.#check.take(pcm);
  }

  /** @throws Error when there was no audio */
  finish(partsMs: Readonly<Record<string, number>> = {}): HeardUtterance {
    if (this.#firstAudioMs === undefined) throw new Error("the utterance ended without audio");
    return {
      firstAudioMs: this.#firstAudioMs,
      bytes: this.#bytes,
      digest: this.#check.digest(),
      partsMs,
    };
  }
}

/** Nothing in a bench may hang: `promise`, or a failure that names what was waited for. */
export async function within<T>(limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
