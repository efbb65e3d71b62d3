import { MAX_ENTRY_BYTES } from "@tts-labs/protocol/limits";
import { afterEach, expect, test, vi } from "vitest";
import { asRead, keyOf, readAll, speech } from "./speech.ts";
import { type Caches, type OpenCaches, TEST_LIMITS } from "./stores.ts";

/** What every store of speech must do: the promises of packages/core/src/cache/audio-cache.ts. */
export function cacheContract(openCaches: OpenCaches): void {
  let caches: Caches | undefined;
  const open: OpenCaches = async (limits) => {
    caches = await openCaches(limits);
    return caches;
  };
  afterEach(async () => {
    await caches?.close();
    caches = undefined;
  });

  test.each([2, 1_000, 32_704, 32_706, 192_000, 700_002])(
    "%i bytes come back as they were stored",
    async (bytes) => {
      const { one, other, seen } = await open();
      const stored = speech("A train.", bytes);
      expect(await one.lookup(keyOf("A train."))).toBeUndefined();
      expect(await one.store(keyOf("A train."), stored)).toBe("stored");
      const cached = await other.lookup(keyOf("A train."));
      expect(cached).toMatchObject({ samples: bytes / 2, sampleRateHz: 24_000, characters: 8 });
      expect(await readAll(cached)).toStrictEqual(asRead(stored));
      expect(await other.lookup(keyOf("Another train."))).toBeUndefined();
      expect(seen).toEqual(["miss", "stored", "hit", "miss"]);
    },
  );

  test("pieces are as small as a stream's entries, with the captions that begin in them", async () => {
    const { one } = await open();
    await one.store(keyOf("A train."), speech("A train.", 192_000));
    const cached = await one.lookup(keyOf("A train."));
    const first = await cached?.next();
    expect(first?.pcm.byteLength).toBe(MAX_ENTRY_BYTES);
    expect(first?.alignments).toHaveLength(1);
    const second = await cached?.next();
    expect(second?.firstSample).toBe(MAX_ENTRY_BYTES / 2);
    expect(second?.alignments).toHaveLength(1);
  });

  test("what is stored already stays, and two who store it at once both do no harm", async () => {
    const { one, other } = await open();
    const stored = speech("A train.", 50_000);
    const outcomes = await Promise.all([
      one.store(keyOf("A train."), stored),
      other.store(keyOf("A train."), stored),
    ]);
    expect(outcomes).toContain("stored");
    expect(await one.store(keyOf("A train."), speech("else", 50_000))).toBe("present");
    expect(await readAll(await other.lookup(keyOf("A train.")))).toStrictEqual(asRead(stored));
    expect((await one.stats()).entries).toBe(1);
  });

  test("silence, and speech beyond the bound of one entry, is refused", async () => {
    const { one, seen } = await open({ maxEntryBytes: 10_000 });
    expect(await one.store(keyOf("empty"), speech("empty", 0))).toBe("empty");
    expect(await one.store(keyOf("long"), speech("long", 10_002))).toBe("too-large");
    expect(await one.lookup(keyOf("long"))).toBeUndefined();
    expect(seen).toEqual(["refused: empty", "refused: too-large", "miss"]);
  });

  test("an entry goes at its age, however often it is used", async () => {
    const { one } = await open({ ttlMs: 300 });
    await one.store(keyOf("A train."), speech("A train.", 1_000));
    expect(await one.lookup(keyOf("A train."))).toBeDefined();
    await vi.waitFor(async () => expect(await one.lookup(keyOf("A train."))).toBeUndefined());
  });

  test("purging takes a voice's entries, or all; the rest stay", async () => {
    const { one, other } = await open();
    for (const [text, voice] of [
      ["a", "grace"],
      ["b", "grace"],
      ["c", "max"],
    ] as const) {
      await one.store(keyOf(text, voice), speech(text, 20_000, voice));
    }
    const stats = await other.stats();
    expect(stats.entries).toBe(3);
    const size = await one.size();
    if (size !== undefined) expect(size).toEqual({ entries: 3, bytes: stats.bytes });
    expect(stats.voices.map(({ voice, entries }) => [voice, entries])).toEqual([
      ["grace", 2],
      ["max", 1],
    ]);
    expect(stats.bytes).toBeGreaterThan(60_000);
    expect(await other.purge({ voice: "grace" })).toBe(2);
    expect(await one.lookup(keyOf("a", "grace"))).toBeUndefined();
    expect(await one.lookup(keyOf("c", "max"))).toBeDefined();
    expect(await one.purge()).toBe(1);
    expect(await one.stats()).toEqual({ entries: 0, bytes: 0, voices: [] });
    expect(await one.store(keyOf("a", "grace"), speech("a", 20_000, "grace"))).toBe("stored");
  });

  test("nothing stays in Redis for ever", async () => {
    const { one, keysWithoutTtl } = await open();
    for (const text of ["a", "b", "c"]) await one.store(keyOf(text), speech(text, 40_000));
    await one.lookup(keyOf("a"));
    await one.purge({ voice: "nobody" });
    expect(await keysWithoutTtl()).toEqual([]);
  });

  test("closing may be done twice", async () => {
    const { one } = await open(TEST_LIMITS);
    await one.close();
    await one.close();
  });
}

/** What those must do who keep to the bound themselves. */
export function boundContract(openCaches: OpenCaches): void {
  let caches: Caches | undefined;
  afterEach(async () => {
    await caches?.close();
    caches = undefined;
  });

  test("the least used goes first: phrases asked for survive ten times the bound of others", async () => {
    caches = await openCaches({ maxBytes: 1_000_000 });
    const { one, other } = caches;
    const hot = ["Hello.", "One moment, please.", "Goodbye."];
    for (const text of hot) await one.store(keyOf(text), speech(text, 40_000));
    for (let i = 0; i < 4; i++) {
      for (const text of hot) expect(await other.lookup(keyOf(text)), text).toBeDefined();
    }
    // Its uses are told in the background, and when it closes.
    await other.close();
    for (let i = 0; i < 250; i++) {
      expect(await one.store(keyOf(`once ${i}`), speech(`once ${i}`, 40_000))).toBe("stored");
    }
    for (const text of hot) expect(await one.lookup(keyOf(text)), text).toBeDefined();
    expect(await one.lookup(keyOf("once 0"))).toBeUndefined();
    expect(await one.lookup(keyOf("once 249"))).toBeDefined();
    const { bytes } = await one.stats();
    expect(bytes).toBeLessThanOrEqual(1_000_000);
    expect(bytes).toBeGreaterThan(900_000);
  });

  test("without uses the oldest goes first", async () => {
    caches = await openCaches({ maxBytes: 200_000 });
    const { one } = caches;
    for (let i = 0; i < 8; i++) {
      const beganAtMs = performance.now();
      await one.store(keyOf(`once ${i}`), speech(`once ${i}`, 40_000));
      // Redis' clock counts milliseconds: the next is younger.
      const isYounger = () => expect(performance.now() - beganAtMs).toBeGreaterThan(2);
      await vi.waitFor(isYounger, { interval: 1 });
    }
    expect(await one.lookup(keyOf("once 0"))).toBeUndefined();
    expect(await one.lookup(keyOf("once 7"))).toBeDefined();
  });
}
