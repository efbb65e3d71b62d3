import { ByteBudget } from "../async/byte-budget.ts";
import type { Logger } from "../logger.ts";
import { isCluster, type RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { settleWithin } from "../redis/settle-within.ts";
import { toStorageError } from "../redis/storage-error.ts";
import type {
  AudioCache,
  CacheDesk,
  CachedSpeech,
  CacheLimits,
  CacheObserver,
  CacheSize,
  CacheStats,
  StoreOutcome,
} from "./audio-cache.ts";
import { CacheEntries } from "./cache-entries.ts";
import {
  type Admission,
  type CacheIndex,
  EvictionLeftToRedis,
  type IndexedEntry,
  RESERVED_MS,
  RedisCacheIndex,
} from "./cache-index.ts";
import { toStats } from "./cache-stats.ts";
import { RedisCachedSpeech } from "./redis-cached-speech.ts";
import { estimateBytes, isIntact, parseFacts, type Speech, toFields } from "./stored-speech.ts";
import { UseCounter } from "./use-counter.ts";

export interface RedisAudioCacheOptions {
  /** For commands; stays the caller's. */
  readonly redis: RedisConnection;
  readonly keys: Keys;
  readonly limits: CacheLimits;
  /** The keeper of the bound: we, or a Redis of the cache's own by its `maxmemory-policy`. */
  readonly eviction: "self" | "redis";
  readonly observer: CacheObserver;
  readonly logger: Logger;
  /** For entries that are read ahead of their listeners; absent: none is, and they are read as they are heard. */
  readonly memory?: ByteBudget;
  /** Speech is made anew rather than waited for any longer. */
  readonly lookupTimeoutMs?: number;
}

const LOOKUP_TIMEOUT_MS = 100;
const NO_MEMORY = new ByteBudget(0);
/** What is being stored at once, of one process; the callers' memory bounds it further. */
const UNLINK_AT_ONCE = 64;

/**
 * The cache in Redis: a hash with a TTL per entry, each wherever its key lies, and an index in one slot that
 * keeps the sum within its bound. Storing is reserve → write → confirm: a process that dies on the way leaves nothing
 * that would outlive half a minute, listed or not.
 */
export class RedisAudioCache implements AudioCache, CacheDesk {
  readonly #options: RedisAudioCacheOptions;
  readonly #entries: CacheEntries;
  readonly #index: CacheIndex;
  readonly #uses = new UseCounter((uses) => this.#tellUses(uses));

  constructor(options: RedisAudioCacheOptions) {
    this.#options = options;
    const { redis, keys, limits, eviction } = options;
    this.#entries = new CacheEntries(redis, keys);
    this.#index =
      eviction === "self"
        ? new RedisCacheIndex(redis, keys, limits)
        : new EvictionLeftToRedis(() => this.#entries.scan());
  }

  async lookup(key: string): Promise<CachedSpeech | undefined> {
    const { observer, memory = NO_MEMORY, lookupTimeoutMs = LOOKUP_TIMEOUT_MS } = this.#options;
    if (this.#isAway) {
      observer.looked("away");
      return undefined;
    }
    try {
      const opening = this.#entries.opening(key);
      const [head, captions, first] = await settleWithin(opening.first, lookupTimeoutMs);
      if (!head || !captions || !first) {
        observer.looked("miss");
        return undefined;
      }
      const facts = parseFacts(head, captions);
      if (facts === undefined || !isIntact(facts, 0, first)) {
        observer.looked("corrupt");
        void this.#remove(key);
        return undefined;
      }
      observer.looked("hit");
      this.#uses.count(key);
      const source = {
        fetch: (from: number, count: number) => this.#entries.chunks(key, from, count),
        onDamaged: () => {
          observer.cutShort();
          void this.#remove(key);
        },
      };
      return new RedisCachedSpeech(facts, { first, next: opening.next }, source, memory);
    } catch (err) {
      this.#options.logger.debug({ err }, "audio cache not asked");
      observer.looked("away");
      return undefined;
    }
  }

  async store(key: string, speech: Speech): Promise<StoreOutcome> {
    const { observer, logger } = this.#options;
    let outcome: StoreOutcome = "storage";
    try {
      outcome = await this.#store(key, speech);
    } catch (err) {
      logger.debug({ err }, "speech not stored in the audio cache");
    }
    if (outcome !== "stored") observer.refused(outcome);
    return outcome;
  }

  async size(): Promise<CacheSize | undefined> {
    return this.#isAway ? undefined : this.#index.size().catch(() => undefined);
  }

  async stats(): Promise<CacheStats> {
    try {
      const all: IndexedEntry[] = [];
      for await (const batch of this.#index.entries()) all.push(...batch);
      return toStats(all);
    } catch (error) {
      throw toStorageError(error);
    }
  }

  async purge(which?: { readonly voice: string }): Promise<number> {
    try {
      let purged = 0;
      for await (const batch of this.#index.entries()) {
        const meant = batch.filter(({ voice }) => which === undefined || voice === which.voice);
        const keys = meant.map(({ key }) => key);
        await this.#index.doom(keys);
        await this.#unlink(keys);
        purged += keys.length;
      }
      return purged;
    } catch (error) {
      throw toStorageError(error);
    }
  }

  async close(): Promise<void> {
    await this.#uses.flush();
  }

  /** A single Redis is known at once; a cluster is asked. */
  get #isAway(): boolean {
    const { redis } = this.#options;
    return !isCluster(redis) && redis.status !== "ready";
  }

  async #store(key: string, speech: Speech): Promise<StoreOutcome> {
    const { limits, observer } = this.#options;
    if (speech.pcm.byteLength === 0) return "empty";
    const fields = toFields(speech);
    const estimate = estimateBytes(fields);
    if (speech.pcm.byteLength > limits.maxEntryBytes || estimate > limits.maxBytes) return "too-large";
    if (await settleWithin(this.#entries.has(key))) return "present";
    const entry = { key, bytes: estimate, voice: speech.voice };
    const reserved = await this.#index.reserve(entry);
    await this.#makeRoom(reserved);
    if (reserved.outcome !== "admitted") return "too-large";
    try {
      const bytes = await this.#entries.write(key, fields, RESERVED_MS / 2);
      const confirmed = await this.#index.confirm({ ...entry, bytes: bytes ?? estimate });
      await this.#makeRoom(confirmed);
      if (confirmed.outcome !== "admitted") {
        await this.#unlink([key]);
        return "evicted";
      }
      await this.#entries.keepFor(key, limits.ttlMs);
      observer.stored(bytes ?? estimate);
      return "stored";
    } catch (error) {
      await this.#remove(key);
      throw error;
    }
  }

  async #makeRoom({ evicted, unlink }: Admission): Promise<void> {
    if (evicted > 0) this.#options.observer.evicted(evicted);
    await this.#unlink(unlink);
  }

  /** Each by itself: on a cluster they lie anywhere. */
  async #unlink(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += UNLINK_AT_ONCE) {
      const some = keys.slice(at, at + UNLINK_AT_ONCE);
      await Promise.all(some.map((key) => settleWithin(this.#entries.unlink(key))));
      await this.#index.deleted(some);
    }
  }

  /** What can't be removed now goes with its TTL. */
  async #remove(key: string): Promise<void> {
    try {
      await this.#index.forget([key]);
      await settleWithin(this.#entries.unlink(key));
    } catch (err) {
      this.#options.logger.debug({ err }, "entry of the audio cache not removed");
    }
  }

  /** What is there and not listed, as after the loss of the index, would not be counted: it goes. */
  async #tellUses(uses: ReadonlyMap<string, number>): Promise<void> {
    try {
      const unknown = await this.#index.touch(uses);
      await Promise.all(unknown.map((key) => settleWithin(this.#entries.unlink(key))));
    } catch (err) {
      this.#options.logger.debug({ err }, "uses of the audio cache not counted");
    }
  }
}

export function openRedisAudioCache(options: RedisAudioCacheOptions): RedisAudioCache {
  return new RedisAudioCache(options);
}
