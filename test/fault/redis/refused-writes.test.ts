import { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { startPrivateRedis } from "../../../scripts/private-redis.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";
import { awaitPausesAtEnd } from "../../../testkit/redis/redis-pauses.ts";

awaitPausesAtEnd();
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Stand {
  readonly admin: Redis;
  readonly system: System;
  readonly client: NativeClient;
}

async function start(): Promise<Stand> {
  // A folder in which no file can be made, not even by root: no snapshot can be saved there.
  const redis = await startPrivateRedis({ args: ["--dir", "/proc"] });
  closers.push(() => redis.stop());
  const admin = new Redis(redis.url);
  closers.push(async () => admin.disconnect());
  const system = await startSystem({
    redisUrl: redis.url,
    edge: { openTimeoutMs: 3_000, stallTimeoutMs: 8_000 },
    worker: { drainMs: 500 },
    simulator: { timeScale: 0.1 },
  });
  closers.push(() => system.close());
  const client = await NativeClient.connect(system.url, {}, { limitMs: 30_000 });
  closers.push(() => client.terminate());
  return { admin, system, client };
}

/** Each makes Redis refuse writes, and take them again. */
const troubles = [
  {
    what: "has reached its maxmemory",
    code: "storage.full",
    begin: (admin: Redis) => admin.config("SET", "maxmemory", "1mb"),
    end: (admin: Redis) => admin.config("SET", "maxmemory", "0"),
  },
  {
    what: "has become a replica",
    code: "storage.read_only",
    begin: (admin: Redis) => admin.call("REPLICAOF", "127.0.0.1", "1"),
    end: (admin: Redis) => admin.call("REPLICAOF", "NO", "ONE"),
  },
  {
    what: "can't save to its disk",
    code: "storage.disk_failed",
    begin: async (admin: Redis) => {
      await admin.config("SET", "save", "3600 1000000");
      await admin.bgsave();
      await expect.poll(() => admin.info("persistence")).toContain("rdb_last_bgsave_status:err");
    },
    end: (admin: Redis) => admin.config("SET", "stop-writes-on-bgsave-error", "no"),
  },
] as const;

interface Readiness {
  readonly status: number;
  readonly code: string | undefined;
}

async function readinessAt(url: string | undefined): Promise<Readiness> {
  const answer = await fetch(`${url}/readyz`);
  const { code } = (await answer.json()) as { code?: string };
  return { status: answer.status, code };
}

describe.each(troubles)("while Redis $what", ({ code, begin, end }) => {
  test("nobody is ready, everyone asked says why, and all go on by themselves afterwards", async () => {
    const { admin, system, client } = await start();
    const places = [system.url, system.workers[0]?.opsUrl];
    expect((await client.speak("Before.")).end.type).toBe("stream_complete");
    await begin(admin);
    // What a readiness that only pings would go by; with a failed disk Redis refuses even that.
    const pong = await admin.ping().catch((error: Error) => error.message.split(" ")[0]);
    expect(pong).toBe(code === "storage.disk_failed" ? "MISCONF" : "PONG");
    for (const place of places) {
      await expect.poll(() => readinessAt(place), { timeout: 3_000 }).toEqual({ status: 503, code });
    }
    expect((await client.speak("Meanwhile.")).end).toMatchObject({ type: "error", code, retryable: true });
    const answer = await fetch(`${system.url}/api/v1/synthesize`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"text":"And I."}`,
    });
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ error: { code, retryable: true } });
    await end(admin);
    for (const place of places) {
      await expect.poll(() => readinessAt(place), { timeout: 5_000 }).toMatchObject({ status: 200 });
    }
    expect((await client.speak("And after.")).end.type).toBe("stream_complete");
  });

  test("an utterance under way waits, and is complete once writes are taken again", async () => {
    const { admin, client } = await start();
    client.send({ type: "text", text: "This was begun before the trouble. ".repeat(6) });
    await client.until("the beginning", () => (client.received(1).samples > 0 ? true : undefined));
    await begin(admin);
    client.send({ type: "stream_end" });
    setTimeout(() => void end(admin), 1_200);
    expect((await client.utterance(1)).end.type).toBe("stream_complete");
  });
});
