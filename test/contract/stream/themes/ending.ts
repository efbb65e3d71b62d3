import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { entries, newStream, readAll, TTL_MS, upTo } from "../speech.ts";
import type { OpenStores, Stores } from "../stores.ts";

const claim = { owner: "worker_1", maxBytes: 1_000_000, ttlMs: TTL_MS };

export function ending(open: OpenStores): void {
  describe("end", () => {
    let stores: Stores;
    beforeAll(async () => {
      stores = await open();
    });
    afterAll(() => stores.close());

    it("is there for whoever comes, as often as they ask", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      await writer.append(entries(1, 3));
      const result = JSON.stringify({ outcome: "complete", samples: 12_000, text: "Grüße" });
      await writer.end(result);
      writer.close();
      for (const readerId of ["edge_1", "edge_2"]) {
        const reader = stores.reading.reader(stream, { readerId, ttlMs: TTL_MS });
        const told = await readAll(reader, { release: false });
        expect(told.numbers).toEqual([1, 2, 3]);
        expect(told.last).toEqual({ kind: "ended", end: { lastSeq: 3, result } });
        expect(await reader.read(5)).toEqual(told.last);
        await reader.close();
      }
      expect((await stores.reading.inspect(stream))?.end).toEqual({ lastSeq: 3, result });
    });

    it("may be repeated; the first one stays", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      await writer.end("first");
      await writer.end("second");
      expect((await stores.reading.inspect(stream))?.end).toEqual({ lastSeq: 0, result: "first" });
    });

    it("is met only after the last entry, however the reader lags", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const reading = readAll(reader, { perRead: 1 });
      await writer.append(entries(1, 25));
      await writer.end("");
      expect((await reading).numbers).toEqual(upTo(25));
      await reader.close();
    });
  });

  describe("expiry", () => {
    let stores: Stores;
    beforeAll(async () => {
      stores = await open({ settings: { rereadMs: 50, heartbeatMs: 50 } });
    });
    afterAll(() => stores.close());

    it("knows nothing of a stream that was never there", async () => {
      expect(await stores.reading.inspect(newStream())).toBeUndefined();
      await stores.writing.expire(newStream(), 0);
    });

    it("leaves no key without a TTL, whatever was done", async () => {
      const stream = newStream();
      const early = stores.reading.reader(newStream(), { readerId: "edge_0", ttlMs: TTL_MS });
      await expect(early.read(1, AbortSignal.timeout(100))).rejects.toThrow();
      const writer = await stores.writing.claim(stream, { ...claim, maxBytes: 400 });
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const reading = readAll(reader);
      for (const one of entries(1, 20)) await writer.append([one]);
      expect(await stores.keysWithoutTtl()).toEqual([]);
      const second = await stores.writing.claim(stream, claim);
      await second.append(entries(21, 22));
      await second.end("");
      await reading;
      await reader.close();
      await early.close();
      expect(await stores.keysWithoutTtl()).toEqual([]);
    });

    it("takes the stream after its TTL, and tells writer and reader so", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      await writer.append(entries(1, 2));
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: 100 });
      await reader.read(10);
      await stores.writing.expire(stream, 100);
      // An open reader would put the expiry off.
      await reader.close();
      await vi.waitUntil(async () => (await stores.reading.inspect(stream)) === undefined, {
        timeout: 5_000,
      });
      await expect(writer.append(entries(3, 3))).rejects.toMatchObject({ code: "stream.lost" });
      await expect(writer.assertCurrent()).rejects.toMatchObject({ code: "stream.lost" });
      const next = await stores.writing.claim(stream, claim);
      expect(next.epoch).not.toBe(writer.epoch);
      expect(next.lastSeq).toBe(0);
    });

    it("does not come while the stream is read", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, { ...claim, ttlMs: 300 });
      await writer.append(entries(1, 2));
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: 600 });
      await reader.read(10);
      const beganAtMs = performance.now();
      const reading = reader.read(10);
      await vi.waitUntil(() => performance.now() - beganAtMs > 1_500, { timeout: 5_000 });
      await writer.append(entries(3, 3));
      expect(await reading).toMatchObject({ entries: [{ seq: 3 }] });
      await reader.close();
    });
  });
}
