import { withResolvers } from "./deferred.ts";
import { type AudioChunk, FrameQueue } from "./frame-queue.ts";
import { SpeechError } from "./speech-error.ts";
import { TypedEvents } from "./typed-events.ts";
import type { UtteranceEvents, UtteranceTotals } from "./utterance.ts";

/** What an utterance gives: events, audio to be iterated where no listener takes it, an end. */
export class UtteranceOutput {
  readonly finished: Promise<UtteranceTotals>;
  readonly #events = new TypedEvents<UtteranceEvents>();
  readonly #queue: FrameQueue;
  readonly #finished = withResolvers<UtteranceTotals>();

  constructor(maxBufferedSamples: number) {
    this.#queue = new FrameQueue(maxBufferedSamples);
    this.finished = this.#finished.promise;
    // The error is told by whatever the caller looks at: `finished`, the iteration, or `ended`.
    this.finished.catch(() => {});
  }

  on<K extends keyof UtteranceEvents>(name: K, listener: (event: UtteranceEvents[K]) => void): () => void {
    return this.#events.on(name, listener);
  }

  emit<K extends keyof UtteranceEvents>(name: K, event: UtteranceEvents[K]): void {
    this.#events.emit(name, event);
  }

  /** False when more would wait to be iterated than may. */
  giveAudio(chunk: AudioChunk): boolean {
    if (!this.#events.has("audio")) return this.#queue.push(chunk);
    this.#events.emit("audio", chunk);
    return true;
  }

  /** `onLeft`: the loop was left early. */
  iterate(onLeft: () => void): AsyncIterator<AudioChunk, undefined> {
    return {
      next: () => this.#queue.next(),
      return: () => {
        this.#queue.discard();
        onLeft();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** Nobody wants the audio that waits. */
  discardAudio(): void {
    this.#queue.discard();
  }

  /** Once. */
  end(result: UtteranceTotals | SpeechError): void {
    if (result instanceof SpeechError) {
      this.#queue.end(result);
      this.#finished.reject(result);
    } else {
      this.#queue.end();
      this.#finished.resolve(result);
    }
    this.#events.emit("ended", result);
  }
}
