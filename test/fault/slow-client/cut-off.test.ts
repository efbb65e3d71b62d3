import type { EdgeConfig } from "@tts-labs/edge/config";
import { afterEach, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

/** Far more than the kernel's socket buffers, the edge, and the stream's bound hold together. */
const LONG = "Whoever stops reading makes everybody behind him wait. ".repeat(400);
const SHORT = "Nobody in front of me.";

let alone: EdgeAlone | undefined;
const clients: NativeClient[] = [];
const start = async (edge: Partial<EdgeConfig>): Promise<EdgeAlone> => {
  alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    edge,
    worker: { chunkCharacters: 15, maxBytes: 256 * 1024 },
  });
  return alone;
};
const connect = async (url: string) => {
  const client = await NativeClient.connect(url, {}, { limitMs: 20_000 });
  clients.push(client);
  return client;
};
afterEach(async () => {
  for (const client of clients.splice(0)) await client.terminate();
  await alone?.close();
});

/** Begins to speak and then reads nothing. */
const standStill = async (url: string) => {
  const client = await connect(url);
  client.pause();
  client.send({ type: "text", text: LONG });
  client.send({ type: "stream_end" });
  return client;
};

describe("a client that takes nothing", () => {
  test("is told, and cut off with 4002 after its bound; a fast one beside it is not slowed", async () => {
    const { edge, worker } = await start({
      slowClientNoticeMs: 300,
      slowClientMs: 3_000,
      resumeWindowMs: 300,
    });
    const fast = await connect(edge.url);
    const aloneMs = await medianMs(fast);
    const slow = await standStill(edge.url);
    await expect
      .poll(() => metric(edge.opsUrl, "tts_edge_slow_clients_told_total"), { timeout: 8_000 })
      .toBe(1);
    const besideMs = await medianMs(fast);
    expect(besideMs).toBeLessThan(aloneMs + 50);
    expect(edge.counts().sessions).toBe(2);

    await expect.poll(() => edge.counts().sessions, { timeout: 10_000 }).toBe(1);
    expect(await metric(edge.opsUrl, "tts_edge_queued_frames")).toBe(0);
    await expect.poll(() => worker.running).toBe(0);
    // What the socket held is still there for one who reads again, and at its end the reason.
    slow.resume();
    expect(await slow.closed).toMatchObject({ code: 4002, reason: "capacity.slow_client" });
    const notice = slow.messages.find((it) => it.type === "slow_client");
    expect(notice).toMatchObject({ queued_frames: expect.any(Number) });
    expect(slow.messages.at(-1)).toMatchObject({ code: "capacity.slow_client", retryable: true });
  });

  test("would hold its speech for ever, were there no bound in time", async () => {
    const { edge, worker } = await start({ slowClientNoticeMs: 200, slowClientMs: 3_600_000 });
    const slow = await standStill(edge.url);
    await expect
      .poll(() => metric(edge.opsUrl, "tts_edge_slow_clients_told_total"), { timeout: 8_000 })
      .toBe(1);
    // Longer than the bound of the test before.
    const untilMs = performance.now() + 3_500;
    await expect.poll(() => performance.now() > untilMs, { timeout: 5_000 }).toBe(true);
    expect(edge.counts().sessions).toBe(1);
    expect(worker.running).toBe(1);
    expect(slow.isClosed).toBe(false);
  });

  test("but reads on now and then is waited for, and gets every byte", async () => {
    const { edge } = await start({ slowClientNoticeMs: 200, slowClientMs: 1_500 });
    const slow = await standStill(edge.url);
    const tolds = () => metric(edge.opsUrl, "tts_edge_slow_clients_told_total");
    for (let stop = 1; stop <= 3; stop++) {
      await expect.poll(tolds, { timeout: 8_000 }).toBe(stop);
      // What it reads from the kernel's buffers says nothing: the edge must get rid of something.
      const before = await metric(edge.opsUrl, "tts_edge_frames_sent_total");
      slow.resume();
      await expect.poll(() => metric(edge.opsUrl, "tts_edge_frames_sent_total")).toBeGreaterThan(before + 20);
      slow.pause();
    }
    slow.resume();
    const spoken = await slow.utterance(1);
    expect(spoken.end.type).toBe("stream_complete");
    expect(spoken.pcm.equals(fakeSpeechOf(LONG))).toBe(true);
  });
});

/** To the end of a short utterance. */
async function medianMs(client: NativeClient): Promise<number> {
  const tookMs: number[] = [];
  for (let i = 0; i < 15; i++) {
    const beganAtMs = performance.now();
    const spoken = await client.speak(SHORT);
    expect(spoken.pcm.equals(fakeSpeechOf(SHORT))).toBe(true);
    tookMs.push(performance.now() - beganAtMs);
  }
  return tookMs.sort((a, b) => a - b)[7] ?? 0;
}
