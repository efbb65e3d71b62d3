import {
  afterSeek,
  initialReaderState,
  type Look,
  maySeek,
  mustSeek,
  nextReaderState,
  type ReaderState,
  refusalOf,
} from "@tts-labs/core/stream/reader-state";
import type { ReadEntry, StreamMeta } from "@tts-labs/core/stream/redis-replies";
import { describe, expect, it } from "vitest";

const EPOCH = { life: "life", fence: 2 };
const META: StreamMeta = {
  life: "life",
  fence: 2,
  maxBytes: 1000,
  trimmedSeq: 0,
  end: undefined,
  writerWaits: false,
  seal: undefined,
};
const entriesFrom = (first: number, last: number): ReadEntry[] =>
  Array.from({ length: Math.max(last - first + 1, 0) }, (_, index) => ({
    seq: first + index,
    endBytes: 10 * (first + index),
    head: "",
    body: Buffer.alloc(0),
  }));
const look = (change: Partial<Look> = {}): Look => ({
  meta: change.meta ?? META,
  found: change.found ?? [],
  tailSeq: change.tailSeq,
  count: change.count ?? 8,
});
const state = (change: Partial<ReaderState> = {}): ReaderState => ({
  epoch: EPOCH,
  seq: change.seq ?? 0,
  start: change.start ?? { kind: "proven" },
  next: change.next ?? "look",
});
const END = { lastSeq: 3, result: "{}" };

describe("A reader that looks", () => {
  it.each([
    ["finds fewer entries than it asked for: it has all there is, and sleeps", 1, 3, "sleep", 3],
    ["finds as many as it asked for: it looks again", 1, 8, "look", 8],
  ] as const)("%s", (_, first, last, next, seq) => {
    const step = nextReaderState(state(), look({ found: entriesFrom(first, last) }));
    expect(step.finding.kind).toBe("entries");
    expect(step.state).toMatchObject({ next, seq, epoch: EPOCH });
  });

  it("does not sleep where the stream has ended: nothing would ring", () => {
    const step = nextReaderState(state(), look({ found: entriesFrom(1, 2), meta: { ...META, end: END } }));
    expect(step.state.next).toBe("look");
  });

  it("gives out what comes before a gap, and takes the gap for a loss", () => {
    const found = [...entriesFrom(1, 2), ...entriesFrom(4, 5)];
    const step = nextReaderState(state(), look({ found }));
    expect(step.finding).toMatchObject({ kind: "entries", entries: entriesFrom(1, 2) });
    const after = nextReaderState(step.state, look({ found: entriesFrom(4, 5) }));
    expect(after.finding).toEqual({ kind: "lost", reason: "trimmed" });
  });

  it("never gives out what a stale owner wrote beyond the seal, and goes on in the next incarnation", () => {
    const meta = { ...META, fence: 3, seal: 2 };
    const step = nextReaderState(state(), look({ found: entriesFrom(1, 4), meta }));
    expect(step.finding).toMatchObject({ kind: "entries", entries: entriesFrom(1, 2) });
    const after = nextReaderState(step.state, look({ found: entriesFrom(3, 4), meta }));
    expect(after).toMatchObject({
      finding: { kind: "none" },
      state: { epoch: { life: "life", fence: 3 }, seq: 2, next: "look" },
    });
  });

  it("meets the end after the last entry", () => {
    const step = nextReaderState(state({ seq: 3 }), look({ meta: { ...META, end: END } }));
    expect(step.finding).toEqual({ kind: "ended", end: END });
  });

  it("looks once more after an end beyond what it found, and takes a second one for a loss", () => {
    const ahead = look({ meta: { ...META, end: END } });
    const once = nextReaderState(state({ seq: 2 }), ahead);
    expect(once).toMatchObject({ finding: { kind: "none" }, state: { next: "confirm-end" } });
    expect(nextReaderState(once.state, ahead).finding).toEqual({ kind: "lost", reason: "trimmed" });
    const arrived = nextReaderState(once.state, look({ found: entriesFrom(3, 3), meta: ahead.meta }));
    expect(arrived).toMatchObject({ finding: { kind: "entries" }, state: { next: "look" } });
  });

  it.each([
    ["an entry it has not read was trimmed", state({ seq: 1 }), { ...META, trimmedSeq: 4 }, "trimmed"],
    ["an owner went on after entries that are lost", state({ seq: 1 }), { ...META, seal: 4 }, "trimmed"],
    ["the stream ended before its place", state({ seq: 5 }), { ...META, end: END }, "beyond-tail"],
  ] as const)("is told its place is lost where %s", (_, before, meta, reason) => {
    expect(nextReaderState(before, look({ meta })).finding).toEqual({ kind: "lost", reason });
  });
});

describe("A position that a client names", () => {
  const named = initialReaderState({ epoch: "life.2", seq: 5 }, EPOCH);

  it("is held against the tail before anything is read", () => {
    expect(named).toMatchObject({ seq: 5, start: { kind: "named" } });
    expect(refusalOf(named, look({ tailSeq: 4 }))).toBe("beyond-tail");
    expect(refusalOf(named, look({ tailSeq: 5 }))).toBeUndefined();
  });

  it("is held against it once: later a tail says nothing", () => {
    const { state: proven } = nextReaderState(named, look({ tailSeq: 5 }));
    expect(proven.start).toEqual({ kind: "proven" });
    expect(refusalOf(proven, look({ tailSeq: 4 }))).toBeUndefined();
  });

  it.each([
    ["another life", { ...META, life: "other" }],
    ["an incarnation that never was", { ...META, fence: 1 }],
  ])("is refused in %s", (_, meta) => {
    expect(refusalOf(named, look({ meta, tailSeq: 9 }))).toBe("epoch");
  });
});

describe("A reader of the oldest entry held", () => {
  const opened = initialReaderState("oldest", undefined);

  it("searches before its first look, and three times in all", () => {
    expect(mustSeek(opened)).toBe(true);
    const once = afterSeek(opened, { epoch: EPOCH, seq: 7 });
    expect(once).toMatchObject({ epoch: EPOCH, seq: 7 });
    expect([mustSeek(once), maySeek(once)]).toEqual([false, true]);
    const thrice = afterSeek(afterSeek(once, undefined), undefined);
    expect(maySeek(thrice)).toBe(false);
  });

  it("searches no more once it has read", () => {
    const placed = afterSeek(opened, { epoch: EPOCH, seq: 7 });
    const step = nextReaderState(placed, look({ found: entriesFrom(8, 8) }));
    expect(maySeek(step.state)).toBe(false);
  });
});
