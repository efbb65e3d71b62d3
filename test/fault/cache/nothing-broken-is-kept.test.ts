import { silentCacheObserver } from "@tts-labs/core/cache/audio-cache";
import { toCacheKey, toProviderIdentity } from "@tts-labs/core/cache/cache-key";
import { openRedisAudioCache, type RedisAudioCache } from "@tts-labs/core/cache/redis-audio-cache";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { FAULTS, type FaultName } from "@tts-labs/simulator/faults";
import { renderSpeech } from "@tts-labs/simulator/render";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { readAll } from "../../contract/cache/speech.ts";
import { type System, startSystem } from "../../harness/system.ts";

const VOICE = "simEnglishGrace0000A";
const TEXT = "Good morning, this is a sentence that is long enough to be cut in several pieces.";
const DEADLINE_MS = 500;
/** These harm nobody's speech: it is complete all the same. */
const HARMLESS: readonly FaultName[] = [
  ...(["empty-audio", "final-false", "final-absent", "alignment-null", "alignment-odd-spelling"] as const),
  ...(["odd-pcm", "huge-message", "non-json", "late-audio-after-close", "unknown-messages"] as const),
  ...(["slow-close", "text-after-eos-error", "eos-flush-ambiguous", "flush-close-race"] as const),
];

let system: System;
let redis: RedisConnection;
let cache: RedisAudioCache;
let rendered: Buffer;

beforeAll(async () => {
  system = await startSystem({
    redisUrl: inject("redisUrl"),
    edge: { cache: true },
    worker: {
      connectTimeoutMs: DEADLINE_MS,
      firstAudioTimeoutMs: DEADLINE_MS,
      gapTimeoutMs: DEADLINE_MS,
      finalTimeoutMs: DEADLINE_MS,
      overloadPauseMs: 20,
      continuationsMax: 3,
      breakerFaults: 0,
      poolWarm: 0,
    },
    simulator: { timeScale: 0.1 },
  });
  redis = openRedis({ url: inject("redisUrl"), purpose: "commands", logger: silentLogger });
  await redis.ping();
  cache = openRedisAudioCache({
    ...{ redis, keys: new Keys(system.keyPrefix), eviction: "self", logger: silentLogger },
    limits: { maxBytes: 1e8, maxEntryBytes: 1e7, ttlMs: 60_000 },
    observer: silentCacheObserver,
  });
  rendered = (await renderSpeech({ text: TEXT, voice: VOICE })).pcm;
});
afterAll(async () => {
  await cache.close();
  await closeRedis(redis);
  await system.close();
});

/** What is kept of it once the edge has nothing under way any more. */
async function keptAfter(voice: string): Promise<Buffer | undefined> {
  const response = await fetch(`${system.url}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm" },
    body: JSON.stringify({ text: TEXT, voice }),
  });
  await response.arrayBuffer().catch(() => undefined);
  await expect.poll(() => system.edges[0]?.counts().backgroundWork, { timeout: 5_000 }).toBe(0);
  const speech = { voice, model: "eleven_flash_v2_5", autoMode: false, sampleRateHz: 24_000 };
  const provider = toProviderIdentity(system.simulator.url);
  return (await readAll(await cache.lookup(toCacheKey({ provider, text: TEXT, speech }))))?.pcm;
}

describe("of speech that the provider has broken nothing is kept", () => {
  const harmful = (Object.keys(FAULTS) as FaultName[]).filter((name) => !HARMLESS.includes(name));
  test.each(harmful)("%s", { timeout: 20_000 }, async (fault) => {
    expect((await keptAfter(`${VOICE}_fault_${fault}`))?.byteLength).toBeUndefined();
  });
});

describe("speech that was only delivered oddly is kept as it should sound", () => {
  test.each([...HARMLESS])("%s", { timeout: 20_000 }, async (fault) => {
    const kept = await keptAfter(`${VOICE}_fault_${fault}`);
    expect(kept?.equals(rendered)).toBe(true);
  });
});
