import { randomBytes } from "node:crypto";
import { settleable } from "@tts-labs/core/async/settleable";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { ownClock } from "@tts-labs/core/redis/shared-clock";
import { RedisWantedRoutes } from "@tts-labs/edge/wanted-routes";
import { GatewayError } from "@tts-labs/protocol/errors";
import { type SpeechOptions, toSpeechOptions } from "@tts-labs/protocol/speech-options";
import { followWantedRoutes } from "@tts-labs/worker/wanted-routes";
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { keysWithoutTtl } from "../../../testkit/redis/keys-without-ttl.ts";

const speechOf = (voice: string): SpeechOptions =>
  toSpeechOptions({}, { voice, model: "eleven_flash_v2_5", sampleRateHz: 24_000 });

let redis: RedisConnection;
let keys: Keys;
let wanted: RedisWantedRoutes;
/** Voices warmed, one list per worker. */
let warmed: string[][] = [];
/** What making a route warm comes to. */
let warmth: (speech: SpeechOptions, signal: AbortSignal) => Promise<number>;
let gone: AbortController;
const stops: (() => Promise<void>)[] = [];

beforeEach(() => {
  redis = openRedis({ url: inject("redisUrl"), purpose: "commands", logger: silentLogger });
  keys = new Keys(`wanted-${randomBytes(4).toString("hex")}`);
  wanted = new RedisWantedRoutes(redis, keys);
  warmed = [];
  warmth = async () => 182;
  gone = new AbortController();
});
afterEach(async () => {
  gone.abort(new GatewayError("cancelled.client_gone"));
  await Promise.all(stops.splice(0).map((stop) => stop()));
  await closeRedis(redis);
});

function startWorkers(count: number, workersPerWish: number): void {
  for (let i = 0; i < count; i++) {
    const mine: string[] = [];
    warmed.push(mine);
    const warm = (speech: SpeechOptions, signal: AbortSignal) => {
      mine.push(speech.voice);
      return warmth(speech, signal);
    };
    const options = {
      redis,
      keys,
      everyMs: 10,
      workersPerWish,
      warm,
      warmWithinMs: 300,
      logger: silentLogger,
    };
    stops.push(followWantedRoutes(options));
  }
}

/** The answer is not what these tests are about. */
const wish = (voice: string) => void ask(voice).catch(() => {});
const ask = (voice: string, limitMs = 5_000) => wanted.warm(speechOf(voice), limitMs, gone.signal);

const total = () => warmed.flat().length;

test("a client's wish is followed by so many workers and no more, and once by each", async () => {
  startWorkers(5, 2);
  wish("one");
  await vi.waitFor(() => expect(total()).toBe(2), { interval: 5 });
  // By the time another wish has come through, all have looked often enough.
  wish("two");
  await vi.waitFor(() => expect(total()).toBe(4), { interval: 5 });
  expect(warmed.map((voices) => voices.filter((it) => it === "one").length).sort()).toEqual([0, 0, 0, 1, 1]);
});

test("a wish that is repeated is followed again", async () => {
  startWorkers(2, 2);
  wish("one");
  await vi.waitFor(() => expect(total()).toBe(2), { interval: 5 });
  await vi.waitFor(async () => {
    wish("one");
    expect(total()).toBeGreaterThanOrEqual(4);
  });
});

test("every key has a TTL", async () => {
  startWorkers(1, 1);
  wish("one");
  await vi.waitFor(() => expect(total()).toBe(1), { interval: 5 });
  expect(await keysWithoutTtl(inject("redisUrl"), keys.prefix)).toEqual([]);
});

test("a wish is answered with the time to connect once a worker has made it ready", async () => {
  startWorkers(2, 2);
  expect(await ask("one")).toBe(182);
});

test("each of many wishes for one route is answered, those that come while it is being made ready included", async () => {
  const ready = settleable<number>();
  warmth = () => ready.promise;
  startWorkers(1, 1);
  const first = ask("one");
  await vi.waitFor(() => expect(total()).toBe(1), { interval: 5 });
  const others = [ask("one"), ask("one")];
  ready.resolve(7);
  expect(await Promise.all([first, ...others])).toEqual([7, 7, 7]);
});

test("an older answer is none to a newer wish", async () => {
  startWorkers(1, 1);
  expect(await ask("one")).toBe(182);
  warmth = async () => 3;
  expect(await ask("one")).toBe(3);
});

test("a wish that the provider refuses is answered with its reason", async () => {
  warmth = async () => {
    throw new GatewayError("provider.voice_not_found", "No such voice.", { facts: { voice: "one" } });
  };
  startWorkers(2, 2);
  await expect(ask("one")).rejects.toMatchObject({
    code: "provider.voice_not_found",
    message: "No such voice.",
    retryable: false,
    facts: { voice: "one" },
  });
});

test("where one worker is refused and another is not, the route is warm", async () => {
  let asked = 0;
  const second = settleable<number>();
  warmth = async () => {
    if (asked++ > 0) return second.promise;
    second.resolve(9);
    throw new GatewayError("provider.connect_failed");
  };
  startWorkers(2, 2);
  expect(await ask("one")).toBe(9);
});

test("a worker that never gets there says so, and where no worker answers, the edge does at the deadline", async () => {
  warmth = (_, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  startWorkers(1, 1);
  await expect(ask("one")).rejects.toMatchObject({ code: "provider.connect_timeout" });
  await expect(ask("two", 50)).rejects.toMatchObject({ code: "worker.unavailable", facts: { limit_ms: 50 } });
});

test("so many routes are waited for and no more; a route that others wait for is no further one", async () => {
  wanted = new RedisWantedRoutes(redis, keys, ownClock, 1);
  const first = ask("one");
  await vi.waitFor(async () => expect(await redis.zcard(keys.routes)).toBe(1));
  await expect(ask("two")).rejects.toMatchObject({ code: "capacity.overloaded", facts: { limit: 1 } });
  startWorkers(1, 1);
  expect(await Promise.all([first, ask("one")])).toEqual([182, 182]);
  expect(await ask("two")).toBe(182);
});

test("a client that leaves waits no longer", async () => {
  const waiting = ask("one");
  await vi.waitFor(async () => expect(await redis.zcard(keys.routes)).toBe(1));
  gone.abort(new GatewayError("cancelled.client_gone"));
  await expect(waiting).rejects.toMatchObject({ code: "cancelled.client_gone" });
});
