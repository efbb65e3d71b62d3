import { MAX_ENTRY_BYTES } from "@tts-labs/protocol/limits";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entries, entry, newStream, readAll, seeded, TTL_MS, upTo } from "../speech.ts";
import type { OpenStores, Stores } from "../stores.ts";

const claim = { owner: "worker_1", maxBytes: 1_000_000, ttlMs: TTL_MS };

export function order(open: OpenStores): void {
  describe("order", () => {
    let stores: Stores;
    beforeAll(async () => {
      stores = await open();
    });
    afterAll(() => stores.close());

    it("gives entries back dense, in order and byte for byte", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      for (let number = 1; number <= 40; number += 1)
        expect(await writer.append([entry(number)])).toBe(number);
      await writer.end("done");
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const told = await readAll(reader, { perRead: 7 });
      expect(told.seqs).toEqual(upTo(40));
      expect(told.numbers).toEqual(upTo(40));
      expect(told.last).toEqual({ kind: "ended", end: { lastSeq: 40, result: "done" } });
      expect(reader.position).toEqual({ epoch: writer.epoch, seq: 40 });
      await reader.close();
    });

    it("stores several entries of one append together", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      expect(await writer.append(entries(1, 5))).toBe(5);
      expect(await writer.append([])).toBe(5);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const result = await reader.read(3);
      expect(result.kind === "entries" && result.entries.map(({ seq }) => seq)).toEqual([1, 2, 3]);
      expect((await readAll(reader, { until: 2 })).seqs).toEqual([4, 5]);
      await reader.close();
    });

    it("keeps heads and bodies as they are, empty ones too", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      const head = JSON.stringify({ text: "Größe, 你好, 🎧" });
      const padded = new Uint8Array([9, 0, 13, 10, 255, 9]).subarray(1, 5);
      await writer.append([
        { head, body: padded },
        { head: "", body: new Uint8Array(0) },
      ]);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const result = await reader.read(10);
      if (result.kind !== "entries") throw new Error(result.kind);
      expect(result.entries.map((read) => [read.head, [...read.body]])).toEqual([
        [head, [0, 13, 10, 255]],
        ["", []],
      ]);
      await reader.close();
    });

    it("gives every reader everything", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      const readers = ["edge_1", "edge_2", "edge_3"].map((readerId) =>
        stores.reading.reader(stream, { readerId, ttlMs: TTL_MS }),
      );
      const all = readers.map((reader, index) => readAll(reader, { perRead: index + 1 }));
      for (let number = 1; number <= 30; number += 1) await writer.append([entry(number)]);
      await writer.end("");
      for (const told of await Promise.all(all)) expect(told.numbers).toEqual(upTo(30));
      for (const reader of readers) await reader.close();
    });

    it("refuses a body that is longer than an entry's may be, and goes on", async () => {
      const writer = await stores.writing.claim(newStream(), claim);
      await expect(writer.append([entry(1, MAX_ENTRY_BYTES + 1)])).rejects.toMatchObject({
        code: "internal",
      });
      expect(await writer.append([entry(1, MAX_ENTRY_BYTES)])).toBe(1);
    });

    it("refuses a second call while one is under way", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, { ...claim, maxBytes: 150 });
      await writer.append([entry(1)]);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const waiting = writer.append([entry(2)]);
      await expect(writer.append([entry(3)])).rejects.toMatchObject({ code: "internal" });
      expect((await readAll(reader, { until: 2 })).numbers).toEqual([1, 2]);
      await waiting;
      const reading = reader.read(1);
      await expect(reader.read(1)).rejects.toMatchObject({ code: "internal" });
      await writer.end("");
      expect(await reading).toMatchObject({ kind: "ended" });
      await reader.close();
    });

    it("loses no wake-up however appends, reads and releases fall together", {
      timeout: 25_000,
    }, async () => {
      // 12 streams x 200 appends, each with its own dice; no reader looks again by itself.
      const speak = async (seed: number) => {
        const dice = seeded(seed);
        const loiter = async () => {
          for (let turns = Math.floor(dice() * 4); turns > 0; turns -= 1) {
            await new Promise((resolve) => setImmediate(resolve));
          }
        };
        const stream = newStream();
        const writer = await stores.writing.claim(stream, { ...claim, maxBytes: 1_500 });
        const write = async () => {
          for (let number = 1; number <= 200; ) {
            const last = Math.min(200, number + Math.floor(dice() * 3));
            await writer.append(entries(number, last), AbortSignal.timeout(20_000));
            number = last + 1;
            await loiter();
          }
          await writer.end("");
        };
        const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
        const [told] = await Promise.all([readAll(reader, { perRead: 1 + Math.floor(dice() * 4) }), write()]);
        await reader.close();
        return told.numbers;
      };
      const all = await Promise.all(upTo(12).map((seed) => speak(seed)));
      for (const numbers of all) expect(numbers).toEqual(upTo(200));
    });
  });
}
