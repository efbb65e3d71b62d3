import { randomBytes } from "node:crypto";
import { newNodeId } from "@tts-labs/core/ids";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, isCluster, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { openSessionStore } from "@tts-labs/core/session/redis-session-store";
import type {
  NewSession,
  SessionStore,
  StoredEnd,
  StoredUtterance,
} from "@tts-labs/core/session/session-store";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";

const TOKEN = "a-token-that-only-its-client-knows";
const NEXT = "the-token-that-takes-the-place-of-it";
const session = (sessionId: string): NewSession => ({
  sessionId,
  resumeToken: TOKEN,
  createdAtMs: 1_000,
  settings: {
    delivery: "paced",
    overflow: "wait",
    frameSamples: 480,
    adaptiveFrames: false,
    sentenceCache: true,
  },
});
const utterance = (number: number, end?: StoredUtterance["end"]): StoredUtterance => ({
  utteranceId: `utt_${number}`,
  number,
  requested: { voice: "v", voice_settings: { speed: 1.1 } },
  createdAtMs: 2_000 + number,
  ...(end === undefined ? {} : { end }),
});
const ENDED: StoredEnd = {
  samples: 7,
  isTextOpen: false,
  end: {
    kind: "cancelled",
    sentSamples: 7,
    playedSamples: 3,
    heardMs: 0.125,
    textHeard: "Hello",
    textLeft: " there.",
    estimated: false,
  },
};
const never = () => expect.unreachable("was told to be superseded");

