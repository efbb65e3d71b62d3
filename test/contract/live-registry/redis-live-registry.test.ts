import { randomBytes } from "node:crypto";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, isCluster, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import type { LiveRegistry, SessionRecord, UtteranceRecord } from "@tts-labs/core/session/live-registry";
import { openLiveRegistry } from "@tts-labs/core/session/redis-live-registry";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";

const session = (sessionId: string, change: Partial<SessionRecord> = {}): SessionRecord => ({
  sessionId,
  edgeId: "edge_1",
  state: "open",
  connectionEpoch: 1,
  dialect: "native",
  createdAtMs: 1_000,
  ...change,
});
const utterance = (utteranceId: string, change: Partial<UtteranceRecord> = {}): UtteranceRecord => ({
  utteranceId,
  sessionId: "ses_1",
  edgeId: "edge_1",
  state: "queued",
  createdAtMs: 2_000,
  voice: "v",
  model: "m",
  ...change,
});

describe.each([
  ["one Redis", async () => ({ url: inject("redisUrl"), stop: async () => {} })],
  ["a cluster", startPrivateCluster],
] as const)("the live registry over %s", (_name, start) => {
  let server: { url: string; stop(): Promise<void> };
  let redis: RedisConnection;
  let keys: Keys;
  let registry: LiveRegistry;

  beforeAll(async () => {
    server = await start();
    redis = openRedis({ url: server.url, purpose: "commands", logger: silentLogger });
  });
  afterAll(async () => {
    await closeRedis(redis);
    await server.stop();
  });
  beforeEach(() => {
    keys = new Keys(`live-${randomBytes(4).toString("hex")}`);
    registry = openLiveRegistry({ redis, keys });
  });

  const all = { limit: 100 };
  async function ownKeys(): Promise<string[]> {
    const nodes = isCluster(redis) ? redis.nodes("master") : [redis];
    return (await Promise.all(nodes.map((node) => node.keys(`${keys.prefix}:*`)))).flat();
  }

  /** An edge whose clock is two minutes ahead of Redis', and of everybody's. */
  const AHEAD_MS = 120_000;
  const ahead = {
    now: () => Date.now(),
    toShared: (localMs: number) => localMs - AHEAD_MS,
    toLocal: (sharedMs: number) => sharedMs + AHEAD_MS,
  };
  const aheadUncorrected = {
    now: () => Date.now() + AHEAD_MS,
    toShared: (localMs: number) => localMs,
    toLocal: (sharedMs: number) => sharedMs,
  };

  test("tells every process ages by its own clock, and nobody's clock ends what another keeps", async () => {
    const other = openLiveRegistry({ redis, keys, clock: ahead });
    const createdAtMs = Date.now();
    await registry.putSession(session("ses_1", { createdAtMs }), 5_000);
    await other.putSession(session("ses_2", { createdAtMs: createdAtMs + AHEAD_MS }), 5_000);
    const timesOf = async (of: LiveRegistry) =>
      (await of.listSessions(all)).items.map((it) => it.createdAtMs).sort();
    expect(await timesOf(registry)).toEqual([createdAtMs, createdAtMs]);
    expect(await timesOf(other)).toEqual([createdAtMs + AHEAD_MS, createdAtMs + AHEAD_MS]);
  });

  test("loses what others keep where a process goes by its own clock", async () => {
    const other = openLiveRegistry({ redis, keys, clock: aheadUncorrected });
    await registry.putSession(session("ses_1"), 5_000);
    expect((await other.listSessions(all)).items).toEqual([]);
    await other.putSession(session("ses_2"), 5_000);
    expect((await registry.listSessions(all)).items.map((it) => it.sessionId)).toEqual(["ses_2"]);
  });

  test("lists what was put, as it was put, until it is removed", async () => {
    await registry.putSession(session("ses_1", { state: "detached", connectionEpoch: 3 }), 5_000);
    await registry.putUtterance(utterance("utt_1", { queuedFrames: 7 }), 5_000);
    expect(await registry.listSessions(all)).toEqual({
      total: 1,
      items: [session("ses_1", { state: "detached", connectionEpoch: 3 })],
    });
    expect(await registry.listUtterances(all)).toEqual({
      total: 1,
      items: [utterance("utt_1", { queuedFrames: 7 })],
    });
    await registry.removeSession("ses_1");
    await registry.removeUtterance("utt_1");
    expect(await registry.listSessions(all)).toEqual({ total: 0, items: [] });
    expect(await registry.listUtterances(all)).toEqual({ total: 0, items: [] });
    expect(await ownKeys()).toEqual([]);
  });

  test("a worker's change shows, and a refresh by the edge keeps it", async () => {
    await registry.putUtterance(utterance("utt_1"), 5_000);
    await registry.updateUtterance("utt_1", { workerId: "worker_1", state: "speaking" });
    await registry.updateUtterance("utt_1", {});
    await registry.putUtterance(utterance("utt_1", { state: "delivering" }), 5_000);
    expect((await registry.listUtterances(all)).items).toEqual([
      utterance("utt_1", { workerId: "worker_1", state: "delivering" }),
    ]);
  });

  test("a late change does not bring back what has been removed", async () => {
    await registry.putUtterance(utterance("utt_1"), 5_000);
    await registry.removeUtterance("utt_1");
    await registry.updateUtterance("utt_1", { state: "delivering" });
    expect(await registry.listUtterances(all)).toEqual({ total: 0, items: [] });
    expect(await ownKeys()).toEqual([]);
  });

  test("what nobody refreshes vanishes from the list and from Redis", async () => {
    await registry.putSession(session("ses_1"), 80);
    await registry.putSession(session("ses_2"), 5_000);
    await vi.waitFor(async () =>
      expect((await registry.listSessions(all)).items).toEqual([session("ses_2")]),
    );
    expect(await redis.exists(keys.session("ses_1"))).toBe(0);
    await registry.putSession(session("ses_3"), 5_000);
    expect(await redis.zscore(keys.liveSessions, "ses_1")).toBeNull();
  });

  test("every key has a TTL; the index lives as long as its longest-lived member", async () => {
    await registry.putSession(session("ses_1"), 60_000);
    await registry.putSession(session("ses_2"), 1_000);
    await registry.putUtterance(utterance("utt_1"), 1_000);
    await registry.updateUtterance("utt_1", { queuedFrames: 1 });
    const names = await ownKeys();
    expect(names).toHaveLength(5);
    for (const name of names) expect(await redis.pttl(name)).toBeGreaterThan(0);
    expect(await redis.pttl(keys.liveSessions)).toBeGreaterThan(50_000);
  });

  test("pages show each of many once, also when all expire in the same moment", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const ids = Array.from({ length: 25 }, (_, i) => `ses_${String(i).padStart(2, "0")}`);
      for (const id of ids) await registry.putSession(session(id), 5_000);
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await registry.listSessions({ limit: 4, ...(cursor === undefined ? {} : { cursor }) });
        expect(page.total).toBe(25);
        expect(page.items.length).toBeLessThanOrEqual(4);
        seen.push(...page.items.map(({ sessionId }) => sessionId));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      expect(seen).toEqual(ids);
    } finally {
      vi.useRealTimers();
    }
  });

  test("what is refreshed between two pages is not missed", async () => {
    for (const i of [1, 2, 3, 4]) await registry.putSession(session(`ses_${i}`), 5_000 + i);
    const first = await registry.listSessions({ limit: 2 });
    await registry.putSession(session("ses_1"), 9_000);
    await registry.putSession(session("ses_3"), 9_000);
    const second = await registry.listSessions({ limit: 10, cursor: first.nextCursor ?? "" });
    const seen = new Set([...first.items, ...second.items].map(({ sessionId }) => sessionId));
    expect([...seen].sort()).toEqual(["ses_1", "ses_2", "ses_3", "ses_4"]);
  });

  test("a cursor that was never handed out is refused", async () => {
    await expect(registry.listSessions({ limit: 1, cursor: "x y" })).rejects.toMatchObject({
      code: "protocol.invalid_message",
    });
  });
});
