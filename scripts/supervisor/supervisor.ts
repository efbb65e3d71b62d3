import { Part, type PartOptions } from "./part.ts";

/** Long enough for a part to finish what it does; then it is killed. */
const STOP_LIMIT_MS = 8_000;

/** A part, and what takes its place when it is restarted. */
interface Place {
  readonly options: PartOptions;
  part: Part;
  isRestarting?: boolean;
}

/**
 * What runs, in the order of its starting, and one way to end it: in reverse, each part with a time limit. The
 * first part that ends unasked is told by `failed`; ending the rest is up to the owner.
 */
export class Supervisor {
  /** The sentence to tell. Never rejects; stays open when all end as asked. */
  readonly failed: Promise<string>;
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #places: Place[] = [];
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
    const place: Place = { options, part };
    this.#places.push(place);
    this.#closers.push(() => place.part.stop(STOP_LIMIT_MS));
    await part.ready(this.#stopped.signal);
    // A part that ends before it is ready is reported to the caller, who may try again.
    this.#missIn(place);
    return part;
  }

  /**
   * Ends the parts of this name and starts each anew as it was started.
   * @throws Error when one is not ready again; the others run on, and it may be restarted once more
   */
  async restart(name: string): Promise<void> {
    for (const place of this.#places.filter(({ options }) => options.name === name)) {
      this.#stopped.signal.throwIfAborted();
      const former = place.part;
      place.isRestarting = true;
      await former.stop(STOP_LIMIT_MS);
      // A stop that came meanwhile has closed this place already.
      this.#stopped.signal.throwIfAborted();
      place.part = new Part(place.options);
      await place.part.ready(this.#stopped.signal);
      place.isRestarting = false;
      this.#missIn(place);
    }
  }

  #missIn(place: Place): void {
    const { part } = place;
    void part.exited.then((how) => {
      if (!place.isRestarting && place.part === part) this.#report(place.options.name, how);
    });
  }

  #miss(name: string, closed: Promise<unknown>): void {
    void closed.then((how) => this.#report(name, how));
  }

  #report(name: string, how: unknown): void {
    if (this.#stopping !== undefined) return;
    this.#fail(`The ${name} has ended by itself${typeof how === "string" ? ` (${how})` : ""}.`);
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** A second call is safe: two signals may come at once; a second later it means "now". */
  stop(): Promise<void> {
    if (this.#stopping === undefined) {
      this.#stoppingSinceMs = performance.now();
      this.#stopped.abort();
      this.#stopping = this.#closeAll();
    } else if (performance.now() - this.#stoppingSinceMs > 1_000) {
      for (const { part } of this.#places) part.kill();
    }
    return this.#stopping;
  }

  async #closeAll(): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) await close();
  }
}
