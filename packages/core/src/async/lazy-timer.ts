/** Milliseconds that only go forward, unlike the wall clock. */
export const monotonicMs = (): number => performance.now();

/**
 * One timer for an owner with many deadlines that move all the time, mostly later. Setting a later time
 * costs nothing: the timer fires early, the owner looks what is really due and asks again.
 */
export class LazyTimer {
  readonly #onWake: () => void;
  #timer: NodeJS.Timeout | undefined;
  #wakesAtMs = Number.POSITIVE_INFINITY;

  constructor(onWake: () => void) {
    this.#onWake = onWake;
  }

  /** Wakes the owner at `atMs` (on the monotonic clock) or sooner. */
  wakeBy(atMs: number): void {
    if (atMs >= this.#wakesAtMs) return;
    clearTimeout(this.#timer);
    this.#wakesAtMs = atMs;
    // Timers may fire a fraction of a millisecond early; rounding up saves the second look.
    this.#timer = setTimeout(() => this.#wake(), Math.ceil(Math.max(0, atMs - monotonicMs())));
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wakesAtMs = Number.POSITIVE_INFINITY;
  }

  #wake(): void {
    this.cancel();
    this.#onWake();
  }
}
