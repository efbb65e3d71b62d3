import { GatewayError } from "@tts-labs/core/errors";
import type { RedisConnection } from "@tts-labs/core/redis/client";

/** Longer than a healthy Redis ever takes, shorter than a balancer's patience. */
const LIMIT_MS = 1_000;

/** Whether Redis answers now; those who ask at the same time share one question. */
export class StorageCheck {
  readonly #redis: RedisConnection;
  #asking: Promise<boolean> | undefined;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  isThere(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new GatewayError("storage.timeout")), LIMIT_MS);
    });
    try {
      await Promise.race([this.#redis.ping(), limit]);
      return true;
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  }
}
