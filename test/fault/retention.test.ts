import { isCluster } from "@tts-labs/core/redis/client";
import type { StreamStore } from "@tts-labs/core/stream/stream";
import { afterEach, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../testkit/clients/native-client.ts";
import { ResumingTestClient } from "../../testkit/clients/resuming-client.ts";
import { type EdgeAlone, type EdgeAloneOptions, startEdgeAlone } from "../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../testkit/fleet/fake-worker.ts";
import { Gate } from "../../testkit/ground/gate.ts";

/** 4 s, 200 KB: within the replay window, beyond what may be unconfirmed. */
const TEXT = "Nobody keeps what everybody has heard already. ".repeat(4);
/** What was heard is to have left Redis by then. */
const GONE_WITHIN = { timeout: 1_000, interval: 20 };
/** As streams were kept before: for half a minute after their end, and 256 KiB behind what is heard. */
const AS_BEFORE = {
  seams: {
    overStreams: (own: StreamStore): StreamStore => ({
      ...bound(own),
      remove: (stream) => own.expire(stream, 30_000),
      reader: (stream, options) => {
        const reader = own.reader(stream, options);
        reader.forget = () => {};
        return reader;
      },
    }),
  },
} as const;

let alone: EdgeAlone;
afterEach(() => alone.close());

const open = async (options: Omit<EdgeAloneOptions, "redisUrl"> = {}) => {
  // As in production: half of it is enough for all that may be unconfirmed.
  const worker = { maxBytes: 512 * 1024, ...options.worker };
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), ...options, worker });
  return alone.edge.url;
};

/** Keys of all streams, of whatever utterance. */
async function streamKeys(): Promise<readonly string[]> {
  const { redis, keys } = alone;
  if (isCluster(redis)) throw new TypeError("these tests have a single Redis");
  return redis.keys(`${keys.prefix}:stream:*`);
}

/** The same, but for the note that a worker sleeps, which goes when that one closes its reader: the gate holds it. */
const contentKeys = async () => (await streamKeys()).filter((key) => !key.endsWith(":sleepers"));

/** Bytes of audio in all streams. */
async function audioBytes(): Promise<number> {
  const { redis } = alone;
  const entries = (await streamKeys()).filter((key) => key.includes(":audio:entries:"));
  const all = await Promise.all(entries.map((key) => redis.xrangeBuffer(key, "-", "+")));
  return all.flat().reduce((sum, [, fields]) => sum + (fields[3]?.byteLength ?? 0), 0);
}

