import type { RedisConnection } from "@tts-labs/core/redis/client";
import type { Keys } from "@tts-labs/core/redis/keys";
import { ownClock, type SharedClock } from "@tts-labs/core/redis/shared-clock";
import { toStorageError } from "@tts-labs/core/redis/storage-error";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { WantedRoutes } from "./services.ts";

/** Routes listed at once; the one that expires first gives way. */
const MAX_ROUTES = 256;
/** A wish is good for so long: about as long as a pool keeps a route warm without use. */
const ROUTE_TTL_MS = 60_000;

/**
 * Routes that clients have announced with `prewarm`, where workers find them: a sorted set whose members are
 * speech options in JSON and whose scores are when they expire (ms since 1970). One key, so one slot.
 */
export class RedisWantedRoutes implements WantedRoutes {
  readonly #redis: RedisConnection;
  readonly #key: string;
  readonly #clock: SharedClock;

  constructor(redis: RedisConnection, keys: Keys, clock: SharedClock = ownClock) {
    this.#redis = redis;
    this.#key = keys.routes;
    this.#clock = clock;
  }

  async add(speech: SpeechOptions): Promise<void> {
    const nowMs = Math.round(this.#clock.now());
    try {
      const results = await this.#redis
        .multi()
        .zadd(this.#key, nowMs + ROUTE_TTL_MS, JSON.stringify(speech))
        .zremrangebyscore(this.#key, "-inf", nowMs)
        .zremrangebyrank(this.#key, 0, -MAX_ROUTES - 1)
        .pexpire(this.#key, ROUTE_TTL_MS)
        .exec();
      for (const [error] of results ?? []) if (error !== null) throw error;
    } catch (error) {
      throw toStorageError(error);
    }
  }
}
