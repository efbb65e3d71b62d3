import { newNodeId } from "@tts-labs/core/ids";
import { type Logger, silentLogger } from "@tts-labs/core/logger";
import { openUtteranceConsumer } from "@tts-labs/core/queue/utterance-consumer";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { openRedisStreams } from "@tts-labs/core/stream/redis-stream";
import { defaultEdgeConfig, type EdgeConfig } from "@tts-labs/edge/config";
import type { Edge } from "@tts-labs/edge/edge";
import { startEdge } from "@tts-labs/edge/main";
import { FakeWorker, type FakeWorkerOptions } from "./fake-worker.ts";
import { WITHOUT_ADMISSION } from "./system.ts";

/** A real edge over a real Redis, and a fake worker behind it. */
export interface EdgeAlone {
  readonly edge: Edge;
  readonly worker: FakeWorker;
  /** For looking at keys. */
  readonly redis: RedisConnection;
  readonly keys: Keys;
  close(): Promise<void>;
}

export interface EdgeAloneOptions {
  readonly redisUrl: string;
  readonly edge?: Partial<EdgeConfig>;
  readonly worker?: Omit<FakeWorkerOptions, "streams">;
  /** How long the worker bears a Redis that does not answer; default: as in production. */
  readonly workerPatience?: { readonly commandTimeoutMs: number; readonly storageRetryMs: number };
  /** False: no worker takes jobs. */
  readonly hasWorker?: boolean;
  /** Utterances the worker speaks at once. */
  readonly concurrency?: number;
  readonly logger?: Logger;
  /** Protections of the edge that a negative twin does without. */
  readonly seams?: Parameters<typeof startEdge>[2];
}

export async function startEdgeAlone(options: EdgeAloneOptions): Promise<EdgeAlone> {
  const { redisUrl, logger = silentLogger, workerPatience } = options;
  const keyPrefix = `edge-${newNodeId("edge").slice(5, 13).replace(/-/g, "x")}`;
  const keys = new Keys(keyPrefix);
  const nodeId = newNodeId("worker");
  const open = (purpose: "commands" | "queue" | "subscriber") =>
    openRedis({ url: redisUrl, purpose, logger: silentLogger, ...workerPatience });
  const redis = open("commands");
  const connections = [redis, open("subscriber"), open("queue")] as const;
  const [, subscriber, queue] = connections;
  const streams = await openRedisStreams({
    redis,
    subscriber,
    keys,
    nodeId,
    logger: silentLogger,
    ...(workerPatience === undefined ? {} : { settings: workerPatience }),
  });
  const worker = new FakeWorker({ ...options.worker, streams });
  const consumer =
    options.hasWorker === false
      ? undefined
      : openUtteranceConsumer({
          redis: queue,
          keys,
          concurrency: options.concurrency ?? 500,
          run: worker.run,
          logger: silentLogger,
        });
  await consumer?.ready;
  const config = defaultEdgeConfig({
    ...WITHOUT_ADMISSION,
    port: 0,
    redisUrl,
    keyPrefix,
    voice: "simEnglishGrace0000A",
    ...options.edge,
  });
  const edge = await startEdge(config, logger, options.seams);
  return {
    edge,
    worker,
    redis,
    keys,
    close: async () => {
      await edge.close();
      await consumer?.close();
      await streams.close();
      await Promise.all(connections.map(closeRedis));
    },
  };
}