describe.each(["with the cache", "without it"])("what Redis holds of an utterance, %s", (cached) => {
  const edge = { cache: cached === "with the cache" };

  test("is gone within a second of its end where its listener has confirmed it, though the session goes on", async () => {
    const client = await NativeClient.connect(await open({ edge }));
    const { pcm } = await client.speak(TEXT);
    expect(pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    await expect.poll(streamKeys, GONE_WITHIN).toEqual([]);
    await client.close();
  });

  test("stays where its listener has confirmed nothing, and goes when that one says goodbye", async () => {
    const client = await NativeClient.connect(
      await open({ edge: { ...edge, unconfirmedBytes: 0 } }),
      {},
      {
        answersPings: false,
      },
    );
    await client.speak(TEXT);
    expect(await audioBytes()).toBeGreaterThan(100_000);
    await client.close();
    await expect.poll(streamKeys, GONE_WITHIN).toEqual([]);
  });

  test("is no more than what is unconfirmed and an entry or two, while the rest is still to be said", async () => {
    const gate = closedGate();
    const at = TEXT.length / 8 - 2;
    const beforeChunk = (_job: unknown, chunk: number) => (chunk < at ? undefined : gate.passed());
    const client = await NativeClient.connect(await open({ edge, worker: { beforeChunk } }));
    client.send({ type: "text", text: TEXT });
    client.send({ type: "stream_end" });
    await client.until("most of it", () => client.received(1).samples > 80_000 || undefined);
    // Of the frame that is being filled nothing was sent.
    await expect.poll(audioBytes, GONE_WITHIN).toBeLessThan(64 * 1024);
    gate.open();
    expect((await client.utterance(1)).pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    await client.close();
  });

  test("is gone within a second of a clean close, spoken or not", async () => {
    const gate = closedGate();
    const beforeChunk = (_job: unknown, chunk: number) => (chunk < 10 ? undefined : gate.passed());
    const client = await NativeClient.connect(await open({ edge, worker: { beforeChunk } }));
    for (let number = 0; number < 8; number++) {
      client.send({ type: "text", text: `${number} ${TEXT}` });
      client.send({ type: "stream_end" });
    }
    await client.until("audio", () => client.received(1).samples > 0 || undefined);
    // The one that is delivered and the two behind it; the others wait as text.
    await expect.poll(() => alone.worker.runs.length).toBe(3);
    await client.close();
    await expect.poll(contentKeys, GONE_WITHIN).toEqual([]);
    gate.open();
    await expect.poll(() => alone.worker.running).toBe(0);
    await expect.poll(streamKeys).toEqual([]);
  });

  test("is gone within a second of its cancel", async () => {
    const gate = closedGate();
    const beforeChunk = (_job: unknown, chunk: number) => (chunk < 10 ? undefined : gate.passed());
    const client = await NativeClient.connect(await open({ edge, worker: { beforeChunk } }));
    client.send({ type: "text", text: TEXT });
    client.send({ type: "stream_end" });
    await client.until("audio", () => client.received(1).samples > 0 || undefined);
    client.send({ type: "cancel" });
    await client.next("cancelled");
    await expect.poll(contentKeys, GONE_WITHIN).toEqual([]);
    gate.open();
    await expect.poll(() => alone.worker.running).toBe(0);
    await expect.poll(streamKeys).toEqual([]);
    await client.close();
  });

  test("is gone within a second of an answer over HTTP", async () => {
    const url = await open({ edge });
    const answer = await fetch(`${url}/api/v1/synthesize`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "audio/pcm" },
      body: JSON.stringify({ text: TEXT }),
    });
    expect(Buffer.from(await answer.arrayBuffer()).equals(fakeSpeechOf(TEXT))).toBe(true);
    await expect.poll(streamKeys, GONE_WITHIN).toEqual([]);
  });

  test("waits for a client that has lost its connection, and goes once it has it all", async () => {
    const client = await ResumingTestClient.connect(await open({ edge }));
    client.pause();
    client.send({ type: "text", text: TEXT });
    client.send({ type: "stream_end" });
    await expect.poll(audioBytes).toBeGreaterThan(100_000);
    client.cut();
    await client.resume(alone.edge.url);
    expect((await client.ended(1)).pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    await expect.poll(streamKeys, GONE_WITHIN).toEqual([]);
    await client.close();
  });
});

describe("kept as before", () => {
  test("it is all there a second after its end, and after a clean close", async () => {
    const client = await NativeClient.connect(await open(AS_BEFORE));
    await client.speak(TEXT);
    await expect(expect.poll(streamKeys, GONE_WITHIN).toEqual([])).rejects.toThrow();
    expect(await audioBytes()).toBeGreaterThan(100_000);
    await client.close();
    await expect(expect.poll(streamKeys, GONE_WITHIN).toEqual([])).rejects.toThrow();
  });

  test("what was confirmed is there while the rest is still to be said", async () => {
    const gate = closedGate();
    const at = TEXT.length / 8 - 2;
    const beforeChunk = (_job: unknown, chunk: number) => (chunk < at ? undefined : gate.passed());
    const client = await NativeClient.connect(await open({ ...AS_BEFORE, worker: { beforeChunk } }));
    client.send({ type: "text", text: TEXT });
    client.send({ type: "stream_end" });
    await client.until("most of it", () => client.received(1).samples > 80_000 || undefined);
    await expect(expect.poll(audioBytes, GONE_WITHIN).toBeLessThan(64 * 1024)).rejects.toThrow();
    gate.open();
    await client.utterance(1);
    await client.close();
  });
});

function closedGate(): Gate {
  const gate = new Gate();
  gate.close();
  return gate;
}

/** Every method of the store, as its own. */
const bound = (own: StreamStore): StreamStore => ({
  claim: (...args) => own.claim(...args),
  claimUnlessEnded: (...args) => own.claimUnlessEnded(...args),
  reader: (...args) => own.reader(...args),
  inspect: (...args) => own.inspect(...args),
  last: (...args) => own.last(...args),
  expire: (...args) => own.expire(...args),
  remove: (...args) => own.remove(...args),
  close: () => own.close(),
});
