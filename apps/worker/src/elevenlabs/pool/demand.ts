/**
 * Periods over which the rate of arrivals is averaged: the short one sees a rise early, the long one bridges a pause.
 */
const SHORT_MS = 1_000;
const LONG_MS = 5_000;
/** Until a connect has been seen: a little more than the provider's usual 180 ms. */
const USUAL_CONNECT_MS = 200;
/** Of a new connect time on their mean. */
const CONNECT_WEIGHT = 0.2;
/**
 * Arrivals come by chance: while one socket connects, more than the mean and four times its root come in one of
 * 1,000 cases (Poisson).
 */
const MARGIN = 4;

/**
 * How many sockets one route needs ahead: as many as are likely to be taken while one connects. All times
 * monotonic milliseconds.
 */
export class Demand {
  readonly #short = new Rate(SHORT_MS);
  readonly #long = new Rate(LONG_MS);
  #connectMs = USUAL_CONNECT_MS;

  arrived(nowMs: number): void {
    this.#short.count(nowMs);
    this.#long.count(nowMs);
  }

  connected(connectMs: number): void {
    this.#connectMs += (connectMs - this.#connectMs) * CONNECT_WEIGHT;
  }

  /** Arrivals per second. */
  rate(nowMs: number): number {
    return Math.max(this.#short.perSecond(nowMs), this.#long.perSecond(nowMs));
  }

  sockets(nowMs: number): number {
    const mean = (this.rate(nowMs) * this.#connectMs) / 1_000;
    return Math.ceil(mean + MARGIN * Math.sqrt(mean));
  }

  /** Between the beginnings of two connects: `usualMs`, or so little that they come at twice the rate of arrivals. */
  staggerMs(usualMs: number, nowMs: number): number {
    return Math.min(usualMs, 500 / this.rate(nowMs));
  }
}

/** Counts what happens, and forgets it: each event weighs less by the time gone since. */
class Rate {
  readonly #overMs: number;
  #weight = 0;
  #atMs = 0;

  constructor(overMs: number) {
    this.#overMs = overMs;
  }

  count(nowMs: number): void {
    this.#weight = this.#left(nowMs) + 1;
    this.#atMs = nowMs;
  }

  /** One event alone is no rate: it takes two to make a distance. */
  perSecond(nowMs: number): number {
    return (Math.max(0, this.#left(nowMs) - 1) / this.#overMs) * 1_000;
  }

  #left(nowMs: number): number {
    return this.#weight * Math.exp(-Math.max(0, nowMs - this.#atMs) / this.#overMs);
  }
}
