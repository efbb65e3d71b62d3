import { randomBytes } from "node:crypto";
import type { CacheLimits } from "@tts-labs/core/cache/audio-cache";
import { RedisCacheIndex } from "@tts-labs/core/cache/cache-index";
import { openRedisAudioCache, type RedisAudioCache } from "@tts-labs/core/cache/redis-audio-cache";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { startPrivateRedis } from "../../../scripts/private-redis.ts";
import { asRead, keyOf, readAll, readRest, speech } from "./speech.ts";
import { namesOf, recorder, TEST_LIMITS } from "./stores.ts";

let keys: Keys;
let redis: RedisConnection;
let seen: string[];
const key = keyOf("A train.");
const stored = speech("A train.", 400_000);

beforeEach(async () => {
  keys = new Keys(`test-${randomBytes(6).toString("hex")}`);
  redis = openRedis({ url: inject("redisUrl"), purpose: "commands", logger: silentLogger });
  seen = [];
  await redis.ping();
});
afterEach(() => closeRedis(redis));

function open(
  limits: Partial<CacheLimits> = {},
  on: RedisConnection = redis,
  eviction: "self" | "redis" = "self",
): RedisAudioCache {
  const own = { redis: on, limits: { ...TEST_LIMITS, ...limits }, eviction };
  return openRedisAudioCache({ ...own, keys, observer: recorder(seen), logger: silentLogger });
}

describe("an entry that is not whole", () => {
  test.each([
    ["head", "{"],
    ["head", '{"v":99}'],
    ["captions", "x"],
    ["0", "too short"],
  ])("with a damaged %s is a miss, and deleted", async (field, value) => {
    const cache = open();
    await cache.store(key, stored);
    await redis.hset(keys.cached(key), field, value);
    expect(await cache.lookup(key)).toBeUndefined();
    await expect.poll(() => redis.exists(keys.cached(key))).toBe(0);
    expect((await cache.stats()).bytes).toBe(0);
    expect(seen).toEqual(["stored", "corrupt"]);
    expect(await cache.store(key, stored)).toBe("stored");
    expect(await readAll(await cache.lookup(key))).toStrictEqual(asRead(stored));
  });

  test("a byte changed in the middle is noticed before it is heard, and the entry deleted", async () => {
    const cache = open();
    await cache.store(key, stored);
    const chunk = (await redis.hgetBuffer(keys.cached(key), "3")) ?? Buffer.alloc(0);
    chunk.writeUInt8(chunk.readUInt8(100) ^ 1, 100);
    await redis.hset(keys.cached(key), "3", chunk);
    await expect(readAll(await cache.lookup(key))).rejects.toMatchObject({ code: "stream.lost" });
    await expect.poll(() => redis.exists(keys.cached(key))).toBe(0);
  });

  test("an entry removed while it is read says so, and never ends early", async () => {
    const cache = open();
    await cache.store(key, stored);
    const cached = await cache.lookup(key);
    await cached?.next();
    await cache.purge();
    await expect(readRest(cached)).rejects.toMatchObject({ code: "stream.lost" });
    expect(await cache.lookup(key)).toBeUndefined();
    expect(seen).toEqual(["stored", "hit", "cut short", "miss"]);
  });
});

describe("a Redis in trouble", () => {
  test("that is not there: a lookup misses at once, a store is refused, nothing is thrown", async () => {
    const gone = openRedis({
      url: "redis://127.0.0.1:1",
      purpose: "commands",
      logger: silentLogger,
      commandTimeoutMs: 100,
    });
    try {
      const cache = open({}, gone);
      expect(await cache.lookup(key)).toBeUndefined();
      expect(await cache.store(key, stored)).toBe("storage");
      expect(await cache.size()).toBeUndefined();
      expect(seen).toEqual(["away", "refused: storage"]);
      await expect(cache.stats()).rejects.toMatchObject({ family: "storage" });
    } finally {
      await closeRedis(gone);
    }
  });

  test("that does not answer: a lookup gives up long before a client would mind", async () => {
    const server = await startPrivateRedis();
    const other = openRedis({ url: server.url, purpose: "commands", logger: silentLogger });
    try {
      await other.ping();
      const cache = open({}, other);
      await cache.store(key, stored);
      await other.call("CLIENT", "PAUSE", "60000", "ALL");
      const beganAtMs = performance.now();
      expect(await cache.lookup(key)).toBeUndefined();
      expect(performance.now() - beganAtMs).toBeLessThan(1_000);
      expect(seen).toEqual(["stored", "away"]);
    } finally {
      other.disconnect();
      await server.stop();
    }
  });

  test("that has no memory left: the speech is not stored, and not counted", async () => {
    const server = await startPrivateRedis();
    const full = openRedis({ url: server.url, purpose: "commands", logger: silentLogger });
    try {
      await full.config("SET", "maxmemory-policy", "noeviction");
      await full.config("SET", "maxmemory", "1");
      const cache = open({}, full);
      expect(await cache.store(key, stored)).toBe("storage");
      await full.config("SET", "maxmemory", "0");
      expect(await cache.lookup(key)).toBeUndefined();
      expect((await cache.stats()).bytes).toBe(0);
      expect(await cache.store(key, stored)).toBe("stored");
    } finally {
      await closeRedis(full);
      await server.stop();
    }
  });

  test("that has lost the index: what nobody counts any more goes when it is met", async () => {
    const cache = open();
    await cache.store(key, stored);
    await redis.del(...(await namesOf(redis, `${keys.prefix}:cache-index:*`)));
    expect(await readAll(await cache.lookup(key))).toStrictEqual(asRead(stored));
    await cache.close();
    expect(await redis.exists(keys.cached(key))).toBe(0);
  });
});

