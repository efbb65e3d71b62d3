import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { Script } from "../redis/script.ts";
import { settleWithin } from "../redis/settle-within.ts";
import { type CacheLimits, type CacheSize, HALF_LIFE_MS } from "./audio-cache.ts";

/** An entry as the index knows it. */
export interface IndexedEntry {
  readonly key: string;
  readonly bytes: number;
  readonly voice: string;
}

export interface Admission {
  readonly outcome: "admitted" | "full" | "gone";
  /** Entries removed to make room. */
  readonly evicted: number;
  /** To be unlinked now, and then told to `deleted`. */
  readonly unlink: readonly string[];
}

const NOTHING_EVICTED = { evicted: 0, unlink: [] } as const;

/** The keeper of a cache's bound. Everything throws `storage.*`. */
export interface CacheIndex {
  /** Makes room and counts `entry` before it is written; one that is never confirmed goes after half a minute. */
  reserve(entry: IndexedEntry): Promise<Admission>;
  /** It is written, with its true size. `gone`: it had to make room meanwhile, and is to be unlinked. */
  confirm(entry: IndexedEntry): Promise<Admission>;
  /** @returns those keys that are not listed */
  touch(uses: ReadonlyMap<string, number>): Promise<readonly string[]>;
  forget(keys: readonly string[]): Promise<void>;
  doom(keys: readonly string[]): Promise<void>;
  deleted(keys: readonly string[]): Promise<void>;
  /** `undefined` where it is not counted. */
  size(): Promise<CacheSize | undefined>;
  entries(): AsyncIterable<readonly IndexedEntry[]>;
}

const ADMIT = new Script("cache-admit");
const TOUCH = new Script("cache-touch");
const DROP = new Script("cache-drop");

/** Longest from reservation to confirmation. */
export const RESERVED_MS = 30_000;
/** Entries that one admission takes out at most; the rest is left to the next. */
const MAX_VICTIMS = 256;
/** A process that was to unlink an entry has died if it has not done so by then. */
const DOOMED_AGAIN_MS = 10_000;
const SCAN_COUNT = 500;

/**
 * Our own index, for a Redis that must not evict by itself (the queue's and the streams'): scores, sizes and
 * expiries of all entries in one slot, their bytes summed up. It says what to unlink; the caller does so,
 * and what it leaves undone others are told again. So the bound holds however many processes write.
 */
export class RedisCacheIndex implements CacheIndex {
  readonly #redis: RedisConnection;
  readonly #limits: CacheLimits;
  readonly #keys: readonly string[];
  readonly #scores: string;
  readonly #facts: string;
  readonly #state: string;

  constructor(redis: RedisConnection, keys: Keys, limits: CacheLimits) {
    this.#redis = redis;
    this.#limits = limits;
    this.#scores = keys.cacheIndex("scores");
    this.#facts = keys.cacheIndex("facts");
    this.#state = keys.cacheIndex("state");
    const others = [keys.cacheIndex("expiries"), keys.cacheIndex("doomed"), this.#state];
    this.#keys = [this.#scores, this.#facts, ...others];
  }

  reserve(entry: IndexedEntry): Promise<Admission> {
    return this.#admit("reserve", entry, RESERVED_MS);
  }

  confirm(entry: IndexedEntry): Promise<Admission> {
    return this.#admit("confirm", entry, this.#limits.ttlMs);
  }

  touch(uses: ReadonlyMap<string, number>): Promise<readonly string[]> {
    return TOUCH.run(this.#redis, [this.#scores], [HALF_LIFE_MS, ...[...uses].flat()]);
  }

  forget(keys: readonly string[]): Promise<void> {
    return this.#drop("forget", keys);
  }

  doom(keys: readonly string[]): Promise<void> {
    return this.#drop("doom", keys);
  }

  deleted(keys: readonly string[]): Promise<void> {
    return this.#drop("deleted", keys);
  }

  async size(): Promise<CacheSize> {
    const counted = Promise.all([this.#redis.hlen(this.#facts), this.#redis.hget(this.#state, "bytes")]);
    const [entries, bytes] = await settleWithin(counted);
    return { entries, bytes: Number(bytes ?? 0) };
  }

  async *entries(): AsyncIterable<readonly IndexedEntry[]> {
    let cursor = "0";
    do {
      const scanned = this.#redis.hscan(this.#facts, cursor, "COUNT", SCAN_COUNT);
      const [next, found] = await settleWithin(scanned);
      cursor = next;
      const batch: IndexedEntry[] = [];
      for (let i = 0; i + 1 < found.length; i += 2) {
        const [, bytes, voice] = /^(\d+) (.*)$/.exec(found[i + 1] ?? "") ?? [];
        batch.push({ key: found[i] ?? "", bytes: Number(bytes), voice: voice ?? "" });
      }
      yield batch;
    } while (cursor !== "0");
  }

  async #admit(mode: "reserve" | "confirm", entry: IndexedEntry, lifeMs: number): Promise<Admission> {
    const { maxBytes } = this.#limits;
    const size = [entry.key, Math.ceil(entry.bytes), entry.voice, lifeMs, maxBytes];
    const bounds = [HALF_LIFE_MS, this.#ttlMs, MAX_VICTIMS, DOOMED_AGAIN_MS];
    const answer = await ADMIT.run(this.#redis, this.#keys, [mode, ...size, ...bounds]);
    const [outcome, evicted, ...unlink] = answer;
    return { outcome: outcome as Admission["outcome"], evicted: Number(evicted), unlink };
  }

  async #drop(how: "forget" | "doom" | "deleted", keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await DROP.run(this.#redis, this.#keys, [how, this.#ttlMs, ...keys]);
  }

  /** Longer than any entry lives. */
  get #ttlMs(): number {
    return this.#limits.ttlMs + 2 * RESERVED_MS;
  }
}

/** For a Redis of the cache's own, which evicts by a policy of its own (`maxmemory-policy allkeys-lfu`): no index. */
export class EvictionLeftToRedis implements CacheIndex {
  readonly #list: () => AsyncIterable<readonly IndexedEntry[]>;

  /** @param list finds all entries, by scanning */
  constructor(list: () => AsyncIterable<readonly IndexedEntry[]>) {
    this.#list = list;
  }

  reserve = async (): Promise<Admission> => ({ outcome: "admitted", ...NOTHING_EVICTED });
  confirm = async (): Promise<Admission> => ({ outcome: "admitted", ...NOTHING_EVICTED });
  touch = async (): Promise<readonly string[]> => [];
  forget = async (): Promise<void> => {};
  doom = async (): Promise<void> => {};
  deleted = async (): Promise<void> => {};
  size = async (): Promise<undefined> => undefined;
  entries = (): AsyncIterable<readonly IndexedEntry[]> => this.#list();
}
