import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import type { StreamReader, StreamStore, StreamWriter } from "@tts-labs/core/stream/stream";
import { SharedSpeech } from "@tts-labs/edge/shared-speech/shared-speech";
import { GatewayError } from "@tts-labs/protocol/errors";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const STREAM = { tag: "utt_1", name: "audio" } as const;
/** Of the stream: what may wait in it. */
const STREAM_BYTES = 100_000;
const ENTRY_BYTES = 10_000;
const ENTRIES = 60;
/** Entries that have room in the stream, with their heads. */
const ROOM = Math.floor(STREAM_BYTES / ENTRY_BYTES) - 1;

let streams: StreamStore;
let writer: StreamWriter;
let budget: PeakBudget;
let outgrown: string[];
/** How many entries had been kept when it was over. */
let kept: number | undefined;

beforeEach(async () => {
  streams = openMemoryStreams();
  writer = await streams.claim(STREAM, { owner: "worker", maxBytes: STREAM_BYTES, ttlMs: 60_000 });
  budget = new PeakBudget(10 * ENTRIES * ENTRY_BYTES);
  outgrown = [];
  kept = undefined;
});
afterEach(() => streams.close());

class PeakBudget extends ByteBudget {
  mostBytes = 0;

  override take(bytes: number): void {
    super.take(bytes);
    this.mostBytes = Math.max(this.mostBytes, this.takenBytes);
  }
}

function share(maxBytes = 2 * ENTRIES * ENTRY_BYTES, replayBytes = 0, ttlMs = 60_000) {
  const shared = new SharedSpeech({
    streams,
    utteranceId: STREAM.tag,
    readerId: "session",
    ttlMs,
    replayBytes,
    maxBytes,
    budget,
    onOutgrown: (bound) => outgrown.push(bound),
    onOver: async () => {
      kept = shared.entries.length;
    },
  });
  return { shared, over: shared.run() };
}

const bodyOf = (number: number) => new Uint8Array(ENTRY_BYTES).fill(number);
let appended = 0;
/** All of the speech, as fast as there is room. */
async function speak(): Promise<void> {
  for (appended = 0; appended < ENTRIES; appended++) {
    await writer.append([{ head: "{}", body: bodyOf(appended) }]);
  }
  await writer.end("completed");
}

/** Takes `most` entries, or all: their numbers, and how it ended. */
async function listen(reader: StreamReader, most = Number.POSITIVE_INFINITY): Promise<(number | string)[]> {
  const heard: (number | string)[] = [];
  while (heard.length < most) {
    const read = await reader.read(1);
    if (read.kind !== "entries") return [...heard, read.kind];
    for (const { seq, body } of read.entries) {
      expect(Buffer.from(body).equals(bodyOf(seq - 1))).toBe(true);
      heard.push(seq);
      reader.advance(seq);
    }
  }
  return heard;
}
const ALL = [...Array.from({ length: ENTRIES }, (_, i) => i + 1), "ended"];

describe("whoever does not listen", () => {
  test("keeps everybody, were each a reader of the stream", async () => {
    const slow = streams.reader(STREAM, { readerId: "slow", ttlMs: 60_000 });
    const fast = streams.reader(STREAM, { readerId: "fast", ttlMs: 60_000 });
    const heardSlow = slow.read(1);
    const heardFast = listen(fast);
    const spoken = speak();
    await heardSlow;
    await expect.poll(() => appended).toBe(ROOM);
    await slow.close();
    await spoken;
    expect(await heardFast).toEqual(ALL);
  });

  test("keeps nobody here who does, and hears all of it when he does listen", async () => {
    const { shared, over } = share();
    const slow = shared.listener();
    const fast = shared.listener();
    const spoken = speak();
    expect(await listen(fast.reader())).toEqual(ALL);
    await spoken;
    await over;
    expect(kept).toBe(ENTRIES);
    fast.close();
    expect(await listen(slow.reader())).toEqual(ALL);
    slow.close();
    expect(budget.takenBytes).toBe(0);
  });

  test("alone keeps the writer, who waits at the stream's bound", async () => {
    const { shared } = share();
    const slow = shared.listener();
    const spoken = speak();
    await expect.poll(() => appended).toBe(ROOM);
    expect(shared.entries).toHaveLength(ROOM);
    expect(await listen(slow.reader())).toEqual(ALL);
    await spoken;
    slow.close();
  });

  test("keeps nobody on another edge either, once it is known that there is somebody", async () => {
    const { shared, over } = share();
    const slow = shared.listener();
    const elsewhere = streams.reader(STREAM, { readerId: "elsewhere", ttlMs: 60_000 });
    const heard = listen(elsewhere);
    const spoken = speak();
    await expect.poll(() => appended).toBe(ROOM);
    shared.heardElsewhere();
    await spoken;
    expect(await heard).toEqual(ALL);
    await over;
    expect(kept).toBe(ENTRIES);
    slow.close();
    await elsewhere.close();
  });
});

