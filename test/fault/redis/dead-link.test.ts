import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "@tts-labs/core/logger";
import { type Cluster, closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { guardOf } from "@tts-labs/core/redis/link-guard";
import type { Redis } from "ioredis";
import { afterEach, describe, expect, inject, test } from "vitest";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";
import { startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";
import { startPrivateSentinel } from "../../../testkit/redis/private-sentinel.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Dead after four looks of the guard, so that the tests need not wait for long. */
const SOON = { logger: silentLogger, deadAfterMs: 2_000 };
/** Long enough for a guard with `SOON` to have cut. */
const LONG_MS = 4_000;

async function openProxy(): Promise<{ readonly proxy: ChaosProxy; readonly url: string }> {
  const proxy = await new ChaosProxy().open(Number(new URL(inject("redisUrl")).port));
  closers.push(() => proxy.close());
  return { proxy, url: `redis://127.0.0.1:${proxy.port}` };
}

function connected<T extends RedisConnection>(connection: T): T {
  closers.push(() => closeRedis(connection));
  return connection;
}

const answers = (redis: RedisConnection): Promise<boolean> =>
  Promise.race([
    redis.ping().then(
      () => true,
      () => false,
    ),
    sleep(500).then(() => false),
  ]);

describe("a connection whose link is dead, though nobody has closed it", () => {
  test.each([
    { purpose: "commands", loses: ["answers", "requests"] },
    { purpose: "commands", loses: ["answers"] },
    { purpose: "commands", loses: ["requests"] },
    { purpose: "queue", loses: ["answers", "requests"] },
    { purpose: "subscriber", loses: ["answers", "requests"] },
    { purpose: "subscriber", loses: ["requests"] },
  ] as const)("is made anew, used or idle: $purpose that loses $loses", async ({ purpose, loses }) => {
    const { proxy, url } = await openProxy();
    const redis = connected(openRedis({ url, purpose, ...SOON }));
    await expect.poll(() => answers(redis)).toBe(true);
    expect(proxy.blackHole({ loses })).toBe(1);
    await expect.poll(() => answers(redis), { timeout: 6_000 }).toBe(true);
    expect(guardOf(redis)?.isHeard).toBe(true);
  });

  test("stays dead where nobody watches it", async () => {
    const { proxy, url } = await openProxy();
    const redis = connected(openRedis({ url, purpose: "queue", ...SOON, deadAfterMs: 0 }));
    await expect.poll(() => answers(redis)).toBe(true);
    proxy.blackHole();
    await sleep(LONG_MS);
    expect(await answers(redis)).toBe(false);
    expect(guardOf(redis)?.isHeard).toBe(false);
  });

  test("is made anew while a command blocks on a duplicate of it, as BullMQ waits for jobs", async () => {
    const { proxy, url } = await openProxy();
    const redis = connected(openRedis({ url, purpose: "queue", ...SOON, deadAfterMs: 3_000 }) as Redis);
    const waiting = connected(redis.duplicate());
    waiting.on("error", () => {});
    const block = () => waiting.bzpopmin(`dead-link:${proxy.port}`, 1).catch(() => undefined);
    let isOver = false;
    const blocking = (async () => {
      while (!isOver) await block();
    })();
    await expect.poll(() => proxy.blackHole({ thatSaid: ["bzpopmin"] })).toBe(1);
    await expect.poll(() => guardOf(redis)?.isHeard, { timeout: 5_000, interval: 20 }).toBe(false);
    await expect.poll(() => guardOf(redis)?.isHeard, { timeout: 5_000, interval: 20 }).toBe(true);
    isOver = true;
    await blocking;
  });

  test("is not suspected where Redis is only slow", async () => {
    const { proxy, url } = await openProxy();
    proxy.delayMs = 100;
    const redis = connected(openRedis({ url, purpose: "commands", ...SOON }) as Redis);
    let closes = 0;
    redis.on("close", () => {
      closes += 1;
    });
    await expect.poll(() => answers(redis), { timeout: 5_000 }).toBe(true);
    const untilMs = performance.now() + LONG_MS;
    while (performance.now() < untilMs) expect(await answers(redis)).toBe(true);
    expect(closes).toBe(0);
  });

  test("is not suspected because its own process was busy for longer than a link may be silent", async () => {
    const { url } = await openProxy();
    const redis = connected(openRedis({ url, purpose: "commands", ...SOON }) as Redis);
    await expect.poll(() => answers(redis)).toBe(true);
    let closes = 0;
    redis.on("close", () => {
      closes += 1;
    });
    const busyUntilMs = performance.now() + SOON.deadAfterMs + 500;
    while (performance.now() < busyUntilMs);
    await sleep(1_000);
    expect(closes).toBe(0);
  });
});

/** From now on nothing that arrives at this end is read, as if nothing arrived. */
function deafen(node: Redis): void {
  const stream = node.stream as unknown as { _handle?: { readStop(): void } } | undefined;
  node.stream?.pause();
  stream?._handle?.readStop();
}

describe("a cluster's connections", () => {
  test("are made anew one by one, the one that hears sharded channels included", async () => {
    const cluster = await startPrivateCluster();
    closers.push(() => cluster.stop());
    const redis = connected(openRedis({ url: cluster.url, purpose: "commands", ...SOON }) as Cluster);
    const subscriber = connected(openRedis({ url: cluster.url, purpose: "subscriber", ...SOON }) as Cluster);
    const heard: string[] = [];
    subscriber.on("smessage", (_channel: string, message: string) => heard.push(message));
    await subscriber.ssubscribe("news");
    const isHeard = async (message: string) => {
      await redis.spublish("news", message).catch(() => undefined);
      return heard.includes(message);
    };
    await expect.poll(() => isHeard("before"), { timeout: 5_000 }).toBe(true);
    await Promise.all(["a", "b", "c"].map((key) => redis.set(key, "", "PX", 60_000)));
    for (const node of redis.nodes("all")) if (node.status === "ready") deafen(node);
    const sharded = (
      subscriber as unknown as { shardedSubscribers: { shardedSubscribers: Map<string, unknown> } }
    ).shardedSubscribers.shardedSubscribers;
    for (const it of sharded.values()) deafen((it as { getInstance(): Redis }).getInstance());
    expect(await redis.get("a").catch((error: Error) => error.message)).toMatch(/timed out/i);
    await expect.poll(() => isHeard("after"), { timeout: 12_000, interval: 200 }).toBe(true);
    expect(await Promise.all(["a", "b", "c"].map((key) => redis.get(key)))).toEqual(["", "", ""]);
    expect([guardOf(redis)?.isHeard, guardOf(subscriber)?.isHeard]).toEqual([true, true]);
  }, 60_000);
});

test("a connection that sentinels have led to its primary is made anew as well", async () => {
  const sentinel = await startPrivateSentinel();
  closers.push(() => sentinel.stop());
  const redis = connected(openRedis({ url: sentinel.url, purpose: "commands", ...SOON }) as Redis);
  await expect.poll(() => answers(redis), { timeout: 5_000 }).toBe(true);
  deafen(redis);
  await expect.poll(() => answers(redis)).toBe(false);
  await expect.poll(() => answers(redis), { timeout: 6_000 }).toBe(true);
}, 60_000);
