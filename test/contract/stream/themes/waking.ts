import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { entry, newStream, TTL_MS } from "../speech.ts";
import type { OpenStores, Stores } from "../stores.ts";

const claim = { owner: "worker_1", maxBytes: 1_000_000, ttlMs: TTL_MS };

export function waking(open: OpenStores): void {
  describe("waking", () => {
    let stores: Stores;
    beforeEach(async () => {
      stores = await open();
    });
    afterEach(() => stores.close());

    it("wakes a reader that came before the stream was there", async () => {
      const stream = newStream();
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const reading = reader.read(10);
      const writer = await stores.writing.claim(stream, claim);
      await writer.append([entry(1)]);
      expect(await reading).toMatchObject({ kind: "entries", epoch: writer.epoch, entries: [{ seq: 1 }] });
      await reader.close();
    });

    it("wakes a sleeping reader within milliseconds, again and again", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const beganAtMs = performance.now();
      for (let number = 1; number <= 20; number += 1) {
        const reading = reader.read(10);
        await writer.append([entry(number)]);
        expect(await reading).toMatchObject({ entries: [{ seq: number }] });
      }
      // Looking again by itself would take a minute each time; generous for a busy machine.
      expect(performance.now() - beganAtMs).toBeLessThan(5_000);
      await reader.close();
    });

    it("wakes a sleeping reader for the end", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const reading = reader.read(10);
      await writer.end("nothing was said");
      expect(await reading).toEqual({ kind: "ended", end: { lastSeq: 0, result: "nothing was said" } });
      await reader.close();
    });

    it("looks again by itself, should a bell have been lost", async () => {
      await stores.close();
      stores = await open({ settings: { rereadMs: 50 } });
      const stream = newStream();
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const reading = reader.read(10);
      // Expiry rings no bell in Redis: only a look can find it.
      const writer = await stores.writing.claim(stream, claim);
      await writer.append([entry(1)]);
      await reading;
      const next = reader.read(10);
      await stores.writing.expire(stream, 20);
      expect(await next).toEqual({ kind: "lost", reason: "gone" });
      await reader.close();
    });

    it("ends a sleeping read with the signal's reason and reads on later", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const giveUp = new AbortController();
      const reading = reader.read(10, giveUp.signal);
      giveUp.abort(new Error("the client went away"));
      await expect(reading).rejects.toThrow("the client went away");
      await expect(reader.read(10, giveUp.signal)).rejects.toThrow("the client went away");
      await writer.append([entry(1)]);
      expect(await reader.read(10)).toMatchObject({ entries: [{ seq: 1 }] });
      await reader.close();
    });

    it("ends a sleeping read when the reader is closed, twice if need be", async () => {
      const reader = stores.reading.reader(newStream(), { readerId: "edge_1", ttlMs: TTL_MS });
      const reading = expect(reader.read(10)).rejects.toMatchObject({ code: "storage.unavailable" });
      await reader.close();
      await reader.close();
      await reading;
      await expect(reader.read(10)).rejects.toMatchObject({ code: "storage.unavailable" });
    });

    it("wakes every sleeper when the store is closed", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, { ...claim, maxBytes: 150 });
      await writer.append([entry(1)]);
      const reader = stores.reading.reader(newStream(), { readerId: "edge_1", ttlMs: TTL_MS });
      const reading = expect(reader.read(10)).rejects.toMatchObject({ code: "storage.unavailable" });
      const held = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await held.read(1);
      const waiting = expect(writer.append([entry(2)])).rejects.toMatchObject({
        code: "storage.unavailable",
      });
      await stores.reading.close();
      await stores.writing.close();
      await stores.writing.close();
      await Promise.all([reading, waiting]);
    });
  });
}