describe("speech that is longer than is kept", () => {
  const LONG = 20 * ENTRY_BYTES;

  test("can't be joined any more, is not kept, and is heard to its end by all who listen", async () => {
    const { shared, over } = share(LONG);
    const slow = shared.listener();
    const fast = shared.listener();
    const spoken = speak();
    const heardFast = listen(fast.reader());
    await expect.poll(() => outgrown).toEqual(["entry"]);
    expect(shared.isJoinable).toBe(false);
    expect(await listen(slow.reader())).toEqual(ALL);
    expect(await heardFast).toEqual(ALL);
    await spoken;
    await over;
    expect(kept).toBe(0);
    slow.close();
    fast.close();
    expect(budget.takenBytes).toBe(0);
  });

  test("takes no more memory than its bound and the stream's, however slow one of them is", async () => {
    const { shared } = share(LONG);
    const slow = shared.listener();
    const fast = shared.listener();
    void speak();
    const heardFast = listen(fast.reader());
    await expect.poll(() => appended * ENTRY_BYTES).toBeGreaterThan(LONG + STREAM_BYTES / 2);
    expect(await listen(slow.reader())).toEqual(ALL);
    expect(await heardFast).toEqual(ALL);
    expect(budget.mostBytes).toBeGreaterThan(LONG);
    expect(budget.mostBytes).toBeLessThanOrEqual(LONG + STREAM_BYTES);
    slow.close();
    fast.close();
  });

  test("for the memory of the edge: the same, and the memory is free again", async () => {
    budget = new PeakBudget(LONG);
    const { shared, over } = share();
    const listener = shared.listener();
    const spoken = speak();
    expect(await listen(listener.reader())).toEqual(ALL);
    await spoken;
    await over;
    expect(outgrown).toEqual(["edge"]);
    expect(kept).toBe(0);
    listener.close();
    expect(budget.takenBytes).toBe(0);
  });
});

test("what one listener alone has taken is released as far as he may not come back for it", async () => {
  const { shared } = share(undefined, STREAM_BYTES / 2);
  const listener = shared.listener();
  const reader = listener.reader();
  const spoken = speak();
  expect(await listen(reader, 30)).toHaveLength(30);
  // He comes back on another edge, under his name.
  listener.close();
  const again = streams.reader(STREAM, { readerId: "session", ttlMs: 60_000, from: "oldest" });
  const first = await again.read(1);
  expect(first.kind === "entries" && first.entries[0]?.seq).toBeLessThanOrEqual(26);
  await again.close();
  writer.close();
  await spoken.catch(() => undefined);
});

test("when the last listener is left nothing more is read, and nothing kept", async () => {
  const { shared, over } = share();
  const listener = shared.listener();
  await writer.append([{ head: "{}", body: bodyOf(0) }]);
  const reader = listener.reader();
  expect(await listen(reader, 1)).toEqual([1]);
  const waiting = reader.read(1);
  listener.close();
  listener.close();
  await expect(waiting).rejects.toBeInstanceOf(GatewayError);
  await over;
  expect(shared.isJoinable).toBe(false);
  expect(shared.end).toBeUndefined();
  expect(budget.takenBytes).toBe(0);
});

describe("a listener who may come back", () => {
  test("lets it be read on, and what he had not taken stays in the stream for him", async () => {
    const { shared, over } = share();
    const listener = shared.listener();
    const spoken = speak();
    expect(await listen(listener.reader(), 2)).toEqual([1, 2]);
    listener.leave();
    await expect.poll(() => shared.entries.length).toBeGreaterThanOrEqual(ROOM);
    expect(shared.isJoinable).toBe(true);
    const again = streams.reader(STREAM, { readerId: "session", ttlMs: 60_000, from: "oldest" });
    expect((await listen(again, 1))[0]).toBeLessThanOrEqual(3);
    await again.close();
    shared.close(new GatewayError("draining"));
    await over;
    writer.close();
    await spoken.catch(() => undefined);
  });

  test("is not waited for any longer than its stream lives", async () => {
    const { shared, over } = share(undefined, 0, 50);
    shared.listener().leave();
    await over;
    expect(shared.isJoinable).toBe(false);
  });

  test("keeps nobody on other edges meanwhile", async () => {
    const { shared, over } = share();
    shared.heardElsewhere();
    shared.listener().leave();
    await speak();
    await over;
    expect(kept).toBe(ENTRIES);
  });

  test("is not waited for by speech that can't be kept", async () => {
    const { shared, over } = share(5 * ENTRY_BYTES);
    shared.listener().leave();
    const spoken = speak();
    await over;
    expect(shared.isJoinable).toBe(false);
    expect(budget.takenBytes).toBe(0);
    writer.close();
    await spoken.catch(() => undefined);
  });
});
