import type { StreamObserver } from "@tts-labs/core/stream/observer";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";
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

  it("rings along with a stream's first words: who waits for them does not wait for an answer", async () => {
    const { counts, observer } = counting();
    const writerUrl = `redis://127.0.0.1:${proxy.port}`;
    stores = await redisStores(inject("redisUrl"))({ observer, writerUrl });
    const stream = newStream();
    const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
    const reading = reader.read(10);
    // What is asked over the same connection is answered later: the reader has looked, and sleeps.
    await stores.reading.inspect(stream);
    const writer = await stores.writing.claim(stream, claim);
    await vi.waitUntil(() => counts.inVain > 0);
    proxy.swallow = "answers";
    const appending = writer.append([entry(1)]);
    expect(await reading).toMatchObject({ kind: "entries", entries: [{ seq: 1 }] });
    proxy.swallow = "nothing";
    proxy.cut();
    expect(await appending).toBe(1);
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
