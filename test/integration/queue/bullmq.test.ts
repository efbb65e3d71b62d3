import { randomBytes } from "node:crypto";
import { newUtteranceId } from "@tts-labs/core/ids";
import { silentLogger } from "@tts-labs/core/logger";
import { openUtteranceQueue } from "@tts-labs/core/queue/bullmq";
import { openUtteranceConsumer, type UtteranceConsumer } from "@tts-labs/core/queue/utterance-consumer";
import type { RunUtteranceJob, UtteranceJob } from "@tts-labs/core/queue/utterance-job";
import { closeRedis, isCluster, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import type { GatewayError } from "@tts-labs/protocol/errors";
import { afterEach, describe, expect, inject, test, vi } from "vitest";
import { freePort } from "../../../scripts/private-redis.ts";
import { startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";

const newJob = (): UtteranceJob => ({
  utteranceId: newUtteranceId(),
  sessionId: "ses_1",
  requestId: "req_1",
  speech: { voice: "v", model: "m", autoMode: false, sampleRateHz: 24_000 },
  enqueuedAtMs: Date.now(),
});

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
});

function connect(purpose: "commands" | "queue", url = inject("redisUrl")): RedisConnection {
  const redis = openRedis({ url, purpose, logger: silentLogger });
  closers.push(() => closeRedis(redis));
  return redis;
}

const newKeys = () => new Keys(`queue-${randomBytes(4).toString("hex")}`);

function openQueue(keys: Keys, redis = connect("queue")) {
  const queue = openUtteranceQueue({ redis, keys, logger: silentLogger });
  closers.push(() => queue.close());
  return queue;
}

