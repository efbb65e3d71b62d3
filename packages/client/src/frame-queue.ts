import { type Deferred, withResolvers } from "./deferred.ts";
import type { SpeechError } from "./speech-error.ts";

/** A run of samples at its place on the utterance's own clock. */
export interface AudioChunk {
  /** Number of the first of `samples`, from 0. */
  readonly firstSample: number;
  readonly samples: Int16Array<ArrayBuffer>;
  /** Nothing follows. What ends without it, as a series may, has its end told by `finished`. */
  readonly last: boolean;
  /**
   * `firstSample` goes back: another worker, or a fresh provider socket, has taken over at the word being spoken. This
   * and what follows replaces everything from `firstSample` on, at most about one word of what was given before.
   */
  readonly splice?: true;
}

/**
 * Audio that has arrived and waits to be iterated. A WebSocket can't be told to wait, so the queue is bounded
 * in samples: `push` says false when the bound is reached, and the owner ends the utterance with
 * `client.buffer_full`. One reader at a time; the second call of `next` while one waits is an error of the caller.
 */
export class FrameQueue {
  readonly #maxSamples: number;
  #chunks: AudioChunk[] = [];
  #head = 0;
  #samples = 0;
  #end: { readonly error?: SpeechError } | undefined;
  #waiting: Deferred<IteratorResult<AudioChunk, undefined>> | undefined;

  constructor(maxSamples: number) {
    this.#maxSamples = maxSamples;
  }

  get samples(): number {
    return this.#samples;
  }

  push(chunk: AudioChunk): boolean {
    if (this.#end !== undefined) return true;
    if (this.#waiting !== undefined) {
      this.#take()?.resolve({ done: false, value: chunk });
      return true;
    }
    if (this.#samples + chunk.samples.length > this.#maxSamples) return false;
    this.#chunks.push(chunk);
    this.#samples += chunk.samples.length;
    return true;
  }

  /** What waits can still be taken; then the iteration is over, or throws `error`. */
  end(error?: SpeechError): void {
    if (this.#end !== undefined) return;
    this.#end = error === undefined ? {} : { error };
    const waiting = this.#take();
    if (error === undefined) waiting?.resolve({ done: true, value: undefined });
    else waiting?.reject(error);
  }

  /** Throws away what waits; for a reader who has gone or an utterance that was cancelled. */
  discard(): void {
    this.#chunks = [];
    this.#head = 0;
    this.#samples = 0;
    this.end();
  }

  next(): Promise<IteratorResult<AudioChunk, undefined>> {
    const chunk = this.#chunks[this.#head];
    if (chunk !== undefined) {
      this.#head++;
      this.#samples -= chunk.samples.length;
      // Rarely, and only when half is empty, so that taking a chunk costs the same however many wait.
      if (this.#head > 256 && this.#head * 2 > this.#chunks.length) {
        this.#chunks = this.#chunks.slice(this.#head);
        this.#head = 0;
      }
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#end !== undefined) {
      if (this.#end.error !== undefined) return Promise.reject(this.#end.error);
      return Promise.resolve({ done: true, value: undefined });
    }
    if (this.#waiting !== undefined) {
      return Promise.reject(new TypeError("the audio of an utterance is read by one reader at a time"));
    }
    this.#waiting = withResolvers();
    return this.#waiting.promise;
  }

  #take(): Deferred<IteratorResult<AudioChunk, undefined>> | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}
