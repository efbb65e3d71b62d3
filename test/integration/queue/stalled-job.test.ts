import { randomBytes } from "node:crypto";
import { newUtteranceId } from "@tts-labs/core/ids";
import { silentLogger } from "@tts-labs/core/logger";
import { openUtteranceQueue } from "@tts-labs/core/queue/bullmq";
import { QUEUE_NAME } from "@tts-labs/core/queue/queue-name";
import { openUtteranceConsumer } from "@tts-labs/core/queue/utterance-consumer";
import type { RunUtteranceJob } from "@tts-labs/core/queue/utterance-job";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { expect, inject, onTestFinished, test, vi } from "vitest";

function connect() {
  const redis = openRedis({ url: inject("redisUrl"), purpose: "queue", logger: silentLogger });
  onTestFinished(() => closeRedis(redis));
  return redis;
}

test("a job that stalled and comes back to its own worker is run once more, and keeps its lock", async () => {
  const keys = new Keys(`queue-${randomBytes(4).toString("hex")}`);
  const runs: AbortController[] = [];
  /** Like an utterance's run: the newer one's claim ends the older; the last one goes on until it is told. */
  const run: RunUtteranceJob = async (_job, signal) => {
    const own = new AbortController();
    runs.at(-1)?.abort();
    runs.push(own);
    await new Promise<void>((resolve) => {
      for (const end of [own.signal, signal]) end.addEventListener("abort", () => resolve(), { once: true });
    });
  };
  const consumer = openUtteranceConsumer({
    redis: connect(),
    keys,
    concurrency: 10,
    run,
    logger: silentLogger,
  });
  onTestFinished(() => consumer.close());
  const redis = connect();
  const queue = openUtteranceQueue({ redis, keys, logger: silentLogger });
  onTestFinished(() => queue.close());
  await consumer.ready;
  const utteranceId = newUtteranceId();
  await queue.add({
    utteranceId,
    sessionId: "ses_1",
    requestId: "req_1",
    enqueuedAtMs: Date.now(),
    speech: { voice: "v", model: "m", autoMode: false, sampleRateHz: 24_000 },
  });
  await vi.waitFor(() => expect(runs).toHaveLength(1));

  // As if the process had stood still until its lock had run out, and another one had put the job back.
  const id = `${utteranceId}-1`;
  const [lock, active, wait, marker] = [`${id}:lock`, "active", "wait", "marker"].map(
    (name) => `${keys.queuePrefix}:${QUEUE_NAME}:${name}`,
  ) as [string, string, string, string];
  const put = redis.multi().del(lock).lrem(active, 1, id).rpush(wait, id).zadd(marker, 0, "0");
  expect((await put.exec())?.map(([error]) => error)).toEqual([null, null, null, null]);
  await vi.waitFor(() => expect(runs.length).toBeGreaterThan(1), { timeout: 5_000 });
  const held = await vi.waitFor(async () => (await redis.get(lock)) ?? expect.fail("no lock"));
  let renewals = 0;
  let leftMs = 0;
  const renewed = async () => {
    const nowMs = await redis.pttl(lock);
    if (nowMs > leftMs) renewals += 1;
    leftMs = nowMs;
    expect(renewals).toBeGreaterThan(5);
  };
  await vi.waitFor(renewed, { timeout: 8_000, interval: 20 });
  expect({ runs: runs.length, lock: await redis.get(lock) }).toEqual({ runs: 2, lock: held });
  runs.at(-1)?.abort();
  await vi.waitFor(async () => expect(await queue.depth()).toEqual({ waiting: 0, active: 0 }));
});
