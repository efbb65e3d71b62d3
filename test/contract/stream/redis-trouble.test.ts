import { describe, expect, it } from "vitest";
import { OwnRedis } from "./own-redis.ts";
import { entries, entry, newStream, readAll, TTL_MS, upTo } from "./speech.ts";

const claim = { owner: "worker_1", maxBytes: 1_000_000, ttlMs: TTL_MS };

describe("streams while Redis has troubles of its own", () => {
  const redis = new OwnRedis();

  /** Appends 60 entries, a turn apart, while `hurt` is done after the 20th; gives what a reader got. */
  const speakThrough = async (hurt: () => Promise<unknown>) => {
    const stores = await redis.open({ settings: { rereadMs: 100 } });
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
    const numbers = await speakThrough(() => redis.cut("all"));
    expect(numbers).toEqual(upTo(60));
  });

  it("go on after Redis has answered nobody for longer than a command waits", async () => {
    expect(await speakThrough(() => redis.admin.call("DEBUG", "SLEEP", "1.2"))).toEqual(upTo(60));
  });

  it("go on when Redis has forgotten its scripts", async () => {
    expect(await speakThrough(() => redis.admin.script("FLUSH", "SYNC"))).toEqual(upTo(60));
  });

  it("are released by their readers also when Redis is full, which makes room", async () => {
    const stores = await redis.open({ settings: { rereadMs: 100 } });
    const stream = newStream();
    const writer = await stores.writing.claim(stream, claim);
    await writer.append(entries(1, 60));
    const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    await reader.read(60);
    const before = (await stores.reading.inspect(stream))?.storedBytes ?? 0;
    await redis.admin.config("SET", "maxmemory", "1");
    try {
      await expect(redis.admin.set("more", "")).rejects.toThrow("OOM");
      reader.advance(60);
      await expect
        .poll(async () => (await stores.reading.inspect(stream))?.storedBytes, { timeout: 8_000 })
        .toBeLessThan(before / 10);
    } finally {
      await redis.admin.config("SET", "maxmemory", "0");
    }
    await reader.close();
  });

  it("tell writer and reader when everything stored is gone", async () => {
    const stores = await redis.open({ settings: { rereadMs: 100 } });
    const stream = newStream();
    const writer = await stores.writing.claim(stream, claim);
    await writer.append(entries(1, 3));
    const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    await reader.read(10);
    const reading = reader.read(10);
    await redis.admin.flushall();
    expect(await reading).toEqual({ kind: "lost", reason: "gone" });
    await expect(writer.append([entry(4)])).rejects.toMatchObject({ code: "stream.lost" });
    await reader.close();
  });

  it("say so when the last entries were lost and others took their numbers' place", async () => {
    const stores = await redis.open();
    const stream = newStream();
    const writer = await stores.writing.claim(stream, claim);
    await writer.append(entries(1, 5));
    const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    await readAll(reader, { until: 3, perRead: 3, release: false });
    // What a failover does that had not yet got the last two.
    const [key] = (await redis.admin.keys(`*${stream.tag}*entries:1`)) as [string];
    const kept = await redis.admin.xrange(key, "4", "5");
    await redis.admin.xdel(key, ...kept.map(([id]) => id));
    await writer.append([entry(6)]);
    expect(await reader.read(10)).toEqual({ kind: "lost", reason: "trimmed" });
    await reader.close();
  });

  it("do not let a reader that vanished hold the writer for ever", async () => {
    const stores = await redis.open({ settings: { rereadMs: 100 } });
    const stream = newStream();
    const writer = await stores.writing.claim(stream, { ...claim, maxBytes: 400 });
    await writer.append(entries(1, 3));
    // What a process that was killed leaves in Redis.
    const [key] = (await redis.admin.keys(`*${stream.tag}*meta`)) as [string];
    await redis.admin.hset(key.replace(/meta$/, "readers"), "edge_dead", `0 0 ${Date.now()} dead`);
    const living = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    await readAll(living, { until: 3 });
    const beganAtMs = performance.now();
    await writer.append(entries(4, 6));
    expect(performance.now() - beganAtMs).toBeGreaterThan(300);
    expect((await readAll(living, { until: 3 })).numbers).toEqual([4, 5, 6]);
    await living.close();
  });

  it("refuse a reader beyond the most a stream may have", async () => {
    const stores = await redis.open();
    const stream = newStream();
    await stores.writing.claim(stream, claim);
    const [key] = (await redis.admin.keys(`*${stream.tag}*meta`)) as [string];
    const holds = Object.fromEntries(upTo(256).map((n) => [`edge_${n}`, `0 0 ${Date.now() + 60_000} t`]));
    await redis.admin.hset(key.replace(/meta$/, "readers"), holds);
    await redis.admin.expire(key.replace(/meta$/, "readers"), 30);
    const reader = stores.reading.reader(stream, { readerId: "one_too_many", ttlMs: TTL_MS });
    await expect(reader.read(1)).rejects.toMatchObject({ code: "capacity.overloaded" });
    await reader.close();
  });
});
