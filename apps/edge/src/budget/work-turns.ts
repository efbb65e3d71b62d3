/** True when work waits for its turn. */
export interface TurnTaker {
  /** Performs one small piece of the work. @returns whether more could be done now */
  takeTurn(): boolean;
}

/**
 * Shares each turn of the event loop among all connections: what clients send may take `turnMs` of it, so that timers,
 * Redis and audio have theirs however much is sent. Work that no longer fits is done in the next turns, one small piece
 * for each connection in rotation.
 *
 * A turn lasts from one `setImmediate` to the next; none is scheduled while nothing is sent.
 */
export class WorkTurns {
  readonly #turnMs: number;
  readonly #waiting = new Set<TurnTaker>();
  #spentMs = 0;
  #number = 0;
  #isScheduled = false;

  constructor(turnMs: number) {
    this.#turnMs = turnMs;
  }

  /** Whether work may be done in this turn still. Those that wait come first. */
  get hasRoom(): boolean {
    return this.#spentMs < this.#turnMs && this.#waiting.size === 0;
  }

  /** The number of this turn; asking sees to it that it ends. */
  number(): number {
    this.#schedule();
    return this.#number;
  }

  /**
   * Calls `act` now, within this call, when there is room; else in a later turn, in order with all others that wait.
   */
  run<T>(act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = () => {
        try {
          resolve(act());
        } catch (error) {
          reject(error);
        }
        return false;
      };
      if (!this.hasRoom) {
        this.queue({ takeTurn: attempt });
        return;
      }
      const beganAtMs = performance.now();
      attempt();
      this.spent(performance.now() - beganAtMs);
    });
  }

  /** The caller that was told that there is room says how long the work took. */
  spent(ms: number): void {
    this.#spentMs += ms;
    this.#schedule();
  }

  /** Calls `taker` in the turns to come, until it says that nothing more can be done. May be called twice. */
  queue(taker: TurnTaker): void {
    this.#waiting.add(taker);
    this.#schedule();
  }

  /** `taker` has nothing to do any more. May be called twice. */
  remove(taker: TurnTaker): void {
    this.#waiting.delete(taker);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    this.#number++;
    this.#spentMs = 0;
    if (this.#waiting.size === 0) return;
    const beganAtMs = performance.now();
    // A taker that goes on is put behind all others: the loop visits it again until the time is spent.
    for (const taker of this.#waiting) {
      this.#waiting.delete(taker);
      if (taker.takeTurn()) this.#waiting.add(taker);
      this.#spentMs = performance.now() - beganAtMs;
      if (this.#spentMs >= this.#turnMs) break;
    }
    this.#schedule();
  }
}
