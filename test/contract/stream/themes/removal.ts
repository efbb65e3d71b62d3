import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { entries, newStream, readAll, TTL_MS } from "../speech.ts";
import type { OpenStores, Stores } from "../stores.ts";

const claim = { owner: "worker_1", maxBytes: 1_000_000, ttlMs: TTL_MS };

export function removal(open: OpenStores): void {
  describe("removal", () => {
    let stores: Stores;
    beforeAll(async () => {
      stores = await open({ settings: { rereadMs: 50 } });
    });
    afterAll(() => stores.close());

    const isThere = async (stream: ReturnType<typeof newStream>) =>
      (await stores.reading.inspect(stream)) !== undefined;
    const isGone = (stream: ReturnType<typeof newStream>) =>
      vi.waitUntil(async () => !(await isThere(stream)), { timeout: 2_000, interval: 10 });

    it("takes a stream at once, with all its incarnations, and leaves no key", async () => {
      const stream = newStream();
      await (await stores.writing.claim(stream, claim)).append(entries(1, 3));
      const writer = await stores.writing.claim(stream, claim);
      await writer.append(entries(4, 6));
      await writer.assertCurrent();
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await reader.read(10);
      await reader.close();
      await stores.reading.remove(stream, "now");
      expect(await isThere(stream)).toBe(false);
      expect(await stores.keysOf(stream)).toEqual([]);
    });

    it("does not count the reader of the one who asks", async () => {
      const stream = newStream();
      await (await stores.writing.claim(stream, claim)).append(entries(1, 3));
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await reader.read(1);
      await stores.reading.remove(stream, "now", "edge_1");
      expect(await isThere(stream)).toBe(false);
      await reader.close();
      expect(await stores.keysOf(stream)).toEqual([]);
    });

    it("waits for the others that read it, and comes with the last of them", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      await writer.append(entries(1, 3));
      await writer.end("");
      const [first, second] = ["edge_1", "edge_2"].map((readerId) =>
        stores.reading.reader(stream, { readerId, ttlMs: TTL_MS }),
      );
      await first?.read(1);
      await second?.read(1);
      await stores.writing.remove(stream, "now");
      await first?.close();
      if (second !== undefined) expect((await readAll(second)).numbers).toEqual([2, 3]);
      await second?.close();
      expect(await isThere(stream)).toBe(false);
      expect(await stores.keysOf(stream)).toEqual([]);
    });

    it("leaves one who is about to read a moment to begin, and goes with him", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      await writer.append(entries(1, 3));
      await writer.end("");
      await stores.writing.remove(stream, "last-reader");
      const reader = stores.reading.reader(stream, { readerId: "edge_2", ttlMs: TTL_MS });
      expect((await readAll(reader)).numbers).toEqual([1, 2, 3]);
      await reader.close();
      expect(await isThere(stream)).toBe(false);
    });

    it("comes within a second where nobody reads", async () => {
      const streams = [newStream(), newStream()] as const;
      for (const stream of streams) await (await stores.writing.claim(stream, claim)).append(entries(1, 3));
      await stores.writing.remove(streams[0], "last-reader");
      await stores.writing.remove(streams[1], "soon");
      for (const stream of streams)
        await vi.waitUntil(async () => !(await isThere(stream)), { timeout: 1_000 });
    });

    it("is not put off by a writer that has not noticed, nor by a reader", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, { ...claim, ttlMs: 300 });
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await writer.append(entries(1, 1));
      await reader.read(1);
      await stores.writing.remove(stream, "soon");
      const writing = (async () => {
        for (let number = 2; ; number++) await writer.append(entries(number, number));
      })();
      await expect(writing).rejects.toMatchObject({ code: "stream.lost" });
      expect(await isThere(stream)).toBe(false);
      await reader.close();
    });

    it("is final: writers and readers that come late learn it, and make nothing anew", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      await writer.append(entries(1, 3));
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await reader.read(10);
      await stores.reading.remove(stream, "now", "edge_1");
      await expect(writer.append(entries(4, 4))).rejects.toMatchObject({ code: "stream.lost" });
      await expect(writer.assertCurrent()).rejects.toMatchObject({ code: "stream.lost" });
      expect(await reader.read(10)).toEqual({ kind: "lost", reason: "gone" });
      reader.forget(3);
      await reader.close();
      writer.close();
      await isGone(stream);
      expect(await stores.keysOf(stream)).toEqual([]);
    });

    it("is told to a worker that comes for it just then", async () => {
      const stream = newStream();
      await stores.writing.claim(stream, claim);
      await stores.writing.remove(stream, "soon");
      expect(await stores.writing.claimUnlessEnded(stream, claim)).toBeUndefined();
    });
  });
}
