import { createHash } from "node:crypto";

/** One utterance as a listener met it. */
export interface HeardUtterance {
  /** Sending of the text (or, where it had to connect first, the first step towards it) → first audio in hand. */
  readonly firstAudioMs: number;
  readonly bytes: number;
  /** SHA-256 over all samples. */
  readonly digest: string;
  /** What the gateway says of its own parts; empty for a direct client. */
  readonly partsMs: Readonly<Record<string, number>>;
}

/** Gathers one utterance's audio without keeping it. */
export class Ear {
  readonly #hash = createHash("sha256");
  readonly #startedAtMs: number;
  #firstAudioMs: number | undefined;
  #bytes = 0;

  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
  }

  /** `atMs` is when the message arrived, before anything was done with it. */
  hear(pcm: Uint8Array, atMs: number): void {
    if (pcm.byteLength === 0) return;
    this.#firstAudioMs ??= atMs - this.#startedAtMs;
    this.#bytes += pcm.byteLength;
    this.#hash.update(pcm);
  }

  /** @throws Error when there was no audio */
  finish(partsMs: Readonly<Record<string, number>> = {}): HeardUtterance {
    if (this.#firstAudioMs === undefined) throw new Error("the utterance ended without audio");
    return {
      firstAudioMs: this.#firstAudioMs,
      bytes: this.#bytes,
      digest: this.#hash.digest("hex"),
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