describe.each([
  ["one Redis", async () => ({ url: inject("redisUrl"), stop: async () => {} })],
  ["a cluster", startPrivateCluster],
] as const)("sessions held over %s", (_name, start) => {
  let server: { url: string; stop(): Promise<void> };
  let redis: RedisConnection;
  let subscriber: RedisConnection;
  let keys: Keys;
  let here: SessionStore;
  let there: SessionStore;

  beforeAll(async () => {
    server = await start();
    redis = openRedis({ url: server.url, purpose: "commands", logger: silentLogger });
    subscriber = openRedis({ url: server.url, purpose: "subscriber", logger: silentLogger });
  });
  afterAll(async () => {
    await Promise.all([closeRedis(redis), closeRedis(subscriber)]);
    await server.stop();
  });
  beforeEach(async () => {
    keys = new Keys(`held-${randomBytes(4).toString("hex")}`);
    [here, there] = await Promise.all([openStore(), openStore()]);
  });
  afterEach(async () => {
    await Promise.all([here.close(), there.close()]);
  });

  const openStore = (windowMs = 20_000) =>
    openSessionStore({
      redis,
      subscriber,
      keys,
      nodeId: newNodeId("edge"),
      logger: silentLogger,
      windowMs,
    });
  const claim = { sessionId: "ses_1", resumeToken: TOKEN, nextToken: NEXT };
  async function ownKeys(): Promise<string[]> {
    const nodes = isCluster(redis) ? redis.nodes("master") : [redis];
    return (await Promise.all(nodes.map((node) => node.keys(`${keys.prefix}:*`)))).flat();
  }

  test("are taken over elsewhere as they were left, by the token, with a higher epoch", async () => {
    const superseded = vi.fn();
    const first = await here.open(session("ses_1"), superseded);
    await first.put(utterance(2));
    await first.put(utterance(1));
    await first.put(utterance(1, ENDED));
    const { session: found, hold } = await there.resume(claim, never);
    const { resumeToken: _, ...stored } = session("ses_1");
    expect(found).toEqual({ ...stored, utterances: [utterance(1, ENDED), utterance(2)] });
    expect([first.epoch, hold.epoch]).toEqual([1, 2]);
    await vi.waitFor(() => expect(superseded).toHaveBeenCalledOnce());
    expect(first.isCurrent).toBe(false);
    expect(hold.isCurrent).toBe(true);
  });

  test("are refused to those who have another token, and stay with their holder", async () => {
    const hold = await here.open(session("ses_1"), never);
    for (const resumeToken of ["another-token-of-the-same-sort-xx", TOKEN.slice(1), `${TOKEN}x`, ""]) {
      await expect(there.resume({ ...claim, resumeToken }, never)).rejects.toMatchObject({
        code: "authentication.invalid",
      });
    }
    await hold.refresh();
    expect(hold.isCurrent).toBe(true);
  });

  test("that nobody knows are unknown, those removed too", async () => {
    await expect(here.resume(claim, never)).rejects.toMatchObject({ code: "session.unknown" });
    const hold = await here.open(session("ses_1"), never);
    await hold.remove();
    await expect(there.resume(claim, never)).rejects.toMatchObject({ code: "session.unknown" });
    expect(await ownKeys()).toEqual([]);
  });

  test("go to the newest of many who come at once; every other one is told", async () => {
    const told: number[] = [];
    await here.open(session("ses_1"), () => told.push(1));
    const taken = await Promise.all(
      Array.from({ length: 8 }, (_, i) => (i % 2 ? here : there).resume(claim, () => told.push(i + 10))),
    );
    const epochs = taken.map(({ hold }) => hold.epoch).sort((a, b) => a - b);
    expect(epochs).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    await vi.waitFor(() => expect(told).toHaveLength(8));
    const current = taken.filter(({ hold }) => hold.isCurrent);
    expect(current.map(({ hold }) => hold.epoch)).toEqual([9]);
  });

  test("are not changed by one who no longer holds them, even where the bell was not heard", async () => {
    const superseded = vi.fn();
    const first = await here.open(session("ses_1"), superseded);
    await here.close();
    await there.resume(claim, never);
    expect(superseded).not.toHaveBeenCalled();
    await first.put(utterance(1));
    expect(superseded).toHaveBeenCalledOnce();
    await first.put(utterance(2));
    expect(await first.remove()).toBe(false);
    const { session: found } = await there.resume(claim, () => {});
    expect(found.utterances).toEqual([]);
  });

  test("are not opened again under their id, here or there, whoever shows which token", async () => {
    const first = await here.open(session("ses_1"), never);
    await first.put(utterance(1));
    for (const store of [here, there]) {
      for (const resumeToken of [TOKEN, "quite-another-token"]) {
        const again = store.open({ ...session("ses_1"), resumeToken }, never);
        await expect(again).rejects.toMatchObject({ code: "session.held" });
      }
    }
    await first.refresh();
    expect(first.isCurrent).toBe(true);
    expect((await there.resume(claim, never)).session.utterances).toEqual([utterance(1)]);
  });

  test("are opened once by many who come at once, and stay with the one that came first", async () => {
    const opened = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        (i % 2 ? here : there).open({ ...session("ses_1"), resumeToken: `${TOKEN}-${i}` }, never),
      ),
    );
    expect(opened.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const it of opened) {
      if (it.status === "rejected") expect(it.reason).toMatchObject({ code: "session.held" });
    }
  });

  test("stay held when their edge has died, until the window is over, and are free from then on", async () => {
    const short = await openStore(400);
    await short.open(session("ses_1"), never);
    await short.close();
    await expect(there.open(session("ses_1"), never)).rejects.toMatchObject({ code: "session.held" });
    await vi.waitFor(() => there.open(session("ses_1"), never), { timeout: 5_000, interval: 50 });
  });

  test("are free at once where they were removed", async () => {
    const first = await here.open(session("ses_1"), never);
    await first.remove();
    const again = await there.open({ ...session("ses_1"), resumeToken: NEXT }, never);
    expect([again.epoch, again.isCurrent]).toEqual([1, true]);
  });

  test("without the record that holds the id, would be opened again by anyone", async () => {
    const first = await here.open(session("ses_1"), () => {});
    await redis.del(keys.heldSession("ses_1"));
    await there.open({ ...session("ses_1"), resumeToken: NEXT }, never);
    await first.refresh();
    expect(first.isCurrent).toBe(false);
  });

  test("take the next token for the one shown, which ends once the client has the next", async () => {
    await here.open(session("ses_1"), () => {});
    const { hold } = await there.resume(claim, never);
    await hold.confirm();
    await expect(here.resume(claim, never)).rejects.toMatchObject({ code: "authentication.invalid" });
    expect(hold.isCurrent).toBe(true);
  });

  test("go on with the token shown where the answer with the next one was lost, however often", async () => {
    await here.open(session("ses_1"), () => {});
    for (const nextToken of ["lost-1", "lost-2"]) await there.resume({ ...claim, nextToken }, () => {});
    const { hold } = await there.resume(claim, () => {});
    for (const resumeToken of ["lost-1", "lost-2"]) {
      await expect(here.resume({ ...claim, resumeToken }, never)).rejects.toMatchObject({
        code: "authentication.invalid",
      });
    }
    await hold.confirm();
    const next = { ...claim, resumeToken: NEXT, nextToken: `${NEXT}-3` };
    expect((await here.resume(next, never)).hold.epoch).toBe(5);
  });

  test("expire where nobody refreshes them", async () => {
    const short = await openStore(150);
    await short.open(session("ses_1"), never);
    await vi.waitFor(async () => expect(await ownKeys()).toEqual([]));
    await expect(here.resume(claim, never)).rejects.toMatchObject({ code: "session.unknown" });
    await short.close();
  });

  test("are stored again, whole, should Redis forget them while their holder is there", async () => {
    const hold = await here.open(session("ses_1"), () => {});
    await hold.put(utterance(1));
    await redis.del(keys.heldSession("ses_1"));
    await hold.refresh();
    expect((await there.resume(claim, never)).session.utterances).toEqual([utterance(1)]);
  });

  test("keep a bounded number of ended utterances, the newest, also across takeovers", async () => {
    const first = await here.open(session("ses_1"), () => {});
    for (let number = 1; number <= 6; number++) await first.put(utterance(number, ENDED));
    const { hold } = await there.resume(claim, never);
    for (let number = 7; number <= 12; number++) await hold.put(utterance(number, ENDED));
    await hold.put(utterance(13));
    const { session: found } = await here.resume(claim, () => {});
    expect(found.utterances.map(({ number }) => number)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13]);
  });

  test("have a TTL on every key, and the token in none", async () => {
    const hold = await here.open(session("ses_1"), never);
    await hold.put(utterance(1));
    const names = await ownKeys();
    expect(names).toHaveLength(1);
    for (const name of names) {
      expect(await redis.pttl(name)).toBeGreaterThan(0);
      expect(JSON.stringify(await redis.hgetall(name))).not.toContain(TOKEN);
    }
  });
});
