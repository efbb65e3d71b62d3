import { randomBytes } from "node:crypto";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, isCluster, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import type { StreamObserver } from "@tts-labs/core/stream/observer";
import { openRedisStreams, type RedisStreamOptions } from "@tts-labs/core/stream/redis-stream";
import type { StreamSettings } from "@tts-labs/core/stream/settings";
import type { StreamRef, StreamStore } from "@tts-labs/core/stream/stream";

/** Two stores over the same streams, as two processes have them; in memory there is but one. */
export interface Stores {
  readonly writing: StreamStore;
  readonly reading: StreamStore;
  /** Keys of these stores that would stay for ever. */
  keysWithoutTtl(): Promise<readonly string[]>;
  /** All keys of one stream. */
  keysOf(stream: StreamRef): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface StoreOptions {
  readonly settings?: Partial<StreamSettings>;
  readonly observer?: StreamObserver;
  readonly resendAs?: NonNullable<RedisStreamOptions["resendAs"]>;
  readonly mends?: boolean;
  /** The Redis of the writing process, if it is not that of the reading one. */
  readonly writerUrl?: string;
}

export type OpenStores = (options?: StoreOptions) => Promise<Stores>;

/** Nobody looks again by itself within a test: what wakes, was rung. */
const TEST_SETTINGS: StreamSettings = {
  storageRetryMs: 5_000,
  rereadMs: 60_000,
  heartbeatMs: 200,
  readerStaleMs: 1_000,
  readerGoneMs: 300,
  ownerGoneMs: 150,
};

export const openMemoryStores: OpenStores = async (options = {}) => {
  const store = openMemoryStreams({
    settings: { ...TEST_SETTINGS, ...options.settings },
    ...(options.observer === undefined ? {} : { observer: options.observer }),
  });
  const noKeys = async () => [];
  return {
    writing: store,
    reading: store,
    keysWithoutTtl: noKeys,
    keysOf: noKeys,
    close: () => store.close(),
  };
};

/** Stores over the Redis or cluster at `url`, under a key prefix of their own. */
export function redisStores(url: string): OpenStores {
  return async (options = {}) => {
    const prefix = `test-${randomBytes(6).toString("hex")}`;
    const keys = new Keys(prefix);
    const logger = silentLogger;
    const { writerUrl, settings, ...rest } = options;
    const open = async (nodeId: string, at: string) => {
      const redis = openRedis({ url: at, purpose: "commands", logger, commandTimeoutMs: 800 });
      const subscriber = openRedis({ url: at, purpose: "subscriber", logger });
      const store = await openRedisStreams({
        redis,
        subscriber,
        keys,
        nodeId,
        logger,
        ...rest,
        settings: { ...TEST_SETTINGS, ...settings },
      });
      const close = async () => {
        await store.close();
        await Promise.all([closeRedis(redis), closeRedis(subscriber)]);
      };
      return { store, redis, close };
    };
    const [writing, reading] = await Promise.all([open("writer", writerUrl ?? url), open("reader", url)]);
    const find = async (match: string, isMeant: (pttlMs: number) => boolean) => {
      const { redis } = reading;
      const found: string[] = [];
      for (const node of isCluster(redis) ? redis.nodes("master") : [redis]) {
        for await (const names of node.scanStream({ match, count: 500 })) {
          for (const name of names as string[]) if (isMeant(await node.pttl(name))) found.push(name);
        }
      }
      return found;
    };
    return {
      writing: writing.store,
      reading: reading.store,
      keysWithoutTtl: () => find(`${prefix}:*`, (pttlMs) => pttlMs === -1),
      keysOf: (stream) => find(keys.stream(stream, "*"), () => true),
      close: async () => {
        await Promise.all([writing.close(), reading.close()]);
      },
    };
  };
}