describe("a process that died", () => {
  const entry = (name: string, bytes: number) => ({ key: keyOf(name), bytes, voice: "v" });

  test("between reserving and writing: its room is free again once the reservation is over", async () => {
    const cache = open({ maxBytes: 500_000 });
    const index = new RedisCacheIndex(redis, keys, { ...TEST_LIMITS, maxBytes: 500_000 });
    await index.reserve(entry("never written", 300_000));
    expect((await cache.stats()).bytes).toBe(300_000);
    // As if half a minute had gone by.
    await redis.zadd(keys.cacheIndex("expiries"), 1, keyOf("never written"));
    expect(await cache.store(key, stored)).toBe("stored");
    expect(seen).toEqual(["stored"]);
    expect((await cache.stats()).entries).toBe(1);
  });

  test("between making room and unlinking: the next one unlinks what it left", async () => {
    const cache = open({ maxBytes: 500_000 });
    await cache.store(key, stored);
    const index = new RedisCacheIndex(redis, keys, { ...TEST_LIMITS, maxBytes: 500_000 });
    expect(await index.reserve(entry("new", 300_000))).toEqual({
      outcome: "admitted",
      evicted: 1,
      unlink: [key],
    });
    expect(await redis.exists(keys.cached(key))).toBe(1);
    await redis.zadd(keys.cacheIndex("doomed"), 1, key);
    await cache.store(keyOf("small"), speech("small", 1_000));
    expect(await redis.exists(keys.cached(key))).toBe(0);
    expect(await redis.zcard(keys.cacheIndex("doomed"))).toBe(0);
  });

  test("an entry that had to go before it was confirmed is not kept", async () => {
    const index = new RedisCacheIndex(redis, keys, TEST_LIMITS);
    await index.reserve(entry("A train.", 1_000));
    await index.doom([key]);
    expect((await index.confirm(entry("A train.", 1_000))).outcome).toBe("gone");
  });
});

describe("the bound, while many write ten times as much", () => {
  const MAX_BYTES = 2_000_000;

  /** The most that entries took in Redis at any look, in bytes. */
  async function mostTaken(eviction: "self" | "redis"): Promise<number> {
    const connections = Array.from({ length: 4 }, () =>
      openRedis({ url: inject("redisUrl"), purpose: "commands", logger: silentLogger }),
    );
    try {
      await Promise.all(connections.map((it) => it.ping()));
      let most = 0;
      let writing = true;
      const look = async () => {
        while (writing) {
          const names = await namesOf(redis, `${keys.prefix}:cache:*`);
          const bytes = await Promise.all(names.map((name) => redis.memory("USAGE", name, "SAMPLES", 0)));
          most = Math.max(
            most,
            bytes.reduce<number>((sum, it) => sum + (it ?? 0), 0),
          );
        }
      };
      const looking = look();
      const one = async (connection: RedisConnection, at: number) => {
        const cache = open({ maxBytes: MAX_BYTES }, connection, eviction);
        // Four at a time in each of four processes.
        const lane = async (first: number) => {
          for (let i = first; i < 50; i += 4) {
            const bytes = 2 * (20_000 + ((i * 7_919 + at * 104_729) % 60_000));
            const name = `process ${at}, speech ${i}`;
            await cache.store(keyOf(name), speech(name, bytes));
          }
        };
        await Promise.all([lane(0), lane(1), lane(2), lane(3)]);
        await cache.close();
      };
      await Promise.all(connections.map(one));
      writing = false;
      await looking;
      return most;
    } finally {
      await Promise.all(connections.map(closeRedis));
    }
  }

  test("holds within 5 % at any moment, as Redis counts", async () => {
    const most = await mostTaken("self");
    expect(most).toBeLessThan(MAX_BYTES * 1.05);
    expect(most).toBeGreaterThan(MAX_BYTES * 0.8);
    const listed = (await open({ maxBytes: MAX_BYTES }).stats()).bytes;
    expect(Number(await redis.hget(keys.cacheIndex("state"), "bytes"))).toBe(listed);
    expect(listed).toBeLessThanOrEqual(MAX_BYTES);
  });

  test("without our index, on a Redis that does not evict, it is broken: the measurement sees it", async () => {
    expect(await mostTaken("redis")).toBeGreaterThan(MAX_BYTES * 5);
  });
});
