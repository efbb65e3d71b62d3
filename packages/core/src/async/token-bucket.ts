export interface TokenRate {
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** Tokens that may be spent at once after a rest. */
  readonly burst: number;
}

/** Tokens that sums of fractions may be short of. */
const ROUNDING = 1e-6;

/**
 * A rate with room for bursts: `burst` tokens to begin with, `perSecond` of them back each second. Times are
 * milliseconds of a monotonic clock that the caller reads, so that one reading can serve several buckets. Nothing is
 * allocated after construction.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor({ perSecond, burst }: TokenRate, nowMs: number) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Takes `cost` tokens if they are there. A cost above the whole burst is taken from a full bucket, as a debt. */
  tryTake(cost: number, nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < Math.min(cost, this.#burst) - ROUNDING) return false;
    this.#tokens -= cost;
    return true;
  }

  /** Takes `cost` tokens whether they are there or not: what was done already has to be paid for. */
  charge(cost: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#tokens -= cost;
  }

  /** Milliseconds until `tryTake(cost)` can succeed; 0 when it would now. */
  waitMs(cost: number, nowMs: number): number {
    this.#refill(nowMs);
    return Math.max(0, Math.ceil((Math.min(cost, this.#burst) - this.#tokens) / this.#perMs));
  }

  /** Tokens that are there; below zero: the debt. */
  tokens(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens;
  }

  #refill(nowMs: number): void {
    if (nowMs <= this.#atMs) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}
