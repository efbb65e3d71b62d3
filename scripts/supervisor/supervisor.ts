import { Part, type PartOptions } from "./part.ts";

/** Long enough for a part to finish what it does; then it is killed. */
const STOP_LIMIT_MS = 8_000;

/**
 * What runs, in the order of its starting, and one way to end it: in reverse, each part with a time limit. The
 * first part that ends unasked is told by `failed`; ending the rest is up to the owner.
 */
export class Supervisor {
  /** The sentence to tell. Never rejects; stays open when all end as asked. */
  readonly failed: Promise<string>;
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #parts: Part[] = [];
  readonly #stopped = new AbortController();
  #fail: (sentence: string) => void = () => {};
  #stopping: Promise<void> | undefined;
  #stoppingSinceMs = 0;

  constructor() {
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  /**
   * Takes over a thing that was started: it is closed in its turn, and missed when it ends before.
   * @throws Error when we are stopping; the thing is closed then
   */
  async own(name: string, closed: Promise<unknown>, close: () => Promise<void>): Promise<void> {
    if (this.#stopping !== undefined) {
      await close();
      this.#stopped.signal.throwIfAborted();
    }
    this.#closers.push(close);
    this.#miss(name, closed);
  }

  /** @throws Error when the part ends, or `stop` is called, before the part is ready */
  async start(options: PartOptions): Promise<Part> {
    this.#stopped.signal.throwIfAborted();
    const part = new Part(options);
    this.#parts.push(part);
    this.#closers.push(() => part.stop(STOP_LIMIT_MS));
    await part.ready(this.#stopped.signal);
    // What ends before is told to the one who starts it, who may try again.
    this.#miss(options.name, part.exited);
    return part;
  }

  #miss(name: string, closed: Promise<unknown>): void {
    void closed.then((how) => {
      if (this.#stopping !== undefined) return;
      this.#fail(`The ${name} has ended by itself${typeof how === "string" ? ` (${how})` : ""}.`);
    });
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** May be called again: by the second of two signals at once; a second later it means "now". */
  stop(): Promise<void> {
    if (this.#stopping === undefined) {
      this.#stoppingSinceMs = performance.now();
      this.#stopped.abort();
      this.#stopping = this.#closeAll();
    } else if (performance.now() - this.#stoppingSinceMs > 1_000) {
      for (const part of this.#parts) part.kill();
    }
    return this.#stopping;
  }

  async #closeAll(): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) await close();
  }
}
