import { readFile } from "node:fs/promises";
import type { CacheDesk, CacheStats } from "@tts-labs/core/cache/audio-cache";
import { silentCacheObserver } from "@tts-labs/core/cache/audio-cache";
import { openRedisAudioCache } from "@tts-labs/core/cache/redis-audio-cache";
import { silentLogger } from "@tts-labs/core/logger";
import { cacheEnvironment } from "@tts-labs/core/process/cache-environment";
import { parseEnvironment } from "@tts-labs/core/process/environment";
import { sharedEnvironment } from "@tts-labs/core/process/shared-environment";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { toGatewayError } from "@tts-labs/protocol/errors";
import type { CacheContext, DeskOptions } from "./options.ts";
import { STARTED_REDIS_FILE } from "./started-redis.ts";

export function stats(options: DeskOptions, context: CacheContext): Promise<number> {
  return atDesk(context, async (desk, maxBytes) => {
    const found = await desk.stats();
    if (options.json === true) print(JSON.stringify({ ...found, max_bytes: maxBytes }));
    else print(statsTable(found, maxBytes));
  });
}

export function purge({ voice, json }: DeskOptions, context: CacheContext): Promise<number> {
  return atDesk(context, async (desk) => {
    const purged = await desk.purge(voice === undefined ? undefined : { voice });
    if (json === true) print(JSON.stringify({ purged }));
    else print(`${purged} ${purged === 1 ? "utterance" : "utterances"} thrown away.`);
  });
}

export function statsTable({ entries, bytes, voices }: CacheStats, maxBytes: number | null): string {
  const bound = maxBytes === null ? "" : ` of ${megabytes(maxBytes)} (${percent(bytes / maxBytes)})`;
  const width = Math.max(0, ...voices.map(({ voice }) => voice.length));
  return [
    `${entries} ${entries === 1 ? "utterance" : "utterances"}, ${megabytes(bytes)}${bound}`,
    ...voices.map(
      (it) =>
        `  ${it.voice.padEnd(width)}  ${String(it.entries).padStart(7)}  ${megabytes(it.bytes).padStart(10)}`,
    ),
  ].join("\n");
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
const print = (line: string) => process.stdout.write(`${line}\n`);

async function atDesk(
  { env }: CacheContext,
  work: (desk: CacheDesk, maxBytes: number | null) => Promise<void>,
): Promise<number> {
  try {
    const found = env["REDIS_URL"] || env["CACHE_REDIS_URL"] ? {} : { REDIS_URL: await startedRedis() };
    const config = parseEnvironment({ ...sharedEnvironment, ...cacheEnvironment }, { ...env, ...found });
    const url = config.cacheRedisUrl ?? config.redisUrl;
    const redis = openRedis({ url, purpose: "commands", logger: silentLogger });
    try {
      const { cacheMaxBytes: maxBytes, cacheMaxEntryBytes: maxEntryBytes, cacheTtlMs: ttlMs } = config;
      const desk = openRedisAudioCache({
        redis,
        keys: new Keys(config.keyPrefix),
        eviction: config.cacheEviction,
        limits: { maxBytes, maxEntryBytes, ttlMs },
        observer: silentCacheObserver,
        logger: silentLogger,
      });
      await work(desk, config.cacheEviction === "self" ? maxBytes : null);
    } finally {
      await closeRedis(redis);
    }
    return 0;
  } catch (thrown) {
    const error = toGatewayError(thrown);
    const hint = error.family === "storage" ? " Is Redis there? Name it with REDIS_URL." : "";
    process.stderr.write(`${error.message}${hint}\n`);
    return 1;
  }
}

const startedRedis = async (): Promise<string | undefined> =>
  (await readFile(STARTED_REDIS_FILE, "utf8").catch(() => "")).trim() || undefined;
