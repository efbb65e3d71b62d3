import { newUtteranceId } from "@tts-labs/core/ids";
import type { UtteranceJob } from "@tts-labs/core/queue/utterance-job";
import { encodeAudioEntry } from "@tts-labs/core/session/entries";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import type { StreamRef, StreamWriter } from "@tts-labs/core/stream/stream";
import { SecondWitness } from "@tts-labs/edge/speech/reader/second-witness";
import { WatchedReader } from "@tts-labs/edge/speech/reader/watched-reader";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryQueue } from "../../../../testkit/fleet/fake-worker.ts";

const EVERY_MS = 10;
const speech = { voice: "v", model: "m", autoMode: false, sampleRateHz: 24_000 };

let streams: ReturnType<typeof openMemoryStreams>;
let queue: MemoryQueue;
let job: UtteranceJob;
let looks: number;
let enqueued: number[];
let unwatch: () => void;
beforeEach(() => {
  streams = openMemoryStreams({ settings: { ownerGoneMs: 500 } });
  queue = new MemoryQueue();
  const ids = { utteranceId: newUtteranceId(), sessionId: "ses", requestId: "req" };
  job = { ...ids, speech, enqueuedAtMs: 0 };
  looks = 0;
  enqueued = [];
  const counting = {
    inspect: (stream: StreamRef) => {
      looks++;
      return streams.inspect(stream);
    },
  };
  const onEnqueued = (fence: number) => enqueued.push(fence);
  unwatch = new SecondWitness({ streams: counting, queue, job, onEnqueued, everyMs: EVERY_MS }).watch();
});
afterEach(async () => {
  unwatch();
  await queue.close();
  await streams.close();
});

const claim = (): Promise<StreamWriter> =>
  streams.claim({ tag: job.utteranceId, name: "audio" }, { owner: "w", maxBytes: 1_000, ttlMs: 60_000 });
const afterLooks = (count: number) => {
  const from = looks;
  return expect.poll(() => looks, { interval: 5 }).toBeGreaterThanOrEqual(from + count);
};

describe("the second witness", () => {
  test("enqueues an utterance again whose job is lost before anybody took it", async () => {
    await expect.poll(() => enqueued).toEqual([1]);
    expect(await queue.depth()).toEqual({ waiting: 1, active: 0 });
    await afterLooks(4);
    expect(enqueued).toEqual([1]);
  });

  test("enqueues it under the next fence when its owner and its job are gone, not before", async () => {
    const owner = await claim();
    await owner.assertCurrent();
    await afterLooks(2);
    expect(enqueued).toEqual([]);
    await expect.poll(() => enqueued).toEqual([2]);
  });

  test("leaves alone what waits for a worker", async () => {
    await queue.add(job);
    await afterLooks(5);
    expect(enqueued).toEqual([]);
  });

  test("leaves alone what has ended", async () => {
    await (await claim()).end("done");
    await afterLooks(5);
    expect(enqueued).toEqual([]);
  });

  test("does nothing once the wait is over, and nothing while Redis can't be asked", async () => {
    unwatch();
    const at = looks;
    let asked = 0;
    const failing = {
      inspect: () => {
        asked++;
        return Promise.reject(new Error("away"));
      },
    };
    const witness = new SecondWitness({
      streams: failing,
      queue,
      job,
      onEnqueued: () => enqueued.push(0),
      everyMs: EVERY_MS,
    });
    const end = witness.watch();
    // As often as one that still watched would have looked.
    await expect.poll(() => asked, { interval: 5 }).toBeGreaterThanOrEqual(5);
    end();
    expect(looks - at).toBeLessThanOrEqual(1);
    expect(enqueued).toEqual([]);
  });
});

test.each([
  ["with it a lost job is made good", true],
  ["without it whoever waits does so in vain", false],
])("%s", async (_, isWatched) => {
  unwatch();
  queue.consume(async ({ utteranceId }) => {
    const options = { owner: "w", maxBytes: 1_000, ttlMs: 60_000 };
    const writer = await streams.claim({ tag: utteranceId, name: "audio" }, options);
    await writer.append([encodeAudioEntry({ firstSample: 0, pcm: new Uint8Array(20) })]);
  });
  const witness = new SecondWitness({ streams, queue, job, onEnqueued: () => {}, everyMs: EVERY_MS });
  const stream = { tag: job.utteranceId, name: "audio" } as const;
  const watched = {
    reader: streams.reader(stream, { readerId: "r", ttlMs: 60_000 }),
    isTaken: async () => (await streams.inspect(stream)) !== undefined,
    isParked: async () => false,
    ...(isWatched ? { witness } : {}),
  };
  const reader = new WatchedReader(watched, {
    openedAtMs: performance.now(),
    lastTextAtMs: () => 0,
    pickupTimeoutMs: 500,
    stallTimeoutMs: 500,
    instead: async () => undefined,
  });
  const next = reader.read(1, new AbortController().signal);
  if (isWatched) expect(await next).toMatchObject({ kind: "entries", entries: [{ seq: 1 }] });
  else await expect(next).rejects.toMatchObject({ code: "worker.unavailable" });
  await reader.close();
});
