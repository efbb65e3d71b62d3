import { passed } from "./timing.ts";
import type { Witness } from "./witness.ts";

/**
 * The plan's concurrency: sockets count only while they generate, requests while they are open. One over the
 * limit waits a little, then is refused (docs/elevenlabs.md 4.3). Waiting is bounded by that wait.
 */
export class Slots {
  readonly limit: number;
  readonly #witness: Witness;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param limit 0 allows any number */
  constructor(limit: number, witness: Witness) {
    this.limit = limit;
    this.#witness = witness;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Whether a slot was granted. Its holder gives it back by `leave`. */
  async enter(waitMs: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.limit === 0 || this.#taken < this.limit) return this.#take();
    const turn = new AbortController();
    const come = () => turn.abort();
    this.#waiting.push(come);
    // Over without its turn having come: the wait is up, or the one who waits is gone.
    await passed(Math.max(1, waitMs), AbortSignal.any([turn.signal, signal]));
    const place = this.#waiting.indexOf(come);
    if (place >= 0) this.#waiting.splice(place, 1);
    if (!turn.signal.aborted) return false;
    if (!signal.aborted) return true;
    this.leave();
    return false;
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      // The slot goes over to the one who has waited longest.
      next();
      return;
    }
    this.#taken--;
    this.#witness.generating(-1);
  }

  #take(): true {
    this.#taken++;
    this.#witness.generating(1);
    return true;
  }
}