async function openConsumer(keys: Keys, run: RunUtteranceJob, concurrency = 10): Promise<UtteranceConsumer> {
  const redis = connect("queue");
  const consumer = openUtteranceConsumer({ redis, keys, concurrency, run, logger: silentLogger });
  closers.push(() => consumer.close());
  await consumer.ready;
  return consumer;
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<GatewayError>((resolve) => {
    signal.addEventListener("abort", () => resolve(signal.reason as GatewayError), { once: true });
  });

describe("the queue", () => {
  test("brings each job once to one consumer, as it was given", async () => {
    const keys = newKeys();
    const seen: UtteranceJob[] = [];
    const run: RunUtteranceJob = async (job) => {
      seen.push(job);
    };
    await openConsumer(keys, run);
    await openConsumer(keys, run);
    const queue = openQueue(keys);
    const jobs = Array.from({ length: 20 }, newJob);
    await Promise.all(jobs.map((job) => queue.add(job)));
    await vi.waitFor(() => expect(seen).toHaveLength(20));
    const byId = (a: UtteranceJob, b: UtteranceJob) => a.utteranceId.localeCompare(b.utteranceId);
    expect(seen.sort(byId)).toEqual(jobs.sort(byId));
  });

  test("takes the same utterance once, however many edges enqueue it", async () => {
    const keys = newKeys();
    const job = newJob();
    const queue = openQueue(keys);
    await Promise.all([queue.add(job), openQueue(keys).add(job), queue.add(job)]);
    expect(await queue.depth()).toEqual({ waiting: 1, active: 0 });
  });

  test("takes it once more under each higher fence, and knows whether it has it under any", async () => {
    const queue = openQueue(newKeys());
    const job = newJob();
    expect(await queue.isQueued(job.utteranceId, 3)).toBe(false);
    await Promise.all([queue.add(job, 3), queue.add(job, 3)]);
    expect(await queue.depth()).toEqual({ waiting: 1, active: 0 });
    expect(await queue.isQueued(job.utteranceId, 2)).toBe(false);
    expect(await queue.isQueued(job.utteranceId, 3)).toBe(true);
  });

  test("keeps nothing of a job withdrawn before a worker took it; one that is taken goes on", async () => {
    const keys = newKeys();
    const queue = openQueue(keys);
    const [waiting, taken] = [newJob(), newJob()];
    await queue.add(waiting);
    await queue.withdraw(waiting.utteranceId);
    await queue.withdraw(waiting.utteranceId);
    expect(await queue.depth()).toEqual({ waiting: 0, active: 0 });
    const redis = connect("commands");
    expect((await redis.keys(`${keys.queuePrefix}*`)).filter((key) => key.includes("utt_"))).toEqual([]);
    let done = 0;
    let finish = () => {};
    await openConsumer(keys, () =>
      new Promise<void>((resolve) => (finish = resolve)).then(() => void done++),
    );
    await queue.add(taken);
    await vi.waitFor(async () => expect(await queue.depth()).toEqual({ waiting: 0, active: 1 }));
    await queue.withdraw(taken.utteranceId);
    expect(await queue.isQueued(taken.utteranceId, 1)).toBe(true);
    await vi.waitFor(() => {
      finish();
      expect(done).toBe(1);
    });
  });

  test("keeps within its concurrency, and goes on with what waits", async () => {
    const keys = newKeys();
    let running = 0;
    let most = 0;
    let done = 0;
    await openConsumer(
      keys,
      async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 20));
        running -= 1;
        done += 1;
      },
      2,
    );
    const queue = openQueue(keys);
    await Promise.all(Array.from({ length: 8 }, () => queue.add(newJob())));
    await vi.waitFor(() => expect(done).toBe(8), { timeout: 5_000 });
    expect(most).toBe(2);
  });

  test("keeps no key for ever, whether jobs succeed or fail, and bounds its events", async () => {
    const keys = newKeys();
    let done = 0;
    await openConsumer(keys, async () => {
      done += 1;
      if (done % 2 === 0) throw new Error("on purpose");
    });
    const queue = openQueue(keys);
    for (let i = 0; i < 10; i++) await queue.add(newJob());
    await vi.waitFor(() => expect(done).toBe(10));
    const redis = connect("commands");
    const lasting = async () => {
      const names = await redis.keys(`${keys.queuePrefix}*`);
      const ttls = await Promise.all(names.map((name) => redis.pttl(name)));
      return names.filter((_, i) => ttls[i] === -1).map((name) => name.split(":").at(-1));
    };
    await vi.waitFor(async () => expect(await lasting()).toEqual([]));
    expect(await redis.hget(`${keys.queuePrefix}:utterances:meta`, "opts.maxLenEvents")).toBe("1000");
  });

  test("refuses a prefix that a cluster would scatter", () => {
    const keys = Object.assign(newKeys(), { queuePrefix: "jobs" });
    const redis = connect("queue");
    const refused = expect.objectContaining({ code: "config.invalid" });
    expect(() => openUtteranceQueue({ redis, keys, logger: silentLogger })).toThrow(refused);
    const run = async () => {};
    expect(() => openUtteranceConsumer({ redis, keys, concurrency: 1, run, logger: silentLogger })).toThrow(
      refused,
    );
  });

  test("says in time that Redis is away", async () => {
    const queue = openQueue(newKeys(), connect("queue", `redis://127.0.0.1:${await freePort()}`));
    const away = { family: "storage", retryable: true };
    await expect(queue.add(newJob())).rejects.toMatchObject(away);
    await expect(queue.depth()).rejects.toMatchObject(away);
  });
});

test("the queue works on a cluster, and keeps no key for ever there", { timeout: 60_000 }, async () => {
  const cluster = await startPrivateCluster();
  closers.push(() => cluster.stop());
  const keys = newKeys();
  const redis = () => connect("queue", cluster.url);
  const taken: string[] = [];
  const run: RunUtteranceJob = async ({ utteranceId }) => void taken.push(utteranceId);
  const consumer = openUtteranceConsumer({ redis: redis(), keys, concurrency: 4, run, logger: silentLogger });
  closers.push(() => consumer.close());
  await consumer.ready;
  const queue = openQueue(keys, redis());
  const jobs = Array.from({ length: 10 }, newJob);
  await Promise.all(jobs.map((job) => queue.add(job)));
  await vi.waitFor(() => expect(taken.sort()).toEqual(jobs.map(({ utteranceId }) => utteranceId).sort()));
  const commands = connect("commands", cluster.url);
  const lasting = async () => {
    const nodes = isCluster(commands) ? commands.nodes("master") : [];
    expect(nodes).toHaveLength(3);
    const names = (await Promise.all(nodes.map((node) => node.keys("*")))).flat();
    const ttls = await Promise.all(names.map((name) => commands.pttl(name)));
    return names.filter((_, i) => ttls[i] === -1);
  };
  await vi.waitFor(async () => expect(await lasting()).toEqual([]));
});

