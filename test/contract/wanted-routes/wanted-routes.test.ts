import { randomBytes } from "node:crypto";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { RedisWantedRoutes } from "@tts-labs/edge/wanted-routes";
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
const stops: (() => Promise<void>)[] = [];

beforeEach(() => {
  redis = openRedis({ url: inject("redisUrl"), purpose: "commands", logger: silentLogger });
  keys = new Keys(`wanted-${randomBytes(4).toString("hex")}`);
  wanted = new RedisWantedRoutes(redis, keys);
  warmed = [];
});
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  await closeRedis(redis);
});

function startWorkers(count: number, workersPerWish: number): void {
  for (let i = 0; i < count; i++) {
    const mine: string[] = [];
    warmed.push(mine);
    const prewarm = ({ voice }: SpeechOptions) => mine.push(voice);
    stops.push(
      followWantedRoutes({ redis, keys, everyMs: 10, workersPerWish, prewarm, logger: silentLogger }),
    );
  }
}

const total = () => warmed.flat().length;

test("a client's wish is followed by so many workers and no more, and once by each", async () => {
  startWorkers(5, 2);
  await wanted.add(speechOf("one"));
  await vi.waitFor(() => expect(total()).toBe(2), { interval: 5 });
  // By the time another wish has come through, all have looked often enough.
  await wanted.add(speechOf("two"));
  await vi.waitFor(() => expect(total()).toBe(4), { interval: 5 });
  expect(warmed.map((voices) => voices.filter((it) => it === "one").length).sort()).toEqual([0, 0, 0, 1, 1]);
});

test("a wish that is repeated is followed again", async () => {
  startWorkers(2, 2);
  await wanted.add(speechOf("one"));
  await vi.waitFor(() => expect(total()).toBe(2), { interval: 5 });
  await vi.waitFor(async () => {
    await wanted.add(speechOf("one"));
    expect(total()).toBeGreaterThanOrEqual(4);
  });
});

test("every key has a TTL", async () => {
  startWorkers(1, 1);
  await wanted.add(speechOf("one"));
  await vi.waitFor(() => expect(total()).toBe(1), { interval: 5 });
  expect(await keysWithoutTtl(inject("redisUrl"), keys.prefix)).toEqual([]);
});
