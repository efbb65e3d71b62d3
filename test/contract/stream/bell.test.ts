import { randomBytes } from "node:crypto";
import { type Logger, silentLogger } from "@tts-labs/core/logger";
import { type Bell, openBell } from "@tts-labs/core/redis/bell";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";

describe("the bell of a process", () => {
  const keys = new Keys(`test-${randomBytes(6).toString("hex")}`);
  let redis: RedisConnection;
  let subscriber: RedisConnection;
  let bell: Bell;
  let warnings: string[];

  const open = (nodeId: string) => {
    const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };
    return openBell({ redis, subscriber, keys, nodeId, logger, probeIntervalMs: 50 });
  };
  const sleeper = () => {
    const one = {
      count: 0,
      ring: () => {
        one.count += 1;
      },
    };
    return one;
  };

  beforeEach(async () => {
    warnings = [];
    const common = { url: inject("redisUrl"), logger: silentLogger };
    redis = openRedis({ ...common, purpose: "commands" });
    subscriber = openRedis({ ...common, purpose: "subscriber" });
    bell = await open("edge_1");
  });
  afterEach(async () => {
    await bell.close();
    await Promise.all([closeRedis(redis), closeRedis(subscriber)]);
  });

  it("wakes those named and nobody else, with one message for all of them", async () => {
    const heard: string[] = [];
    subscriber.on("message", (_, message: string) => message !== "" && heard.push(message));
    const [first, second, third] = [sleeper(), sleeper(), sleeper()];
    const members = [first, second, third].map((one) => bell.enlist(one));
    bell.ring([members[0] ?? ""]);
    bell.ring([members[2] ?? ""]);
    await vi.waitUntil(() => third.count > 0);
    expect([first.count, second.count, third.count]).toEqual([1, 0, 1]);
    expect(heard).toHaveLength(1);
  });

  it("lets a dismissed sleeper sleep", async () => {
    const [gone, stays] = [sleeper(), sleeper()];
    const members = [bell.enlist(gone), bell.enlist(stays)];
    bell.dismiss(members[0] ?? "");
    bell.ring(members);
    await vi.waitUntil(() => stays.count > 0);
    expect(gone.count).toBe(0);
  });

  it("rings in the process that the name says", async () => {
    const other = await open("edge_2");
    const there = sleeper();
    bell.ring([other.enlist(there)]);
    await vi.waitUntil(() => there.count > 0);
    await other.close();
  });

  it("notices that it is no longer heard, and subscribes again", async () => {
    await subscriber.unsubscribe(keys.bell("edge_1"));
    await vi.waitUntil(() => warnings.length > 0, { timeout: 5_000 });
    const one = sleeper();
    const member = bell.enlist(one);
    await vi.waitUntil(
      () => {
        bell.ring([member]);
        return one.count > 0;
      },
      { timeout: 5_000 },
    );
  });

  it("closes its subscription, twice if need be", async () => {
    await bell.close();
    await bell.close();
    expect(await redis.publish(keys.bell("edge_1"), "")).toBe(0);
  });
});
