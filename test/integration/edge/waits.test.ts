import { silentLogger } from "@tts-labs/core/logger";
import { defaultEdgeConfig } from "@tts-labs/edge/config";
import { startEdge } from "@tts-labs/edge/main";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { type PrivateRedis, startPrivateRedis } from "../../../scripts/private-redis.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { Gate } from "../../../testkit/ground/gate.ts";

const PICKUP_TIMEOUT_MS = 400;
const STALL_TIMEOUT_MS = 900;

describe("nobody waits for ever", () => {
  let alone: EdgeAlone;
  let client: NativeClient;
  const gate = new Gate();
  const start = async (hasWorker: boolean) => {
    alone = await startEdgeAlone({
      redisUrl: inject("redisUrl"),
      hasWorker,
      edge: { pickupTimeoutMs: PICKUP_TIMEOUT_MS, stallTimeoutMs: STALL_TIMEOUT_MS },
      worker: { beforeChunk: () => gate.passed() },
    });
    client = await NativeClient.connect(alone.edge.url);
  };
  afterEach(async () => {
    gate.open();
    await client.close();
    await expect.poll(() => alone.edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
    await alone.close();
  });

  test("for a worker that does not come, also not those behind it", async () => {
    await start(false);
    const sentAtMs = performance.now();
    const [one, two] = await Promise.all([client.speak("Is anybody there?"), client.speak("No?")]);
    expect(performance.now() - sentAtMs).toBeGreaterThanOrEqual(PICKUP_TIMEOUT_MS - 20);
    expect(performance.now() - sentAtMs).toBeLessThan(PICKUP_TIMEOUT_MS + 1_500);
    for (const { end } of [one, two]) {
      expect(end).toMatchObject({ type: "error", code: "worker.unavailable", retryable: true });
    }
    const response = await fetch(new URL("/api/v1/synthesize", alone.edge.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"text":"And by HTTP?"}`,
    });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "worker.unavailable" } });
  });

  test("for a worker that falls silent, though not while it waits for the client's text", async () => {
    await start(true);
    gate.limitTo(1);
    client.send({ type: "text", text: "Hello " });
    await client.next("utterance_started");
    await expect.poll(() => alone.worker.runs[0]?.appendedSamples).toBeGreaterThan(0);
    const startedAtMs = performance.now();
    // The client types slowly: the silence is its own.
    while (performance.now() - startedAtMs < 1.5 * STALL_TIMEOUT_MS) {
      const seen = client.messages.length;
      client.send({ type: "flush" });
      client.send({ type: "ping" });
      await client.next("pong", () => true, seen);
    }
    expect(client.messages.some((it) => it.type === "error")).toBe(false);
    const silentAtMs = performance.now();
    client.send({ type: "text", text: "more than one chunk of it" });
    const { end } = await client.utterance(1);
    expect(end).toMatchObject({ type: "error", code: "worker.unavailable" });
    expect(performance.now() - silentAtMs).toBeGreaterThanOrEqual(STALL_TIMEOUT_MS - 50);
    gate.open();
    await expect.poll(() => alone.worker.runs[0]?.state).toBe("cancelled");
  });

  test("for a text that goes on after its utterance has failed", async () => {
    await start(false);
    client.send({ type: "text", text: "This will " });
    expect((await client.utterance(1)).end).toMatchObject({ code: "worker.unavailable" });
    const errors = () => client.messages.filter((it) => it.type === "error").length;
    client.send({ type: "text", text: "never be heard." });
    client.send({ type: "flush" });
    client.send({ type: "stream_end" });
    client.send({ type: "ping" });
    await client.next("pong");
    expect(errors()).toBe(1);
    expect(client.messages.filter((it) => it.type === "utterance_started").length).toBe(1);
    client.send({ type: "text", text: "A new one." });
    expect((await client.next("utterance_started", (it) => it.utterance === 2)).utterance).toBe(2);
  });

  test("for audio that Redis has lost", async () => {
    await start(true);
    gate.limitTo(2);
    client.send({ type: "text", text: "Some of this will be gone before it is heard." });
    client.send({ type: "stream_end" });
    const { utterance_id } = await client.next("utterance_started");
    await client.until("audio", () => client.received(1).samples > 0 || undefined);
    const keys = await alone.redis.keys(`*{${utterance_id}}:audio:*`);
    expect(keys.length).toBeGreaterThan(0);
    await alone.redis.del(...keys);
    gate.open();
    const { end } = await client.utterance(1);
    expect(end).toMatchObject({ type: "error", retryable: true });
    expect(["stream.lost", "worker.unavailable"]).toContain(end.type === "error" && end.code);
  });
});

describe("while Redis is away", () => {
  let redis: PrivateRedis;
  let alone: EdgeAlone;
  beforeAll(async () => {
    redis = await startPrivateRedis();
    alone = await startEdgeAlone({ redisUrl: redis.url });
  });
  afterAll(async () => {
    await alone.close();
    await redis.stop();
  });

  test("an edge can still be closed, its clients told", async () => {
    const other = await startPrivateRedis();
    const config = defaultEdgeConfig({ port: 0, redisUrl: other.url, keyPrefix: "closing" });
    const edge = await startEdge(config, silentLogger);
    const client = await NativeClient.connect(edge.url);
    await other.stop();
    await edge.close();
    expect((await client.closed).code).toBe(4001);
    expect(edge.counts()).toMatchObject({ sessions: 0, utterances: 0 });
  });

  test("a new utterance fails with a retryable error, the session stays; back again, it speaks", async () => {
    const client = await NativeClient.connect(alone.edge.url);
    expect((await client.speak("All is well.")).end.type).toBe("stream_complete");
    await redis.stop();
    const ready = () => fetch(new URL("/readyz", alone.edge.url));
    await expect.poll(async () => (await ready()).status, { timeout: 5_000 }).toBe(503);
    expect((await fetch(new URL("/healthz", alone.edge.url))).status).toBe(200);

    const { end } = await client.speak("Is it?");
    expect(end).toMatchObject({ type: "error", retryable: true });
    expect(end.type === "error" && end.code).toMatch(/^storage\./);
    const response = await fetch(new URL("/api/v1/synthesize", alone.edge.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"text":"Is it?"}`,
    });
    expect(response.status).toBe(503);

    redis = await startPrivateRedis({ port: redis.port });
    await expect.poll(async () => (await ready()).status, { timeout: 15_000 }).toBe(200);
    await expect
      .poll(
        async () => {
          const spoken = await client.speak("All is well again.");
          return (
            spoken.end.type === "stream_complete" && spoken.pcm.equals(fakeSpeechOf("All is well again."))
          );
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    await client.close();
    await expect.poll(() => alone.edge.counts().sessions).toBe(0);
  });
});
