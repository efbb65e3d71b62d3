import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { entries, entry, newStream, readAll, TTL_MS, upTo } from "../speech.ts";
import type { OpenStores, Stores } from "../stores.ts";

const claim = { owner: "worker_1", maxBytes: 1_000_000, ttlMs: TTL_MS };

export function position(open: OpenStores): void {
  describe("position", () => {
    let stores: Stores;
    beforeAll(async () => {
      stores = await open();
    });
    afterAll(() => stores.close());

    const spoken = async (count: number, stream = newStream()) => {
      const writer = await stores.writing.claim(stream, claim);
      await writer.append(entries(1, count));
      return { stream, writer };
    };
    const resume = (stream: ReturnType<typeof newStream>, epoch: string, seq: number) =>
      stores.reading.reader(stream, { readerId: "edge_2", from: { epoch, seq }, ttlMs: TTL_MS });

    it("resumes after the last entry held, and gets exactly the rest", async () => {
      const { stream, writer } = await spoken(10);
      const first = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await readAll(first, { until: 4, perRead: 4, release: false });
      const held = first.position;
      expect(held).toEqual({ epoch: writer.epoch, seq: 4 });
      await first.close();
      await writer.end("");
      const second = resume(stream, held?.epoch ?? "", held?.seq ?? 0);
      expect(second.position).toEqual(held);
      expect((await readAll(second)).numbers).toEqual(upTo(10, 5));
      await second.close();
    });

    it("resumes at the tail and sleeps for what comes", async () => {
      const { stream, writer } = await spoken(3);
      const reader = resume(stream, writer.epoch, 3);
      const reading = reader.read(10);
      await writer.append(entries(4, 4));
      expect(await reading).toMatchObject({ entries: [{ seq: 4 }] });
      await reader.close();
    });

    it("resumes in an incarnation that has been sealed since", async () => {
      const { stream, writer } = await spoken(5);
      const second = await stores.writing.claim(stream, claim);
      await second.append(entries(6, 7));
      await second.end("");
      const reader = resume(stream, writer.epoch, 2);
      expect((await readAll(reader)).numbers).toEqual(upTo(7, 3));
      await reader.close();
    });

    it("at the very end is told the end", async () => {
      const { stream, writer } = await spoken(3);
      await writer.end("done");
      const reader = resume(stream, writer.epoch, 3);
      expect(await reader.read(1)).toEqual({ kind: "ended", end: { lastSeq: 3, result: "done" } });
      await reader.close();
    });

    it("oldest begins with the first entry still held, in whatever incarnation it lies", async () => {
      const stream = newStream();
      const bounded = { ...claim, maxBytes: 1_200 };
      const writer = await stores.writing.claim(stream, bounded);
      await writer.append(entries(1, 6));
      const options = { readerId: "edge_1", ttlMs: TTL_MS };
      const reader = stores.reading.reader(stream, options);
      await readAll(reader, { until: 4, perRead: 2 });
      await reader.close();
      writer.close();
      const second = await stores.writing.claim(stream, bounded);
      await second.append(entries(7, 9));
      await second.end("over");
      const one = stores.reading.reader(stream, { ...options, from: "oldest" });
      expect((await readAll(one)).numbers).toEqual(upTo(9, 5));
      await one.close();
      // All of the first incarnation is gone by now.
      const two = stores.reading.reader(stream, { ...options, from: "oldest" });
      const rest = await readAll(two);
      expect(rest.numbers).toEqual(upTo(9, rest.numbers[0] ?? 10));
      expect(rest.last).toMatchObject({ kind: "ended", end: { result: "over" } });
      await two.close();
    });

    it("oldest of a stream that does not exist yet begins with its first entry", async () => {
      const stream = newStream();
      const reader = stores.reading.reader(stream, { readerId: "edge_1", from: "oldest", ttlMs: TTL_MS });
      const reading = reader.read(10);
      const writer = await stores.writing.claim(stream, claim);
      await writer.append(entries(1, 2));
      expect(await reading).toMatchObject({ entries: [{ seq: 1 }, { seq: 2 }] });
      await reader.close();
    });

    it("a reader with a replay window may come back for it, though it has advanced; what it forgot is gone", async () => {
      const stream = newStream();
      const small = { ...claim, maxBytes: 4_000 };
      const writer = await stores.writing.claim(stream, small);
      const options = { readerId: "edge_1", ttlMs: TTL_MS, replayBytes: 100_000 };
      const reader = stores.reading.reader(stream, options);
      // Four times the bound: half of it is all that the window may take, and the writer goes on.
      const [told] = await Promise.all([
        readAll(reader, { until: 40, perRead: 1 }),
        (async () => {
          for (let number = 1; number <= 40; number += 1) await writer.append([entry(number, 400)]);
        })(),
      ]);
      expect(told.numbers).toEqual(upTo(40));
      const back = stores.reading.reader(stream, { ...options, from: "oldest" });
      const replayed = await readAll(back, { until: 4, perRead: 1, release: false });
      expect(replayed.numbers[0]).toBeLessThanOrEqual(37);
      await readAll(back, { until: 40 - (replayed.numbers.at(-1) ?? 0), perRead: 16, release: false });
      back.forget(40);
      // What is left to read is only what comes.
      await expect
        .poll(async () => {
          const probe = stores.reading.reader(stream, { ...options, from: "oldest" });
          const reading = probe.read(1, AbortSignal.timeout(50)).catch(() => "nothing");
          const found = await reading;
          await probe.close();
          return found;
        })
        .toBe("nothing");
      await Promise.all([reader.close(), back.close()]);
    });

    it("of another life is lost: epoch", async () => {
      const { stream, writer } = await spoken(3);
      await stores.writing.expire(stream, 0);
      await spoken(3, stream);
      const fence = writer.epoch.slice(writer.epoch.indexOf("."));
      for (const epoch of [writer.epoch, `other${fence}`, "", "no epoch at all"]) {
        const reader = resume(stream, epoch, 1);
        expect(await reader.read(1)).toEqual({ kind: "lost", reason: "epoch" });
        await reader.close();
      }
    });

    it("of an incarnation that does not exist yet is lost: epoch", async () => {
      const { stream, writer } = await spoken(3);
      const reader = resume(stream, writer.epoch.replace(/\.1$/, ".2"), 3);
      expect(await reader.read(1)).toEqual({ kind: "lost", reason: "epoch" });
      await reader.close();
    });

    it("beyond what is stored is lost: beyond-tail", async () => {
      const { stream, writer } = await spoken(3);
      const beyond = resume(stream, writer.epoch, 4);
      expect(await beyond.read(1)).toEqual({ kind: "lost", reason: "beyond-tail" });
      await stores.writing.claim(stream, { ...claim, afterSeq: 2 });
      const sealedAway = resume(stream, writer.epoch, 3);
      expect(await sealedAway.read(1)).toEqual({ kind: "lost", reason: "beyond-tail" });
      await Promise.all([beyond.close(), sealedAway.close()]);
    });

    it("that all readers have released is lost: trimmed; so is the beginning then", async () => {
      const stream = newStream();
      const writer = await stores.writing.claim(stream, { ...claim, maxBytes: 700 });
      await writer.append(entries(1, 6));
      const stored = async () => (await stores.writing.inspect(stream))?.storedBytes ?? 0;
      const before = await stored();
      const first = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
      await readAll(first, { until: 4, perRead: 4 });
      await vi.waitUntil(async () => (await stored()) < before);
      await first.close();
      const late = resume(stream, writer.epoch, 1);
      expect(await late.read(1)).toEqual({ kind: "lost", reason: "trimmed" });
      const fromStart = stores.reading.reader(stream, { readerId: "edge_4", ttlMs: TTL_MS });
      expect(await fromStart.read(1)).toEqual({ kind: "lost", reason: "trimmed" });
      await Promise.all([late.close(), fromStart.close()]);
    });

    it("of a stream that is no more is lost: gone", async () => {
      const { stream, writer } = await spoken(3);
      await stores.writing.expire(stream, 0);
      const reader = resume(stream, writer.epoch, 1);
      expect(await reader.read(1)).toEqual({ kind: "lost", reason: "gone" });
      await reader.close();
    });

    it("ahead of entries that were never stored is lost: trimmed, not a silent gap", async () => {
      const { stream, writer } = await spoken(3);
      const reader = resume(stream, writer.epoch, 2);
      // An owner that knows of more than Redis still has goes on after what it knows.
      const second = await stores.writing.claim(stream, { ...claim, afterSeq: 5 });
      await second.append(entries(6, 6));
      expect(await reader.read(10)).toMatchObject({ entries: [{ seq: 3 }] });
      expect(await reader.read(10)).toEqual({ kind: "lost", reason: "trimmed" });
      await reader.close();
    });
  });
}
