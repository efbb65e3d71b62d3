import type { RedisConnection } from "./client.ts";
import type { Keys } from "./keys.ts";
import { settleWithin } from "./settle-within.ts";

/** How often the offset is measured anew: clocks drift by milliseconds in this time. */
const MEASURE_EVERY_MS = 30_000;
/** The answer that came soonest counts: it is off by half its round trip at most. */
const SAMPLES = 3;

/**
 * A clock that all processes share. What one process stores for another to compare is in its time, and
 * each turns it into its own: machines' clocks may be minutes apart.
 */
export interface SharedClock {
  /** Milliseconds since 1970, as all see it. */
  now(): number;
  /** From `Date.now()` of this process. */
  toShared(localMs: number): number;
  /** To be compared with `Date.now()` of this process. */
  toLocal(sharedMs: number): number;
}

/** For a process that is alone. */
export const ownClock: SharedClock = {
  now: () => Date.now(),
  toShared: (localMs) => localMs,
  toLocal: (sharedMs) => sharedMs,
};

/**
 * The clock of the Redis node that keeps the queue. Until it has been asked, and while it can't be, the last that was
 * known counts.
 */
export class RedisClock implements SharedClock {
  readonly #redis: RedisConnection;
  readonly #key: string;
  readonly #timer: NodeJS.Timeout;
  /** Offset that is added to `performance.now()`, which no clock adjustment changes. */
  #offsetMs = performance.timeOrigin;

  /** Measured before it is given out. */
  static async open(redis: RedisConnection, keys: Keys): Promise<RedisClock> {
    const clock = new RedisClock(redis, keys);
    await clock.#measure();
    return clock;
  }

  private constructor(redis: RedisConnection, keys: Keys) {
    this.#redis = redis;
    this.#key = `${keys.queuePrefix}:clock`;
    this.#timer = setInterval(() => void this.#measure(), MEASURE_EVERY_MS);
    this.#timer.unref();
  }

  now(): number {
    return performance.now() + this.#offsetMs;
  }

  toShared(localMs: number): number {
    return localMs + this.now() - Date.now();
  }

  toLocal(sharedMs: number): number {
    return sharedMs - this.now() + Date.now();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Never throws. */
  async #measure(): Promise<void> {
    let shortestMs = Number.POSITIVE_INFINITY;
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      const askedAtMs = performance.now();
      const serverMs = await this.#ask().catch(() => undefined);
      if (serverMs === undefined) return;
      const answeredAtMs = performance.now();
      if (answeredAtMs - askedAtMs >= shortestMs) continue;
      shortestMs = answeredAtMs - askedAtMs;
      this.#offsetMs = serverMs - (askedAtMs + answeredAtMs) / 2;
    }
  }

  /** By a script with a key: on a cluster, `TIME` alone is answered by any node. */
  async #ask(): Promise<number> {
    const answer = await settleWithin(this.#redis.eval("return redis.call('TIME')", 1, this.#key));
    const [seconds, microseconds] = answer as [string, string];
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  }
}
