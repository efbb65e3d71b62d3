import { isCluster, type RedisConnection } from "../redis/client.ts";
import { holdWrites } from "../redis/hold-writes.ts";
import type { Keys } from "../redis/keys.ts";
import { settleWithin } from "../redis/settle-within.ts";
import type { IndexedEntry } from "./cache-index.ts";

const SCAN_COUNT = 500;
/** Chunks asked for beyond the first, together with it: 2.7 s of speech at 24 kHz in all. */
const OPENING_CHUNKS = 3;

export interface CacheOpening {
  readonly first: Promise<(Buffer | null)[]>;
  /** From chunk 1 on; `null` for those that it does not have. */
  readonly next: Promise<(Buffer | null)[]>;
}

/** The entries themselves: one hash each, so that an entry is written, expires and goes as one. */
export class CacheEntries {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;

  constructor(redis: RedisConnection, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /**
   * Asks for head, captions and first chunk, which is what it takes to begin, and for the next few chunks, which
   * come right behind it: most phrases are there whole before anybody asks for their rest.
   */
  opening(key: string): CacheOpening {
    if (!isCluster(this.#redis)) holdWrites(this.#redis, "end-of-tick");
    const first = this.#redis.hmgetBuffer(this.#keys.cached(key), "head", "captions", "0");
    const next = this.chunks(key, 1, OPENING_CHUNKS);
    // A reader that reads on is told; a miss is not asked about.
    next.catch(() => undefined);
    return { first, next };
  }

  chunks(key: string, from: number, count: number): Promise<(Buffer | null)[]> {
    const fields = Array.from({ length: count }, (_, i) => String(from + i));
    return settleWithin(this.#redis.hmgetBuffer(this.#keys.cached(key), ...fields));
  }

  async has(key: string): Promise<boolean> {
    return (await this.#redis.exists(this.#keys.cached(key))) === 1;
  }

  /** All or nothing. @returns what it takes in Redis, where Redis says so */
  async write(key: string, fields: ReadonlyMap<string, Buffer>, ttlMs: number): Promise<number | undefined> {
    const name = this.#keys.cached(key);
    const replies = await settleWithin(
      this.#redis
        .multi()
        .del(name)
        .hset(name, ...[...fields].flat())
        .pexpire(name, ttlMs)
        .memory("USAGE", name, "SAMPLES", 0)
        .exec(),
    );
    const failed = replies?.slice(0, 3).find(([error]) => error)?.[0];
    if (failed) throw failed;
    const bytes = replies?.[3]?.[1];
    return typeof bytes === "number" ? bytes : undefined;
  }

  async keepFor(key: string, ttlMs: number): Promise<void> {
    await settleWithin(this.#redis.pexpire(this.#keys.cached(key), ttlMs));
  }

  unlink(key: string): Promise<number> {
    return this.#redis.unlink(this.#keys.cached(key));
  }

  /** All entries there are, by scanning every node: for people, on a Redis of the cache's own. */
  async *scan(): AsyncIterable<readonly IndexedEntry[]> {
    const prefix = this.#keys.cached("").slice(0, -1);
    for (const node of isCluster(this.#redis) ? this.#redis.nodes("master") : [this.#redis]) {
      let cursor = "0";
      do {
        const [next, names] = await settleWithin(
          node.scan(cursor, "MATCH", `${prefix}*`, "COUNT", SCAN_COUNT),
        );
        cursor = next;
        const entries = await Promise.all(
          names.map(async (name) => {
            const [bytes, head] = await settleWithin(
              Promise.all([node.memory("USAGE", name, "SAMPLES", 0), node.hget(name, "head")]),
            );
            const { voice = "" } = JSON.parse(head ?? "{}") as { voice?: string };
            return { key: name.slice(prefix.length, -1), bytes: bytes ?? 0, voice };
          }),
        );
        yield entries;
      } while (cursor !== "0");
    }
  }
}
