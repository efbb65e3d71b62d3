import { silentLogger } from "@tts-labs/core/logger";
import { openUtteranceQueue } from "@tts-labs/core/queue/bullmq";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { defaultWorkerConfig } from "@tts-labs/worker/config";
import { startWorker } from "@tts-labs/worker/main";
import { afterEach, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

const TEXT = "Nobody has heard of this sentence yet.";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
});

/** An edge without any worker, whose client has asked for `TEXT`; the job is as if it had never been. */
async function withLostJob(pickupTimeoutMs: number) {
  const redisUrl = inject("redisUrl");
  const system = await startSystem({ redisUrl, workers: 0, edge: { pickupTimeoutMs } });
  closers.push(() => system.close());
  const redis = openRedis({ url: redisUrl, purpose: "queue", logger: silentLogger });
  closers.push(() => closeRedis(redis));
  const queue = openUtteranceQueue({ redis, keys: new Keys(system.keyPrefix), logger: silentLogger });
  closers.push(() => queue.close());
  const client = await NativeClient.connect(system.url);
  closers.push(() => client.close());
  client.send({ type: "text", text: TEXT });
  client.send({ type: "stream_end" });
  const { utterance, utterance_id } = await client.next("utterance_started");
  await expect.poll(() => queue.isQueued(utterance_id, 1)).toBe(true);
  await queue.withdraw(utterance_id);
  return { system, redisUrl, queue, client, utterance, utteranceId: utterance_id };
}

test("an utterance whose job is lost is given to the workers again by the edge that waits for it", async () => {
  const { system, redisUrl, queue, client, utterance, utteranceId } = await withLostJob(10_000);
  await expect.poll(() => queue.isQueued(utteranceId, 1), { timeout: 5_000 }).toBe(true);
  const worker = await startWorker(
    defaultWorkerConfig({
      redisUrl,
      keyPrefix: system.keyPrefix,
      opsPort: 0,
      elevenLabsUrl: system.simulator.url,
      apiKey: "sk_simulator",
    }),
    silentLogger,
  );
  closers.push(() => worker.close());
  expect((await client.utterance(utterance)).end).toMatchObject({ type: "stream_complete" });
  expect(await metric(system.opsUrl, "tts_edge_jobs_enqueued_again_total")).toBe(1);
});

test("where nobody takes it even then it ends typed in its time, and nothing of its job stays", async () => {
  const { queue, client, utterance, utteranceId } = await withLostJob(3_500);
  const { end } = await client.utterance(utterance);
  expect(end).toMatchObject({ type: "error", code: "worker.unavailable" });
  await expect.poll(() => queue.isQueued(utteranceId, 3)).toBe(false);
  expect(await queue.depth()).toEqual({ waiting: 0, active: 0 });
});
