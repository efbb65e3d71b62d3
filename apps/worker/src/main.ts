import { newNodeId } from "@tts-labs/core/ids";
import type { Logger } from "@tts-labs/core/logger";
import { Lifecycle, shutDownOnSignal } from "@tts-labs/core/process/lifecycle";
import { openLogger } from "@tts-labs/core/process/logger";
import { toSpeechOptions } from "@tts-labs/core/protocol/speech-options";
import { openUtteranceConsumer } from "@tts-labs/core/queue/utterance-consumer";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { settleWithin } from "@tts-labs/core/redis/settle-within";
import { openLiveRegistry } from "@tts-labs/core/session/redis-live-registry";
import { openVoiceList } from "@tts-labs/core/session/redis-voice-list";
import { openRedisStreams } from "@tts-labs/core/stream/redis-stream";
import { parseWorkerConfig, type WorkerConfig } from "./config.ts";
import {
  type ElevenLabsSynthesizer,
  openElevenLabsSynthesizer,
} from "./elevenlabs/elevenlabs-synthesizer.ts";
import { utteranceRunner } from "./job-consumer.ts";
import { openMetrics, type WorkerMetrics } from "./metrics.ts";
import { type NotReady, openOpsServer } from "./ops-server.ts";
import { unlimitedSlots } from "./slots.ts";
import { publishVoices } from "./voices.ts";
import { followWantedRoutes } from "./wanted-routes.ts";

/** Longest wait for Redis in answering a probe. */
const PROBE_LIMIT_MS = 1_000;
/** A `prewarm` precedes its text by seconds, and a socket takes a fifth of one. */
const WANTED_ROUTES_EVERY_MS = 500;
/** What is left for aborted runs to tell how they ended. */
const WIND_UP_MS = 6_000;

export interface RunningWorker {
  readonly nodeId: string;
  /** Of `/healthz`, `/readyz` and `/metrics`. */
  readonly opsUrl: string;
  readonly opsPort: number;
  /** Not ready, no new jobs; what runs may finish within `drainMs`; then sockets, queue, Redis. May be called twice. */
  close(): Promise<void>;
}

/**
 * Opened in the order in which things need each other, closed in reverse.
 * @throws GatewayError `config.invalid`, or `storage.*` when Redis can't be reached for 10 s
 */
export async function startWorker(config: WorkerConfig, logger: Logger): Promise<RunningWorker> {
  const nodeId = newNodeId("worker");
  const keys = new Keys(config.keyPrefix);
  const metrics = openMetrics();
  const lifecycle = new Lifecycle(logger);
  let phase: NotReady | undefined = "starting";
  try {
    const connect = (purpose: "commands" | "queue" | "subscriber"): RedisConnection =>
      lifecycle.add(`redis ${purpose}`, openRedis({ url: config.redisUrl, purpose, logger }), closeRedis);
    const redis = connect("commands");
    const ops = await openOpsServer({
      host: config.opsHost,
      port: config.opsPort,
      whyNotReady: async () => phase ?? ((await answers(redis)) ? undefined : "redis"),
      metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
    });
    lifecycle.add("ops server", ops, (it) => it.close());
    const streams = await openRedisStreams({
      ...{ redis, subscriber: connect("subscriber"), keys, nodeId, logger },
      observer: metrics.streams,
    });
    lifecycle.add("streams", streams, (it) => it.close());
    const queueRedis = connect("queue");
    const synthesizer = openSynthesizer(config, metrics, logger);
    lifecycle.add("provider sockets", synthesizer, (it) => it.close());
    const stopVoices = publishVoices({
      list: () => synthesizer.listVoices(),
      store: openVoiceList({ redis, keys }),
      everyMs: config.voicesEveryMs,
      logger,
    });
    lifecycle.add("voices", stopVoices, (stop) => stop());
    const stopRoutes = followWantedRoutes({
      ...{ redis, keys, logger },
      everyMs: WANTED_ROUTES_EVERY_MS,
      prewarm: (speech) => synthesizer.prewarm(speech),
    });
    lifecycle.add("wanted routes", stopRoutes, (stop) => stop());
    const consumer = openUtteranceConsumer({
      ...{ redis: queueRedis, keys, concurrency: config.concurrency, logger },
      run: utteranceRunner({
        ...{ nodeId, streams, synthesizer, slots: unlimitedSlots, logger },
        live: openLiveRegistry({ redis, keys }),
        limits: config,
        observer: metrics.run,
      }),
    });
    const drainLimitMs = config.drainMs + WIND_UP_MS;
    lifecycle.add("utterances", consumer, (it) => it.drain(config.drainMs), drainLimitMs);
    const { voice, model, sampleRateHz, language } = config;
    const defaults = { voice, model, sampleRateHz, ...(language === undefined ? {} : { language }) };
    synthesizer.prewarm(toSpeechOptions({}, defaults));
    await consumer.ready;
    phase = undefined;
    logger.info({ nodeId, opsUrl: ops.url, concurrency: config.concurrency }, "worker is ready");
    return {
      nodeId,
      opsUrl: ops.url,
      opsPort: ops.port,
      close: () => {
        phase = "draining";
        return lifecycle.close();
      },
    };
  } catch (error) {
    await lifecycle.close();
    throw error;
  }
}

function openSynthesizer(
  config: WorkerConfig,
  metrics: WorkerMetrics,
  logger: Logger,
): ElevenLabsSynthesizer {
  return openElevenLabsSynthesizer({
    url: config.elevenLabsUrl,
    apiKey: config.apiKey,
    deadlines: {
      connectMs: config.connectTimeoutMs,
      firstAudioMs: config.firstAudioTimeoutMs,
      gapMs: config.gapTimeoutMs,
      finalMs: config.finalTimeoutMs,
      finalGraceMs: config.finalGraceMs,
      forcedCloseMs: config.forcedCloseMs,
      pingEveryMs: config.pingEveryMs,
      pongMs: config.pongTimeoutMs,
      closeWaitMs: config.closeWaitMs,
    },
    pool: {
      warmPerRoute: config.poolWarm,
      maxIdleMs: config.poolMaxIdleMs,
      staggerMs: config.poolStaggerMs,
      keepRouteMs: config.poolKeepRouteMs,
      maxRoutes: config.poolMaxRoutes,
      maxSockets: config.poolMaxSockets,
    },
    logger,
    observer: metrics.provider,
  });
}

async function answers(redis: RedisConnection): Promise<boolean> {
  return settleWithin(redis.ping(), PROBE_LIMIT_MS).then(
    () => true,
    () => false,
  );
}

if (process.argv[1] === import.meta.filename) {
  const logger = openLogger({ name: "worker", level: process.env["LOG_LEVEL"] || "info" });
  // A promise that nobody awaited is a mistake, but not one worth every utterance of this process.
  process.on("unhandledRejection", (err) => logger.error({ err }, "unhandled rejection"));
  try {
    const worker = await startWorker(parseWorkerConfig(process.env), logger);
    shutDownOnSignal(async (signal) => {
      logger.info({ signal }, "worker is draining");
      await worker.close();
    });
  } catch (err) {
    logger.error({ err }, "worker can't start");
    process.exit(1);
  }
}
