import { afterEach, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { Gate } from "../../../testkit/ground/gate.ts";

const TEXT = "Somebody has said that he would say this, and was never heard of again.";
const PICKUP_TIMEOUT_MS = 10_000;

const gate = new Gate();
let alone: EdgeAlone | undefined;
let client: NativeClient | undefined;
afterEach(async () => {
  gate.open();
  await client?.terminate();
  await alone?.close();
});

test("who joins a leader whose edge died before it asked for a worker leads himself, long before he would give up", async () => {
  alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    edge: { cache: true, pickupTimeoutMs: PICKUP_TIMEOUT_MS },
    worker: { beforeChunk: () => gate.passed() },
  });
  const { redis, keys } = alone;
  client = await NativeClient.connect(alone.edge.url, {}, { limitMs: 20_000 });
  const flights = () => redis.keys(`${keys.prefix}:flight:*`);
  gate.close();
  const first = client.speak(TEXT);
  await expect.poll(async () => (await flights()).length).toBe(1);
  const [flight = ""] = await flights();
  gate.open();
  await first;
  await expect.poll(flights).toEqual([]);

  // The fake worker's speech is no provider's, so it was not kept.
  await redis.hset(flight, "leader", "utt_ghost");
  await redis.pexpire(flight, 3 * PICKUP_TIMEOUT_MS);
  const askedAtMs = performance.now();
  const spoken = await client.speak(TEXT);
  expect(performance.now() - askedAtMs).toBeLessThan(PICKUP_TIMEOUT_MS / 2);
  expect(spoken.end).toMatchObject({ type: "stream_complete", cache: "miss" });
  expect(spoken.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
});
