import { randomBytes } from "node:crypto";
import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { AudioCache, CacheDesk, CacheLimits, CacheObserver } from "@tts-labs/core/cache/audio-cache";
import { MemoryAudioCache } from "@tts-labs/core/cache/memory-audio-cache";
import { openRedisAudioCache } from "@tts-labs/core/cache/redis-audio-cache";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, isCluster, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";

/** Two caches over the same entries, as two processes have them; in memory there is but one. */
export interface Caches {
  readonly one: AudioCache & CacheDesk;
  readonly other: AudioCache & CacheDesk;
  /** What was observed, by both. */
  readonly seen: string[];
  keysWithoutTtl(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export type OpenCaches = (limits?: Partial<CacheLimits>) => Promise<Caches>;

export const TEST_LIMITS: CacheLimits = {
  maxBytes: 4 * 1024 * 1024,
  maxEntryBytes: 1024 * 1024,
  ttlMs: 60_000,
};

export const recorder = (seen: string[]): CacheObserver => ({
  looked: (result) => seen.push(result),
  stored: () => seen.push("stored"),
  refused: (reason) => seen.push(`refused: ${reason}`),
  evicted: (entries) => seen.push(`evicted ${entries}`),
  cutShort: () => seen.push("cut short"),
});

export const openMemoryCaches: OpenCaches = async (limits = {}) => {
  const seen: string[] = [];
  const cache = new MemoryAudioCache({ limits: { ...TEST_LIMITS, ...limits }, observer: recorder(seen) });
  return { one: cache, other: cache, seen, keysWithoutTtl: async () => [], close: () => cache.close() };
};

export function redisCaches(url: string, eviction: "self" | "redis" = "self"): OpenCaches {
  return async (limits = {}) => {
    const keys = new Keys(`test-${randomBytes(6).toString("hex")}`);
    const seen: string[] = [];
    const open = () => {
      const redis = openRedis({ url, purpose: "commands", logger: silentLogger });
      const cache = openRedisAudioCache({
        redis,
        keys,
        eviction,
        logger: silentLogger,
        observer: recorder(seen),
        limits: { ...TEST_LIMITS, ...limits },
        memory: new ByteBudget(64 * 1024 * 1024),
        lookupTimeoutMs: 2_000,
      });
      return { redis, cache };
    };
    const [one, other] = [open(), open()];
    await Promise.all([one.redis.ping(), other.redis.ping()]);
    return {
      one: one.cache,
      other: other.cache,
      seen,
      keysWithoutTtl: async () => {
        const all = await namesOf(one.redis, `${keys.prefix}:*`);
        const ttls = await Promise.all(all.map((name) => one.redis.pttl(name)));
        return all.filter((_, i) => ttls[i] === -1);
      },
      close: async () => {
        for (const { redis, cache } of [one, other]) {
          await cache.close();
          await closeRedis(redis);
        }
      },
    };
  };
}

export async function namesOf(redis: RedisConnection, pattern: string): Promise<string[]> {
  const nodes = isCluster(redis) ? redis.nodes("master") : [redis];
  return (await Promise.all(nodes.map((node) => node.keys(pattern)))).flat();
}
