export interface BackoffOptions {
  /** About the first wait; each further one is twice as long. */
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait after the n-th failure in a row: doubling up to a bound, and spread by half so that many do not
 * return at once.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure. Between half of the wait and all of it, in milliseconds. */
  nextMs(): number {
    const { firstMs, maxMs } = this.#options;
    const waitMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return waitMs * (0.5 + this.#random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
