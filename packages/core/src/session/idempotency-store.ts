import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { toStorageError } from "../redis/storage-error.ts";

/** What is known of a request that names itself. `running` and `done`: the same request came before. */
export type Attempt = "first" | "running" | "done" | "other";

/** Requests that may be sent again and must not be made again, by the name that their client gave them. */
export interface IdempotencyStore {
  /**
   * @param name the client's, within its tenant
   * @param fingerprint of all that the request asks for; another one under the same name is `other`
   * @throws GatewayError `storage.*`
   */
  begin(name: string, fingerprint: string): Promise<Attempt>;
  /** It was answered to its end: remembered for `IDEMPOTENCY_KEPT_MS`. @throws GatewayError `storage.*` */
  done(name: string, fingerprint: string): Promise<void>;
  /** It has come to nothing: the next one is the first again. @throws GatewayError `storage.*` */
  release(name: string): Promise<void>;
}

/** How long an answered request is remembered. */
export const IDEMPOTENCY_KEPT_MS: number = 60 * 60 * 1_000;
/** How long one is that neither ended nor failed, as where its edge has died; what is still spoken is joined then. */
const RUNNING_KEPT_MS = 5 * 60 * 1_000;

/** One key with a TTL for each request, so the rate of requests bounds how many there are. */
export class RedisIdempotencyStore implements IdempotencyStore {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;

  constructor(redis: RedisConnection, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  async begin(name: string, fingerprint: string): Promise<Attempt> {
    const key = this.#keys.idempotency(name);
    const running = `running ${fingerprint}`;
    return await this.#try(async () => {
      const claimed = await this.#redis.set(key, running, "PX", RUNNING_KEPT_MS, "NX");
      if (claimed !== null) return "first";
      const found = await this.#redis.get(key);
      // It has expired in between: the next attempt is the first.
      if (found === null || found === running) return "running";
      return found === `done ${fingerprint}` ? "done" : "other";
    });
  }

  async done(name: string, fingerprint: string): Promise<void> {
    const key = this.#keys.idempotency(name);
    await this.#try(() => this.#redis.set(key, `done ${fingerprint}`, "PX", IDEMPOTENCY_KEPT_MS));
  }

  async release(name: string): Promise<void> {
    await this.#try(() => this.#redis.del(this.#keys.idempotency(name)));
  }

  async #try<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw toStorageError(error);
    }
  }
}
