import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";
import type { BlackHole } from "../../../testkit/redis/chaos-proxy.ts";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";
import { awaitPausesAtEnd } from "../../../testkit/redis/redis-pauses.ts";

/** From the moment links die until speech is heard again; the guard's own limit is 4 s. */
const RECOVERY_LIMIT_MS = 15_000;
/** Longest silence of a healthy link, and a look of the guard. */
const KNOWN_WITHIN_MS = 4_500;

awaitPausesAtEnd();
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Stand {
  readonly proxy: ChaosProxy;
  readonly client: NativeClient;
  readonly readiness: () => Promise<{ readonly edge: number; readonly worker: number }>;
  /** What came of one more utterance: `complete`, or the code of its error. */
  readonly speak: () => Promise<string>;
}

async function start(redisDeadAfterMs?: number): Promise<Stand> {
  const proxy = await new ChaosProxy().open(Number(new URL(inject("redisUrl")).port));
  closers.push(() => proxy.close());
  const guard = redisDeadAfterMs === undefined ? {} : { redisDeadAfterMs };
  const system = await startSystem({
    redisUrl: `redis://127.0.0.1:${proxy.port}`,
    edge: { ...guard, openTimeoutMs: 2_000, stallTimeoutMs: 5_000 },
    worker: { ...guard, drainMs: 500 },
    simulator: { timeScale: 0.1 },
  });
  closers.push(() => system.close());
  const client = await NativeClient.connect(system.url, {}, { limitMs: 30_000 });
  closers.push(() => client.terminate());
  const status = async (url: string) => (await fetch(url)).status;
  const [worker] = system.workers;
  return {
    proxy,
    client,
    readiness: async () => ({
      edge: await status(`${system.url}/readyz`),
      worker: await status(`${worker?.opsUrl}/readyz`),
    }),
    speak: async () => {
      const { end } = await client.speak("Is anybody there?");
      if (end.type === "error") expect(end.retryable).toBe(true);
      return end.type === "error" ? end.code : "complete";
    },
  };
}

/** Speaks again and again until it succeeds, and gives the codes of what did not. */
async function untilSpeech({ speak }: Stand): Promise<readonly string[]> {
  const failures: string[] = [];
  for (;;) {
    const outcome = await speak();
    if (outcome === "complete") return failures;
    failures.push(outcome);
    await sleep(50);
  }
}

const READY = { edge: 200, worker: 200 };

test("when every link to Redis dies without a close, nobody is ready until speech is back, within 15 s", async () => {
  const stand = await start();
  expect(await stand.speak()).toBe("complete");
  expect(await stand.readiness()).toEqual(READY);
  const diedAtMs = performance.now();
  // Commands, queue and subscriber of either; the worker's second queue connection; and none of what is left.
  expect(stand.proxy.blackHole()).toBeGreaterThanOrEqual(7);
  expect(await stand.readiness()).toEqual({ edge: 503, worker: 503 });
  const failures = await untilSpeech(stand);
  expect(performance.now() - diedAtMs).toBeLessThan(RECOVERY_LIMIT_MS);
  for (const code of failures) expect(code).toMatch(/^(storage\.|worker\.unavailable)/);
  await expect.poll(stand.readiness, { timeout: 5_000 }).toEqual(READY);
});

test("without the guard nothing is spoken any more, and both say that they are not ready", async () => {
  const stand = await start(0);
  expect(await stand.speak()).toBe("complete");
  const diedAtMs = performance.now();
  stand.proxy.blackHole();
  while (performance.now() - diedAtMs < RECOVERY_LIMIT_MS) {
    expect(await stand.speak()).not.toBe("complete");
    expect(await stand.readiness()).toEqual({ edge: 503, worker: 503 });
  }
  stand.proxy.cut();
});

describe("half-dead", () => {
  const half: readonly (readonly [string, BlackHole, Partial<typeof READY>])[] = [
    ["only the connection on which the worker waits for jobs", { thatSaid: ["bzpopmin"] }, { worker: 503 }],
    ["only those that hear bells", { thatSaid: ["subscribe"] }, { edge: 503, worker: 503 }],
    ["only those that do not", { thatNeverSaid: ["subscribe"] }, { edge: 503, worker: 503 }],
    ["only what Redis answers", { loses: ["answers"] }, { edge: 503, worker: 503 }],
    ["only what Redis is asked", { loses: ["requests"] }, { edge: 503, worker: 503 }],
  ];
  test.each(half)("%s: speech is back within 15 s", async (_what, hole, unready) => {
    const stand = await start();
    expect(await stand.speak()).toBe("complete");
    const diedAtMs = performance.now();
    expect(stand.proxy.blackHole(hole)).toBeGreaterThan(0);
    await expect
      .poll(stand.readiness, { timeout: KNOWN_WITHIN_MS, interval: 20 })
      .toEqual({ ...READY, ...unready });
    await untilSpeech(stand);
    expect(performance.now() - diedAtMs).toBeLessThan(RECOVERY_LIMIT_MS);
    await expect.poll(stand.readiness, { timeout: 6_000 }).toEqual(READY);
  });
});
