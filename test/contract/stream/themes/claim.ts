import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entries, entry, newStream, readAll, TTL_MS, upTo } from "../speech.ts";
import type { OpenStores, Stores } from "../stores.ts";

const claim = { owner: "worker_1", maxBytes: 1_000_000, ttlMs: TTL_MS };
const secondClaim = { ...claim, owner: "worker_2" };

export function claiming(open: OpenStores): void {
  describe("claim", () => {
    let stores: Stores;
    beforeAll(async () => {
      stores = await open();
    });
    afterAll(() => stores.close());

    it("refuses whatever a writer of before still sends; nobody ever reads it", async () => {
      const stream = newStream();
      const stale = await stores.writing.claim(stream, claim);
      await stale.append(entries(1, 3));
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const reading = readAll(reader);
      const current = await stores.reading.claim(stream, secondClaim);
      expect(current.fence).toBeGreaterThan(stale.fence);
      await expect(stale.append([entry(666)])).rejects.toMatchObject({ code: "lease.lost" });
      await expect(stale.assertCurrent()).rejects.toMatchObject({ code: "lease.lost" });
      await current.assertCurrent();
      expect(await current.append([entry(4)])).toBe(4);
      await expect(stale.append([entry(667)])).rejects.toMatchObject({ code: "lease.lost" });
      await expect(stale.end("stale")).rejects.toMatchObject({ code: "lease.lost" });
      await current.end("current");
      const told = await reading;
      expect(told.numbers).toEqual([1, 2, 3, 4]);
      expect(told.last).toMatchObject({ end: { result: "current" } });
      await reader.close();
    });

    it("succeeds for every one of many owners that claim at once", async () => {
      const stream = newStream();
      const owners = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? stores.writing : stores.reading));
      const writers = await Promise.all(owners.map((store) => store.claim(stream, claim)));
      expect(new Set(writers.map(({ fence }) => fence)).size).toBe(50);
      const newest = writers.find(({ fence }) => fence === 50);
      expect(await newest?.append([entry(1)])).toBe(1);
    });

    it("is refused below the rank of an earlier claim, and takes the stream without one", async () => {
      const stream = newStream();
      const ranked = await stores.writing.claim(stream, { ...claim, rank: 2 });
      await expect(stores.reading.claim(stream, { ...secondClaim, rank: 1 })).rejects.toMatchObject({
        code: "lease.lost",
      });
      expect(await ranked.append([entry(1)])).toBe(1);
      const same = await stores.reading.claim(stream, { ...secondClaim, rank: 2 });
      expect(await same.append([entry(2)])).toBe(2);
      const unranked = await stores.writing.claim(stream, claim);
      await expect(same.append([entry(3)])).rejects.toMatchObject({ code: "lease.lost" });
      expect(await unranked.append([entry(3)])).toBe(3);
      // The rank stays: what has been refused once is refused for good.
      await expect(stores.reading.claim(stream, { ...secondClaim, rank: 1 })).rejects.toMatchObject({
        code: "lease.lost",
      });
    });

    it("brings its first entries along, numbered on from those of before", async () => {
      const stream = newStream();
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const reading = readAll(reader, { release: false });
      const first = await stores.writing.claim(stream, { ...claim, first: entries(1, 3) });
      expect(first.lastSeq).toBe(3);
      expect(await first.append(entries(4, 5))).toBe(5);
      const second = await stores.reading.claim(stream, { ...secondClaim, first: entries(6, 7) });
      expect(second.lastSeq).toBe(7);
      const stored = (await stores.reading.inspect(stream))?.storedBytes;
      expect(await second.append([entry(8)])).toBe(8);
      await second.end("");
      expect((await reading).numbers).toEqual(upTo(8));
      const alike = newStream();
      const appended = await stores.writing.claim(alike, claim);
      await appended.append(entries(1, 7));
      expect(stored).toBe((await stores.reading.inspect(alike))?.storedBytes);
      await reader.close();
    });

    it("counts what it brings along against the bound", async () => {
      const stream = newStream();
      const one = claim.maxBytes - (await freeAfter(stores, entries(1, 1)));
      const writer = await stores.writing.claim(stream, {
        ...claim,
        maxBytes: 2 * one + 1,
        first: entries(1, 2),
      });
      expect(writer.freeBytes).toBe(1);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const appending = writer.append([entry(3)]);
      expect((await readAll(reader, { until: 3 })).numbers).toEqual(upTo(3));
      expect(await appending).toBe(3);
      await reader.close();
    });

    it("leaves an ended stream as it is, where it is asked to", async () => {
      const stream = newStream();
      const first = await stores.writing.claimUnlessEnded(stream, { ...claim, first: entries(1, 2) });
      await first?.end("over");
      expect(await stores.reading.claimUnlessEnded(stream, secondClaim)).toBeUndefined();
      await first?.assertCurrent();
      expect(await stores.reading.inspect(stream)).toMatchObject({ fence: 1, end: { result: "over" } });
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      expect((await readAll(reader)).last).toMatchObject({ end: { result: "over" } });
      expect((await stores.reading.claim(stream, secondClaim)).fence).toBe(2);
      await reader.close();
    });

    it("takes a writer that waits for room out of its wait", async () => {
      const stream = newStream();
      const stale = await stores.writing.claim(stream, { ...claim, maxBytes: 150 });
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await stale.append([entry(1)]);
      await reader.read(10);
      const waiting = expect(stale.append([entry(2)])).rejects.toMatchObject({ code: "lease.lost" });
      await stores.reading.claim(stream, secondClaim);
      await waiting;
      await reader.close();
    });

    it("goes on with the next number, and readers follow from one incarnation to the next", async () => {
      const stream = newStream();
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const late = stores.reading.reader(stream, { readerId: "edge_2", ttlMs: TTL_MS });
      const reading = readAll(reader, { release: false });
      for (let life = 0; life < 4; life += 1) {
        const writer = await stores.writing.claim(stream, claim);
        // The third owner claims and dies before its first word.
        if (life !== 2) await writer.append(entries(writer.lastSeq + 1, writer.lastSeq + 5));
        if (life === 3) await writer.end("");
      }
      expect((await reading).numbers).toEqual(upTo(15));
      expect((await readAll(late, { perRead: 2 })).numbers).toEqual(upTo(15));
      expect(await stores.reading.inspect(stream)).toMatchObject({
        fence: 4,
        owner: "worker_1",
        lastSeq: 15,
      });
      await Promise.all([reader.close(), late.close()]);
    });

    it("after an earlier entry seals those beyond it away", async () => {
      const stream = newStream();
      const first = await stores.writing.claim(stream, claim);
      await first.append(entries(1, 8));
      const ahead = stores.reading.reader(stream, { readerId: "ahead", ttlMs: TTL_MS });
      const behind = stores.reading.reader(stream, { readerId: "behind", ttlMs: TTL_MS });
      await readAll(ahead, { until: 8, release: false });
      await readAll(behind, { until: 2, perRead: 2, release: false });
      const second = await stores.writing.claim(stream, { ...secondClaim, afterSeq: 5 });
      expect(second.lastSeq).toBe(5);
      expect(await second.append([entry(106)])).toBe(6);
      await second.end("");
      expect((await readAll(behind)).numbers).toEqual([3, 4, 5, 106]);
      expect(await ahead.read(1)).toEqual({ kind: "lost", reason: "beyond-tail" });
      const late = stores.reading.reader(stream, { readerId: "late", ttlMs: TTL_MS });
      expect((await readAll(late)).numbers).toEqual([1, 2, 3, 4, 5, 106]);
      await Promise.all([ahead.close(), behind.close(), late.close()]);
    });

    it("after an entry of an incarnation further back seals all that came between", async () => {
      const stream = newStream();
      const first = await stores.writing.claim(stream, claim);
      await first.append(entries(1, 6));
      const second = await stores.writing.claim(stream, claim);
      await second.append(entries(7, 9));
      const third = await stores.writing.claim(stream, { ...claim, afterSeq: 4 });
      await third.append([entry(205)]);
      await third.end("");
      const late = stores.reading.reader(stream, { readerId: "late", ttlMs: TTL_MS });
      expect((await readAll(late)).numbers).toEqual([1, 2, 3, 4, 205]);
      await late.close();
    });

    it("opens an ended stream again", async () => {
      const stream = newStream();
      const first = await stores.writing.claim(stream, claim);
      await first.append([entry(1)]);
      await first.end("first");
      const second = await stores.writing.claim(stream, claim);
      expect((await stores.reading.inspect(stream))?.end).toBeUndefined();
      await second.append([entry(2)]);
      await second.end("second");
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      const told = await readAll(reader);
      expect(told.numbers).toEqual([1, 2]);
      expect(told.last).toMatchObject({ end: { lastSeq: 2, result: "second" } });
      await reader.close();
    });

    it("gives every one of many that claim at once a fence of its own; one stays current", async () => {
      const stream = newStream();
      const writers = await Promise.all(
        upTo(8).map((index) => (index % 2 ? stores.writing : stores.reading).claim(stream, claim)),
      );
      const fences = writers.map(({ fence }) => fence).sort((a, b) => a - b);
      expect(fences).toEqual(upTo(8));
      const outcomes = await Promise.allSettled(
        writers.map((writer) => writer.append([entry(writer.fence)])),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      expect((await readAll(reader, { until: 1 })).numbers).toEqual([8]);
      await reader.close();
    });
  });
}

/** Bytes that a new stream has free once it was claimed with these. */
async function freeAfter(stores: Stores, first: ReturnType<typeof entries>): Promise<number> {
  return (await stores.writing.claim(newStream(), { ...claim, first })).freeBytes;
}
