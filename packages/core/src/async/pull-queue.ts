export interface PullQueueOptions<T> {
  readonly bytesOf: (item: T) => number;
  /** At this many queued bytes, or more, `onFull` is called once. */
  readonly highWaterBytes: number;
  /** The producer should stop. What it had under way is still taken: nothing is dropped. */
  readonly onFull: () => void;
  /** The queue is down to half its high-water mark: the producer may go on. */
  readonly onRoom: () => void;
  /** The consumer left its loop before the end: nothing will be pulled any more. */
  readonly onAbandoned: () => void;
}

/**
 * First in, first out, between a producer that pushes and one consumer that pulls. Its bound is kept by the
 * producer, who is told when to stop and when to go on; so it holds at most the high-water mark and what
 * arrives before the producer has stopped.
 */
export class PullQueue<T> implements AsyncIterable<T> {
  readonly #options: PullQueueOptions<T>;
  readonly #items: T[] = [];
  #queuedBytes = 0;
  #full = false;
  #end: { readonly error: Error | undefined } | undefined;
  #waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: Error) => void } | undefined;

  constructor(options: PullQueueOptions<T>) {
    this.#options = options;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Ignored after the end. */
  push(item: T): void {
    if (this.#end !== undefined) return;
    if (this.#waiting !== undefined) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve({ done: false, value: item });
      return;
    }
    this.#items.push(item);
    this.#queuedBytes += this.#options.bytesOf(item);
    if (!this.#full && this.#queuedBytes >= this.#options.highWaterBytes) {
      this.#full = true;
      this.#options.onFull();
    }
  }

  /** Nothing more will come: the consumer gets what is queued, then the end, or `error`. The first end counts. */
  end(error?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#tellEnd();
  }

  /** Drops what is queued; the consumer gets `error` at its next pull. Overrides an end not yet met. */
  destroy(error: Error): void {
    this.#items.length = 0;
    this.#queuedBytes = 0;
    this.#end = { error };
    this.#tellEnd();
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        if (this.#end === undefined || this.#items.length > 0) this.#options.onAbandoned();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#items.shift();
    if (item !== undefined) {
      this.#queuedBytes -= this.#options.bytesOf(item);
      if (this.#full && this.#queuedBytes <= this.#options.highWaterBytes / 2) {
        this.#full = false;
        this.#options.onRoom();
      }
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#end !== undefined) {
      const { error } = this.#end;
      this.#end = { error: undefined };
      return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
    }
    if (this.#waiting !== undefined) return Promise.reject(new Error("one pull at a time"));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve: resolve as (result: IteratorResult<T>) => void, reject };
    });
  }

  #tellEnd(): void {
    if (this.#waiting === undefined || this.#end === undefined) return;
    const { resolve, reject } = this.#waiting;
    const { error } = this.#end;
    this.#waiting = undefined;
    this.#end = { error: undefined };
    if (error === undefined) resolve({ done: true, value: undefined });
    else reject(error);
  }
}
