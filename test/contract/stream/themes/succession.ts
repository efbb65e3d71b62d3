import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entries, newStream, numberOf, readAll, TTL_MS } from "../speech.ts";
import type { OpenStores, Stores } from "../stores.ts";

const claim = { owner: "worker_1", maxBytes: 1_000_000, ttlMs: TTL_MS };
/** Small enough that readers tell at once what they have released. */
const smallClaim = { ...claim, maxBytes: 800 };
const secondClaim = { ...claim, owner: "worker_2" };

/** What a new owner finds. */
export function succession(open: OpenStores): void {
  describe("succession", () => {
    let stores: Stores;
    beforeAll(async () => {
      stores = await open();
    });
    afterAll(() => stores.close());

    const lastOf = async (stream: ReturnType<typeof newStream>) => {
      const last = await stores.reading.last(stream);
      return last && { seq: last.seq, number: numberOf(last) };
    };

    it("begins at the last entry, also when every reader has released all there is", async () => {
      const stream = newStream();
      expect(await lastOf(stream)).toBeUndefined();
      const writer = await stores.writing.claim(stream, smallClaim);
      expect(await lastOf(stream)).toBeUndefined();
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await writer.append(entries(1, 7));
      await readAll(reader, { until: 7 });
      await expect.poll(async () => (await stores.reading.inspect(stream))?.storedBytes).toBe(0);
      await reader.close();
      expect(await lastOf(stream)).toEqual({ seq: 7, number: 7 });
      const next = await stores.reading.claim(stream, secondClaim);
      expect(next.lastSeq).toBe(7);
      expect(await lastOf(stream)).toEqual({ seq: 7, number: 7 });
    });

    it("looks past owners that had nothing to say, and at nothing that was sealed away", async () => {
      const stream = newStream();
      const first = await stores.writing.claim(stream, claim);
      await first.append(entries(1, 5));
      const second = await stores.reading.claim(stream, { ...secondClaim, afterSeq: 3 });
      await stores.writing.claim(stream, claim);
      expect(await lastOf(stream)).toEqual({ seq: 3, number: 3 });
      second.close();
    });

    it("keeps what it shows to a new owner from readers: for them it is trimmed", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, smallClaim);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await writer.append(entries(1, 7));
      const { last } = await readAll(reader, { until: 7 });
      await expect.poll(async () => (await stores.reading.inspect(stream))?.storedBytes).toBe(0);
      await reader.close();
      const epoch = last.kind === "entries" ? last.epoch : "";
      const late = stores.reading.reader(stream, {
        readerId: "edge_2",
        ttlMs: TTL_MS,
        from: { epoch, seq: 6 },
      });
      expect(await late.read(4)).toEqual({ kind: "lost", reason: "trimmed" });
      await late.close();
    });

    it("is needed when the owner no longer looks at its record", async () => {
      const stream = newStream();
      const isAlive = async () => (await stores.reading.inspect(stream))?.ownerAlive;
      const writer = await stores.writing.claim(stream, claim);
      expect(await isAlive()).toBe(false);
      await writer.assertCurrent();
      expect(await isAlive()).toBe(true);
      await expect.poll(isAlive).toBe(false);
      await writer.assertCurrent();
      expect(await isAlive()).toBe(true);
      const next = await stores.reading.claim(stream, secondClaim);
      await expect(writer.assertCurrent()).rejects.toMatchObject({ code: "lease.lost" });
      expect(await isAlive()).toBe(false);
      await next.assertCurrent();
      expect(await isAlive()).toBe(true);
    });
  });
}
