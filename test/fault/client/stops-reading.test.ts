import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";

/** Far more than the kernel's socket buffers, the edge, and the stream's bound hold together. */
const TEXT = "Whoever stops reading makes everybody behind him wait. ".repeat(400);
const MAX_STREAM_BYTES = 256 * 1024;

let alone: EdgeAlone;
const clients: NativeClient[] = [];
const connect = async (query: Record<string, string | number> = {}) => {
  const client = await NativeClient.connect(alone.edge.url, query, { limitMs: 20_000 });
  clients.push(client);
  return client;
};

beforeAll(async () => {
  alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    worker: { chunkCharacters: 15, maxBytes: MAX_STREAM_BYTES },
  });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.terminate();
  await expect.poll(() => alone.edge.counts().sessions).toBe(0);
});
afterAll(() => alone.close());

async function metric(name: string): Promise<number> {
  const text = await (await fetch(new URL("/metrics", alone.edge.opsUrl))).text();
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]);
}

/** Waits until the worker has appended nothing for a while, because its reader does not take. */
async function workerStands(utteranceId: string): Promise<number> {
  let before = -1;
  const appended = () =>
    alone.worker.runs.find((it) => it.job.utteranceId === utteranceId)?.appendedSamples ?? 0;
  await expect
    .poll(
      () => {
        const now = appended();
        const stands = now > 0 && now === before;
        before = now;
        return stands;
      },
      { interval: 400, timeout: 15_000 },
    )
    .toBe(true);
  return appended();
}

describe("a client that stops reading", () => {
  test("is held at 20 frames and its socket's bound; the worker waits; then every byte arrives", async () => {
    const client = await connect();
    client.pause();
    client.send({ type: "text", text: TEXT });
    client.send({ type: "stream_end" });
    await expect.poll(() => alone.worker.runs.length).toBe(1);
    const utteranceId = alone.worker.runs[0]?.job.utteranceId ?? "";
    const appended = await workerStands(utteranceId);
    const expected = fakeSpeechOf(TEXT);
    expect(appended).toBeLessThan(expected.length / 2);
    expect(await metric("tts_edge_queued_frames")).toBeGreaterThan(10);
    expect(await metric("tts_edge_queued_frames")).toBeLessThanOrEqual(20);

    const other = await connect();
    expect(
      (await other.speak("I am not slowed down.")).pcm.equals(fakeSpeechOf("I am not slowed down.")),
    ).toBe(true);

    client.resume();
    const spoken = await client.utterance(1);
    expect(spoken.end.type).toBe("stream_complete");
    expect(spoken.pcm.equals(expected)).toBe(true);
    expect(await metric("tts_edge_queued_frames")).toBe(0);
  });

  test("with drop-oldest loses the oldest frames, is told how many, and hears the newest", async () => {
    const client = await connect({ overflow: "drop-oldest" });
    client.pause();
    client.send({ type: "text", text: TEXT });
    client.send({ type: "stream_end" });
    await expect.poll(() => alone.worker.runs.at(-1)?.state, { timeout: 15_000 }).toBe("completed");
    await expect.poll(() => metric("tts_edge_frames_dropped_total")).toBeGreaterThan(0);
    client.resume();
    const spoken = await client.utterance(1);
    if (spoken.end.type !== "stream_complete") throw new Error(`ended with ${spoken.end.type}`);
    const expected = fakeSpeechOf(TEXT);
    expect(spoken.droppedSamples).toBeGreaterThan(0);
    expect(spoken.end.samples).toBe(expected.length / 2);
    expect(spoken.droppedSamples + spoken.pcm.length / 2).toBe(expected.length / 2);
    expect(spoken.end.dropped_frames).toBe(await metric("tts_edge_frames_dropped_total"));
    const tail = spoken.pcm.subarray(-10_000);
    expect(tail.equals(expected.subarray(-10_000))).toBe(true);
    for (const frame of spoken.frames.slice(0, 5)) {
      const at = frame.firstSample * 2;
      expect(spoken.pcm.subarray(0, 100).equals(expected.subarray(0, 100))).toBe(true);
      expect(at).toBeLessThan(expected.length);
    }
  });

  test("and never reads its messages either is cut off, and nothing is left", async () => {
    const client = await connect();
    client.pause();
    const ping = JSON.stringify({ type: "ping", t: 1 });
    await expect
      .poll(
        () => {
          for (let i = 0; i < 20_000; i++) client.sendRaw(ping);
          return alone.edge.counts().sessions;
        },
        { interval: 50, timeout: 30_000 },
      )
      .toBe(0);
    // What it may send in a second is used up long before its unread answers fill the socket.
    expect(await metric('tts_edge_errors_total{code="capacity.rate_limited"}')).toBe(1);
  });
});

describe("paced delivery", () => {
  test("is never more than 20 frames ahead of real time, and complete", async () => {
    const text = "Paced speech goes out as it is played, nothing is lost on the way, and nobody gets ahead.";
    const client = await connect({ delivery: "paced", frame_samples: 960 });
    const spoken = await client.speak(text);
    expect(spoken.pcm.equals(fakeSpeechOf(text))).toBe(true);
    const [first] = spoken.frames;
    if (first === undefined) throw new Error("no frames");
    for (const { firstSample, samples, atMs } of spoken.frames) {
      const aheadMs = (firstSample + samples) / 24 - (atMs - first.atMs);
      expect(aheadMs).toBeLessThanOrEqual(20 * 40 + 40);
    }
    const durationMs = spoken.pcm.length / 2 / 24;
    const tookMs = (spoken.frames.at(-1)?.atMs ?? 0) - first.atMs;
    expect(tookMs).toBeGreaterThan(durationMs - 20 * 40 - 80);
  });
});
