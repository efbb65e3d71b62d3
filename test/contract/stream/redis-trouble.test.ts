import type { StreamObserver } from "@tts-labs/core/stream/observer";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { type PrivateRedis, startPrivateRedis } from "../../../scripts/private-redis.ts";
import { ChaosProxy } from "../../harness/chaos-proxy.ts";
import { entries, entry, newStream, readAll, TTL_MS, upTo } from "./speech.ts";
import { redisStores, type StoreOptions, type Stores } from "./stores.ts";

const claim = { owner: "worker_1", maxBytes: 1_000_000, ttlMs: TTL_MS };

function counting() {
  const counts = { resent: 0, lost: 0, inVain: 0 };
  const observer: StreamObserver = {
    appended: () => {},
    waitedForRoom: () => {},
    rang: () => {},
    readInVain: () => {
      counts.inVain += 1;
    },
    resent: () => {
      counts.resent += 1;
    },
    mended: () => {},
    lost: () => {
      counts.lost += 1;
    },
  };
  return { counts, observer };
}

describe("a writer whose answers get lost", () => {
  let proxy: ChaosProxy;
  let stores: Stores | undefined;
  beforeEach(async () => {
    proxy = await new ChaosProxy().open(Number(new URL(inject("redisUrl")).port));
  });
  afterEach(async () => {
    await stores?.close();
    await proxy.close();
  });

  /**
   * Appends 12 entries, in ones and twos; of every third append the answer is swallowed and then the
   * connection cut. What does a reader get?
   */
  const speak = async (options: StoreOptions) => {
    stores = await redisStores(inject("redisUrl"))({
      ...options,
      writerUrl: `redis://127.0.0.1:${proxy.port}`,
    });
    const { writing, reading } = stores;
    const stream = newStream();
    const writer = await writing.claim(stream, claim);
    const reader = reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    for (let append = 1; append <= 8; append += 1) {
      const first = append + Math.floor(append / 2);
      const before = (await reading.inspect(stream))?.lastSeq ?? 0;
      const hurt = append % 3 === 0;
      if (hurt) proxy.swallow = "answers";
      const appending = writer.append(entries(first, first + (append % 2)));
      if (hurt) {
        await vi.waitUntil(async () => ((await reading.inspect(stream))?.lastSeq ?? 0) > before);
        proxy.swallow = "nothing";
        proxy.cut();
      }
      await appending;
    }
    await writer.end("");
    const told = await readAll(reader);
    await reader.close();
    return told;
  };

  it("has every entry stored exactly once", async () => {
    const { counts, observer } = counting();
    const told = await speak({ observer });
    expect(told.numbers).toEqual(upTo(12));
    expect(told.seqs).toEqual(upTo(12));
    expect(counts.resent).toBeGreaterThanOrEqual(2);
  });

  it("would have stored entries twice, had it numbered them anew", async () => {
    const told = await speak({ resendAs: "next-numbers" });
    expect(told.numbers.length).toBeGreaterThan(new Set(told.numbers).size);
  });

  it("stores what was swallowed on its way there", async () => {
    const { counts, observer } = counting();
    stores = await redisStores(inject("redisUrl"))({
      observer,
      writerUrl: `redis://127.0.0.1:${proxy.port}`,
    });
    const stream = newStream();
    const writer = await stores.writing.claim(stream, claim);
    proxy.swallow = "requests";
    const appending = writer.append([entry(1)]);
    await vi.waitUntil(() => counts.resent > 0, { timeout: 5_000 });
    proxy.swallow = "nothing";
    proxy.cut();
    expect(await appending).toBe(1);
    const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    expect((await readAll(reader, { until: 1 })).numbers).toEqual([1]);
    await reader.close();
  });

  it("gives up within its bound, and then refuses to guess what is stored", async () => {
    stores = await redisStores(inject("redisUrl"))({
      settings: { storageRetryMs: 900 },
      writerUrl: `redis://127.0.0.1:${proxy.port}`,
    });
    const stream = newStream();
    const writer = await stores.writing.claim(stream, claim);
    await writer.append([entry(1)]);
    proxy.swallow = "answers";
    await expect(writer.append([entry(2)])).rejects.toMatchObject({
      code: expect.stringMatching(/^storage\./),
    });
    proxy.swallow = "nothing";
    proxy.cut();
    await expect(writer.append([entry(3)])).rejects.toMatchObject({ code: "storage.unavailable" });
    // A new claim finds the entry that had arrived, and goes on after it.
    const again = await stores.reading.claim(stream, claim);
    expect(again.lastSeq).toBe(2);
  });
});

