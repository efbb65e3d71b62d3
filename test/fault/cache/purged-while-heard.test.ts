import { silentCacheObserver } from "@tts-labs/core/cache/audio-cache";
import { toCacheKey } from "@tts-labs/core/cache/cache-key";
import { openRedisAudioCache } from "@tts-labs/core/cache/redis-audio-cache";
import { silentLogger } from "@tts-labs/core/logger";
import { expect, inject, onTestFinished, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { metric } from "../../../testkit/ground/metrics.ts";
import { speech } from "../../contract/cache/speech.ts";

const TEXT = "A long story that everybody knows.";
const VOICE = "simEnglishGrace0000A";
/** More than the kernel's socket buffers and the edge's frames hold together. */
const STORED = speech(TEXT, 30 * 1024 * 1024, VOICE);

/** By then the edge has read all of it ahead, on a busy machine as well. */
const NOTICE_MS = 3_000;

/** Hears cached speech slowly, and it is purged meanwhile. */
async function hearPurged(edge: object) {
  const alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    hasWorker: false,
    edge: { cache: true, cacheMaxEntryBytes: 64 * 1024 * 1024, slowClientNoticeMs: NOTICE_MS, ...edge },
  });
  onTestFinished(() => alone.close());
  const { redis, keys } = alone;
  const cache = openRedisAudioCache({
    redis,
    keys,
    eviction: "self",
    logger: silentLogger,
    observer: silentCacheObserver,
    limits: { maxBytes: 1e8, maxEntryBytes: 1e8, ttlMs: 60_000 },
  });
  onTestFinished(() => cache.close());
  const options = { voice: VOICE, model: "eleven_flash_v2_5", autoMode: false, sampleRateHz: 24_000 };
  const key = toCacheKey({ provider: "api.elevenlabs.io", text: TEXT, speech: options });
  expect(await cache.store(key, STORED)).toBe("stored");
  const size = await cache.size();
  expect(await metric(alone.edge.opsUrl, "tts_cache_bytes")).toBe(size?.bytes);
  expect(await metric(alone.edge.opsUrl, "tts_cache_entries")).toBe(1);

  const client = await NativeClient.connect(alone.edge.url, {}, { limitMs: 20_000 });
  onTestFinished(() => client.terminate());
  client.pause();
  client.send({ type: "text", text: TEXT });
  client.send({ type: "stream_end" });
  const told = () => metric(alone.edge.opsUrl, "tts_edge_slow_clients_told_total");
  await expect.poll(told, { timeout: 8_000 }).toBe(1);
  expect(await cache.purge()).toBe(1);
  client.resume();
  const heard = await client.utterance(1);
  return { heard, cutShort: await metric(alone.edge.opsUrl, "tts_cache_reads_cut_short_total") };
}

test("speech that is purged from the cache while it is heard is heard to its end", async () => {
  const { heard, cutShort } = await hearPurged({});
  expect(heard.end).toMatchObject({ type: "stream_complete", cache: "hit" });
  expect(heard.pcm.equals(STORED.pcm)).toBe(true);
  expect(cutShort).toBe(0);
});

test("without memory to read it ahead it is cut short: the listener is told, and the count sees it", async () => {
  const { heard, cutShort } = await hearPurged({ cacheMemoryBytes: 1024 * 1024 });
  expect(heard.end).toMatchObject({ type: "error", code: "stream.lost", retryable: true });
  expect(heard.pcm.equals(STORED.pcm.subarray(0, heard.pcm.byteLength))).toBe(true);
  expect(cutShort).toBe(1);
});