describe("the lease on a job", () => {
  test("once lost aborts its run with lease.lost, and another run takes the job", async () => {
    const keys = newKeys();
    const reasons: string[] = [];
    let runs = 0;
    const run: RunUtteranceJob = async (_job, signal) => {
      runs += 1;
      if (runs === 1) reasons.push((await untilAborted(signal)).code);
    };
    await openConsumer(keys, run);
    const job = newJob();
    await openQueue(keys).add(job);
    await vi.waitFor(() => expect(runs).toBe(1));
    await connect("commands").del(`${keys.queuePrefix}:utterances:${job.utteranceId}-1:lock`);
    await vi.waitFor(() => expect(reasons).toEqual(["lease.lost"]), { timeout: 5_000 });
    await vi.waitFor(() => expect(runs).toBe(2), { timeout: 5_000 });
  });

  test("is kept while a run takes longer than the lock lasts", async () => {
    const keys = newKeys();
    let runs = 0;
    let finish = () => {};
    const run: RunUtteranceJob = async (_job, signal) => {
      runs += 1;
      await new Promise<void>((resolve, reject) => {
        finish = resolve;
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    };
    await openConsumer(keys, run);
    await openConsumer(keys, run);
    const queue = openQueue(keys);
    const job = newJob();
    await queue.add(job);
    await vi.waitFor(() => expect(runs).toBe(1));
    const lock = `${keys.queuePrefix}:utterances:${job.utteranceId}-1:lock`;
    const redis = connect("commands");
    // Renewed at least twice: its time to live has gone down and up again.
    for (let renewals = 0, last = await redis.pttl(lock); renewals < 2; ) {
      const left = await redis.pttl(lock);
      expect(left).toBeGreaterThan(0);
      if (left > last) renewals += 1;
      last = left;
    }
    finish();
    await vi.waitFor(async () => expect(await queue.depth()).toEqual({ waiting: 0, active: 0 }));
    expect(runs).toBe(1);
  });
});

describe("a consumer that drains", () => {
  test("lets runs finish, takes no more, and aborts with draining what is too slow", async () => {
    const keys = newKeys();
    const ends: string[] = [];
    const consumer = await openConsumer(keys, async (_job, signal) => {
      ends.push((await untilAborted(signal)).code);
    });
    const queue = openQueue(keys);
    await queue.add(newJob());
    await vi.waitFor(() => expect(consumer.running).toBe(1));
    const draining = consumer.drain(100);
    await queue.add(newJob());
    await draining;
    expect(ends).toEqual(["draining"]);
    expect(await queue.depth()).toEqual({ waiting: 1, active: 0 });
    await consumer.close();
  });

  test("gives back at once the job of a run that says so, ahead of those that wait", async () => {
    const keys = newKeys();
    // One at a time: with room for more it would have taken the second job too, and given it back later or sooner.
    const leaving = await openConsumer(
      keys,
      async (_job, signal) => {
        throw await untilAborted(signal);
      },
      1,
    );
    const queue = openQueue(keys);
    const [first, second] = [newJob(), newJob()];
    await queue.add(first);
    await vi.waitFor(() => expect(leaving.running).toBe(1));
    const hurry = new AbortController();
    const draining = leaving.drain(60_000, hurry.signal);
    await queue.add(second);
    hurry.abort();
    await draining;
    expect(await queue.depth()).toEqual({ waiting: 2, active: 0 });
    const taken: string[] = [];
    const next = await openConsumer(keys, async (job) => void taken.push(job.utteranceId), 1);
    await vi.waitFor(() => expect(taken).toHaveLength(2));
    expect(taken).toEqual([first.utteranceId, second.utteranceId]);
    await next.close();
  });

  test("hands on at once a job it had already been waiting for", async () => {
    const keys = newKeys();
    const queue = openQueue(keys);
    const leaving = await openConsumer(keys, async (_job, signal) => void (await untilAborted(signal)));
    await queue.add(newJob());
    await vi.waitFor(() => expect(leaving.running).toBe(1));
    const taken: string[] = [];
    await openConsumer(keys, async (job) => void taken.push(job.utteranceId));
    const draining = leaving.drain(3_000);
    const jobs = [newJob(), newJob(), newJob()];
    for (const job of jobs) await queue.add(job);
    await vi.waitFor(() => expect(taken.sort()).toEqual(jobs.map(({ utteranceId }) => utteranceId).sort()));
    expect(leaving.running).toBe(1);
    await draining;
  });
});