describe("streams while Redis has troubles of its own", () => {
  let redis: PrivateRedis;
  let admin: Redis;
  let stores: Stores | undefined;
  beforeAll(async () => {
    redis = await startPrivateRedis();
    admin = new Redis(redis.url);
  });
  afterEach(() => stores?.close());
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });

  /** Appends 60 entries, a turn apart, while `hurt` is done after the 20th; gives what a reader got. */
  const speakThrough = async (hurt: () => Promise<unknown>) => {
    stores = await redisStores(redis.url)({ settings: { rereadMs: 100 } });
    const stream = newStream();
    const writer = await stores.writing.claim(stream, claim);
    const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    const reading = readAll(reader, { perRead: 3 });
    let hurting: Promise<unknown> = Promise.resolve();
    for (let number = 1; number <= 60; number += 1) {
      await writer.append([entry(number)]);
      if (number === 20) hurting = hurt();
    }
    await hurting;
    await writer.end("");
    const told = await reading;
    await reader.close();
    return told.numbers;
  };

  it("go on after every connection was cut", async () => {
    const numbers = await speakThrough(async () => {
      await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await admin.call("CLIENT", "KILL", "TYPE", "pubsub");
    });
    expect(numbers).toEqual(upTo(60));
  });

  it("go on after Redis has answered nobody for longer than a command waits", async () => {
    expect(await speakThrough(() => admin.call("DEBUG", "SLEEP", "1.2"))).toEqual(upTo(60));
  });

  it("go on when Redis has forgotten its scripts", async () => {
    expect(await speakThrough(() => admin.script("FLUSH", "SYNC"))).toEqual(upTo(60));
  });

  it("tell writer and reader when everything stored is gone", async () => {
    stores = await redisStores(redis.url)({ settings: { rereadMs: 100 } });
    const stream = newStream();
    const writer = await stores.writing.claim(stream, claim);
    await writer.append(entries(1, 3));
    const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    await reader.read(10);
    const reading = reader.read(10);
    await admin.flushall();
    expect(await reading).toEqual({ kind: "lost", reason: "gone" });
    await expect(writer.append([entry(4)])).rejects.toMatchObject({ code: "stream.lost" });
    await reader.close();
  });

  it("say so when the last entries were lost and others took their numbers' place", async () => {
    stores = await redisStores(redis.url)();
    const stream = newStream();
    const writer = await stores.writing.claim(stream, claim);
    await writer.append(entries(1, 5));
    const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    await readAll(reader, { until: 3, perRead: 3, release: false });
    // What a failover does that had not yet got the last two.
    const [key] = (await admin.keys(`*${stream.tag}*entries:1`)) as [string];
    const kept = await admin.xrange(key, "4", "5");
    await admin.xdel(key, ...kept.map(([id]) => id));
    await writer.append([entry(6)]);
    expect(await reader.read(10)).toEqual({ kind: "lost", reason: "trimmed" });
    await reader.close();
  });

  it("do not let a reader that vanished hold the writer for ever", async () => {
    stores = await redisStores(redis.url)({ settings: { rereadMs: 100 } });
    const stream = newStream();
    const writer = await stores.writing.claim(stream, { ...claim, maxBytes: 400 });
    await writer.append(entries(1, 3));
    // What a process that was killed leaves in Redis.
    const [key] = (await admin.keys(`*${stream.tag}*meta`)) as [string];
    await admin.hset(key.replace(/meta$/, "readers"), "edge_dead", `0 0 ${Date.now()} dead`);
    const living = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    await readAll(living, { until: 3 });
    const beganAtMs = performance.now();
    await writer.append(entries(4, 6));
    expect(performance.now() - beganAtMs).toBeGreaterThan(300);
    expect((await readAll(living, { until: 3 })).numbers).toEqual([4, 5, 6]);
    await living.close();
  });

  it("refuse a reader beyond the most a stream may have", async () => {
    stores = await redisStores(redis.url)();
    const stream = newStream();
    await stores.writing.claim(stream, claim);
    const [key] = (await admin.keys(`*${stream.tag}*meta`)) as [string];
    const holds = Object.fromEntries(upTo(256).map((n) => [`edge_${n}`, `0 0 ${Date.now() + 60_000} t`]));
    await admin.hset(key.replace(/meta$/, "readers"), holds);
    await admin.expire(key.replace(/meta$/, "readers"), 30);
    const reader = stores.reading.reader(stream, { readerId: "one_too_many", ttlMs: TTL_MS });
    await expect(reader.read(1)).rejects.toMatchObject({ code: "capacity.overloaded" });
    await reader.close();
  });
});
