import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll } from "vitest";
import { type PrivateRedis, startPrivateRedis } from "../../../scripts/private-redis.ts";
import { redisStores, type StoreOptions, type Stores } from "./stores.ts";

interface Running {
  readonly redis: PrivateRedis;
  /** For what is done to it behind the stores' backs. */
  readonly admin: Redis;
}

/** A Redis that the tests of one file may hurt, and stores over it, which are closed after each of them. */
export class OwnRedis {
  #running: Running | undefined;
  readonly #stores: Stores[] = [];

  constructor() {
    beforeAll(async () => {
      const redis = await startPrivateRedis({ debug: true });
      this.#running = { redis, admin: new Redis(redis.url) };
    });
    afterEach(async () => {
      for (const stores of this.#stores.splice(0)) await stores.close();
    });
    afterAll(async () => {
      this.#running?.admin.disconnect();
      await this.#running?.redis.stop();
    });
  }

  get admin(): Redis {
    return this.#now.admin;
  }

  async open(options?: StoreOptions): Promise<Stores> {
    const stores = await redisStores(this.#now.redis.url)(options);
    this.#stores.push(stores);
    return stores;
  }

  /** Every connection but the admin's, the subscribers' too only where asked for. */
  async cut(which: "commands" | "all"): Promise<void> {
    await this.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    if (which === "all") await this.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
  }

  get #now(): Running {
    if (this.#running === undefined) throw new Error("this Redis runs only during tests");
    return this.#running;
  }
}
