import { silentCacheObserver } from "@tts-labs/core/cache/audio-cache";
import { toCacheKey, toProviderIdentity } from "@tts-labs/core/cache/cache-key";
import { openRedisAudioCache, type RedisAudioCache } from "@tts-labs/core/cache/redis-audio-cache";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import type { Keeps } from "@tts-labs/edge/shared-speech/speech-cache";
import { FAULTS, type FaultName } from "@tts-labs/simulator/faults/faults";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type System, type SystemOptions, startSystem } from "../../../testkit/fleet/system.ts";
import { readAll } from "../../contract/cache/speech.ts";

const VOICE = "simEnglishGrace0000A";
const TEXT = "Good morning, this is a sentence that is long enough to be cut in several pieces.";
const DEADLINE_MS = 500;
/** These harm no speech: it is complete all the same. */
const HARMLESS: readonly FaultName[] = [
  ...(["empty-audio", "final-false", "final-absent", "alignment-null", "alignment-odd-spelling"] as const),
  ...(["odd-pcm", "huge-message", "non-json", "late-audio-after-close", "unknown-messages"] as const),
  ...(["alignment-long", "alignment-short", "alignment-merged", "alignment-gaps"] as const),
  ...(["slow-close", "text-after-eos-error", "eos-flush-ambiguous", "flush-close-race"] as const),
];

/** Of lists of voices, and what needs bounds on alignment and audio that have tests of their own. */
const ELSEWHERE: readonly FaultName[] = [
  ...(["voices-many", "voices-bomb", "alignment-huge", "alignment-twice", "endless-audio"] as const),
  ...(["wrong-codec", "wrong-rate", "binary-audio", "byte-order-mark", "empty-error"] as const),
];

/** A system, and a look into its cache. */
interface Stand {
  readonly system: System;
  readonly cache: RedisAudioCache;
  close(): Promise<void>;
}

async function open({ seams, worker }: Pick<SystemOptions, "seams" | "worker"> = {}): Promise<Stand> {
  const system = await startSystem({
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
      ...worker,
    },
    simulator: { timeScale: 0.1 },
    ...(seams === undefined ? {} : { seams }),
  });
  const redis = openRedis({ url: inject("redisUrl"), purpose: "commands", logger: silentLogger });
  await redis.ping();
  const cache = openRedisAudioCache({
    redis,
    keys: new Keys(system.keyPrefix),
    eviction: "self",
    logger: silentLogger,
    limits: { maxBytes: 1e8, maxEntryBytes: 1e7, ttlMs: 60_000 },
    observer: silentCacheObserver,
  });
  const close = async () => {
    await cache.close();
    await closeRedis(redis);
    await system.close();
  };
  return { system, cache, close };
}

let stand: Stand;
let rendered: Buffer;
beforeAll(async () => {
  stand = await open();
  rendered = (await renderSpeech({ text: TEXT, voice: VOICE })).pcm;
});
afterAll(() => stand.close());

async function ask({ system }: Stand, voice: string): Promise<{ cache: string | null; pcm: Buffer }> {
  const response = await fetch(`${system.url}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm" },
    body: JSON.stringify({ text: TEXT, voice }),
  });
  const pcm = Buffer.from(await response.arrayBuffer().catch(() => new ArrayBuffer(0)));
  return { cache: response.headers.get("x-cache"), pcm };
}

/** What is kept of it once the edge has nothing under way any more. */
async function keptAfter(on: Stand, voice: string): Promise<Buffer | undefined> {
  await ask(on, voice);
  const { system, cache } = on;
  await expect.poll(() => system.edges[0]?.counts().backgroundWork, { timeout: 5_000 }).toBe(0);
  const speech = { voice, model: "eleven_flash_v2_5", autoMode: false, sampleRateHz: 24_000 };
  const provider = toProviderIdentity(system.simulator.url);
  return (await readAll(await cache.lookup(toCacheKey({ provider, text: TEXT, speech }))))?.pcm;
}

describe("of speech that the provider has broken nothing is kept", () => {
  const others = [...HARMLESS, ...ELSEWHERE];
  const harmful = (Object.keys(FAULTS) as FaultName[]).filter((name) => !others.includes(name));
  test.each(harmful)("%s", { timeout: 20_000 }, async (fault) => {
    expect((await keptAfter(stand, `${VOICE}_fault_${fault}`))?.byteLength).toBeUndefined();
  });
});

describe("speech that was only delivered oddly is kept as it should sound", () => {
  test.each([...HARMLESS])("%s", { timeout: 20_000 }, async (fault) => {
    const kept = await keptAfter(stand, `${VOICE}_fault_${fault}`);
    expect(kept?.equals(rendered)).toBe(true);
  });
});

describe("were whatever came kept, a listener would get truncated speech out of the cache", () => {
  let careless: Stand;
  beforeAll(async () => {
    careless = await open({ seams: { keeps: toWhateverCame }, worker: { continuationsMax: 0 } });
  });
  afterAll(() => careless.close());

  test.each(["drop-after-audio", "error-mid-stream"] as const)("%s: the same look sees it", async (fault) => {
    const voice = `${VOICE}_fault_${fault}`;
    const kept = await keptAfter(careless, voice);
    expect(kept?.byteLength).toBeLessThan(rendered.byteLength);
    const { cache, pcm } = await ask(careless, voice);
    expect(cache).toBe("hit");
    expect(pcm.byteLength).toBeGreaterThan(0);
    expect(pcm.equals(rendered.subarray(0, pcm.byteLength))).toBe(true);
  });
});

/** Every sample that came, in the order it came. */
const toWhateverCame: Keeps = ({ entries }, { voice, sampleRateHz }) => {
  const pcm = Buffer.concat(entries.map(({ body }) => body));
  return { voice, sampleRateHz, characters: TEXT.length, pcm, captions: [] };
};
