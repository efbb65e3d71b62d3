import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { entry, newStream, readAll, TTL_MS, upTo } from "../speech.ts";
import type { OpenStores, Stores } from "../stores.ts";

const HEAD_BYTES = Buffer.byteLength(entry(1).head);
/** Room for three entries of 100 bytes with heads of one digit. */
const claim = { owner: "worker_1", maxBytes: 3 * (100 + HEAD_BYTES), ttlMs: TTL_MS };

export function bound(open: OpenStores): void {
  describe("bound", () => {
    let stores: Stores;
    let waits = 0;
    beforeAll(async () => {
      stores = await open({
        observer: {
          appended: () => {},
          rang: () => {},
          readInVain: () => {},
          resent: () => {},
          mended: () => {},
          lost: () => {},
          waitedForRoom: () => {
            waits += 1;
          },
        },
      });
    });
    afterAll(() => stores.close());

    const full = async (stream = newStream()) => {
      const writer = await stores.writing.claim(stream, claim);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await writer.append([entry(1)]);
      await reader.read(10);
      await writer.append([entry(2), entry(3)]);
      expect(writer.freeBytes).toBe(0);
      return { stream, writer, reader };
    };

    /** Whether the promise is still open once everything that was under way has been answered. */
    const stillWaits = async (promise: Promise<unknown>, stream = newStream()) => {
      let settled = false;
      promise.then(
        () => (settled = true),
        () => (settled = true),
      );
      for (let looks = 0; looks < 10; looks += 1) await stores.writing.inspect(stream);
      return !settled;
    };

    it("makes the writer wait when it is reached, and go on when the reader releases", async () => {
      const { writer, reader } = await full();
      const waiting = writer.append([entry(4)]);
      expect(await stillWaits(waiting)).toBe(true);
      await reader.read(10);
      expect(await stillWaits(waiting)).toBe(true);
      const waitsBefore = waits;
      reader.advance(1);
      expect(await waiting).toBe(4);
      expect(waits).toBe(waitsBefore + 1);
      await reader.close();
    });

    it("keeps what is stored within it however slow the reader is, and loses no byte", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, claim);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      let most = 0;
      const write = async () => {
        for (let number = 1; number <= 60; number += 1) {
          await writer.append([entry(number)], AbortSignal.timeout(20_000));
          most = Math.max(most, (await stores.writing.inspect(stream))?.storedBytes ?? 0);
        }
        await writer.end("");
      };
      const [told] = await Promise.all([readAll(reader, { perRead: 1 }), write()]);
      expect(told.numbers).toEqual(upTo(60));
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(claim.maxBytes);
      await reader.close();
    });

    it("lets an append larger than itself through once everything is released", async () => {
      const { writer, reader } = await full();
      const waiting = writer.append([entry(4, 1_000)]);
      await reader.read(10);
      reader.advance(2);
      expect(await stillWaits(waiting)).toBe(true);
      reader.advance(3);
      expect(await waiting).toBe(4);
      await reader.close();
    });

    it("is held by the slowest reader, until that one is closed", async () => {
      const { stream, writer, reader: slow } = await full();
      const fast = stores.reading.reader(stream, { readerId: "edge_2", ttlMs: TTL_MS });
      await readAll(fast, { until: 3 });
      const waiting = writer.append([entry(4)]);
      expect(await stillWaits(waiting)).toBe(true);
      await slow.close();
      expect(await waiting).toBe(4);
      await fast.close();
    });

    it("is not held twice by a reader that comes back under its name", async () => {
      const { stream, writer, reader: before } = await full();
      const again = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      expect((await readAll(again, { until: 3 })).numbers).toEqual([1, 2, 3]);
      expect(await writer.append([entry(4)])).toBe(4);
      await before.close();
      const waiting = writer.append([entry(5), entry(6), entry(7)]);
      expect(await stillWaits(waiting)).toBe(true);
      expect((await readAll(again, { until: 1 })).numbers).toEqual([4]);
      expect(await waiting).toBe(7);
      await again.close();
    });

    it("ends the wait with the signal's reason, and nothing of the append is stored", async () => {
      const { stream, writer, reader } = await full();
      const giveUp = new AbortController();
      const waiting = expect(writer.append([entry(4)], giveUp.signal)).rejects.toThrow("cancelled");
      giveUp.abort(new Error("cancelled"));
      await waiting;
      expect((await stores.writing.inspect(stream))?.lastSeq).toBe(3);
      await reader.read(10);
      reader.advance(3);
      expect(await writer.append([entry(4)])).toBe(4);
      await reader.close();
    });

    it("ends the wait when the writer is closed", async () => {
      const { writer, reader } = await full();
      const waiting = expect(writer.append([entry(4)])).rejects.toMatchObject({ code: "internal" });
      writer.close();
      writer.close();
      await waiting;
      await reader.close();
    });

    it("does not wait for ever where nobody reads", async () => {
      const { writer, reader } = await full();
      await reader.close();
      await expect(writer.append([entry(4)])).rejects.toMatchObject({ code: "stream.reader_gone" });
    });

    it("waits for a reader that reads no more as long as that one lives", async () => {
      const { stream, writer, reader } = await full();
      const waiting = writer.append([entry(4)]);
      // Longer than the writer would wait for a reader that is gone.
      const beganAtMs = performance.now();
      await vi.waitUntil(() => performance.now() - beganAtMs > 1_500, { timeout: 5_000 });
      expect(await stillWaits(waiting, stream)).toBe(true);
      await reader.close();
      await expect(waiting).rejects.toMatchObject({ code: "stream.reader_gone" });
    });
  });
}
