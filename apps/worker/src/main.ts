import { openBreaker } from "@tts-labs/core/breaker/breaker";
import { toProviderIdentity } from "@tts-labs/core/cache/cache-key";
import { SlotGovernor } from "@tts-labs/core/governor/governor";
import { newNodeId } from "@tts-labs/core/ids";
import type { Logger } from "@tts-labs/core/logger";
import { Lifecycle, shutDownOnSignal } from "@tts-labs/core/process/lifecycle";
import { openLogger } from "@tts-labs/core/process/logger";
import { toSpeechOptions } from "@tts-labs/core/protocol/speech-options";
import { openUtteranceConsumer } from "@tts-labs/core/queue/utterance-consumer";
import { openBell } from "@tts-labs/core/redis/bell";
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
import { type ProviderKey, toProviderKeys } from "./elevenlabs/provider-keys.ts";
import { guardSynthesizer } from "./guarded-synthesizer.ts";
import { utteranceRunner } from "./job-consumer.ts";
import { openMetrics, type WorkerMetrics } from "./metrics.ts";
import { type NotReady, openOpsServer } from "./ops-server.ts";
import { ProviderHealth } from "./provider-health.ts";
import { type LeaseSource, localLeases, ProviderSlots } from "./provider-slots.ts";
import { publishVoices } from "./voices.ts";
import { followWantedRoutes } from "./wanted-routes.ts";

/** Longest wait for Redis in answering a probe. */
const PROBE_LIMIT_MS = 1_000;
/** A `prewarm` precedes its text by seconds, and a socket takes a fifth of one. */
const WANTED_ROUTES_EVERY_MS = 500;
/** A key that was refused, or whose quota is used up, is not tried for so long where there is another. */
const REFUSED_KEY_REST_MS = 60_000;
/** What is left for aborted runs to tell how they ended. */
const WIND_UP_MS = 6_000;

export interface RunningWorker {
  readonly nodeId: string;
  /** Of `/healthz`, `/readyz` and `/metrics`. */
  readonly opsUrl: string;
  readonly opsPort: number;
  /**
   * Not ready, no new jobs; what runs may finish within `drainMs`, or until `hurry` is aborted, and is handed over
   * then; then sockets, queue, Redis. May be called twice.
   */
  close(hurry?: AbortSignal): Promise<void>;
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
  let hurry: AbortSignal | undefined;
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
    const subscriber = connect("subscriber");
    const streams = await openRedisStreams({
      ...{ redis, subscriber, keys, nodeId, logger },
      observer: metrics.streams,
    });
    lifecycle.add("streams", streams, (it) => it.close());
    const queueRedis = connect("queue");
    const providerKeys = toProviderKeys({ ...config, slots: config.providerSlots });
    const circuitOf = (keyId: string) => `${URL.parse(config.elevenLabsUrl)?.host} ${keyId}`;
    const breaker = await openBreaker({
      ...{ redis, subscriber, keys, logger },
      names: providerKeys.map(({ keyId }) => circuitOf(keyId)),
      settings: { faults: config.breakerFaults, openMs: config.breakerOpenMs },
      observer: metrics.breaker,
    });
    lifecycle.add("breaker", breaker, (it) => it.close());
    const health = new ProviderHealth(
      new Map(providerKeys.map(({ keyId }) => [keyId, breaker.circuit(circuitOf(keyId))])),
      REFUSED_KEY_REST_MS,
    );
    const openLeases = async (): Promise<LeaseSource> => {
      const mayServe = (keyId: string) => health.mayServe(keyId);
      const keyIds = providerKeys.map(({ keyId }) => keyId);
      if (providerKeys.every(({ slots }) => slots === 0)) return localLeases(keyIds, mayServe);
      const bell = await openBell({ redis, subscriber, keys, nodeId: `${nodeId}.slots`, logger });
      lifecycle.add("slots bell", bell, (it) => it.close());
      const governor = new SlotGovernor({
        ...{ redis, bell, keys, provider: "elevenlabs", logger, mayServe },
        keySlots: providerKeys,
        settings: { waitMs: config.slotWaitMs },
        observer: metrics.governor,
      });
      return lifecycle.add("slots", governor, (it) => it.close());
    };
    const source = await openLeases();
    const synthesizer = openSynthesizer(config, { keys: providerKeys, health, metrics, logger });
    lifecycle.add("provider sockets", synthesizer, (it) => it.close());
    const slots = new ProviderSlots({
      ...{ source, health, expect: (speech, count) => synthesizer.expect(speech, count) },
      mostExpected: providerKeys.reduce((sum, key) => sum + key.slots, 0),
    });
    lifecycle.add("provider slots", slots, (it) => it.close());
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
      workersPerWish: config.prewarmWorkers,
      prewarm: (speech) => synthesizer.prewarm(speech),
    });
    lifecycle.add("wanted routes", stopRoutes, (stop) => stop());
    const consumer = openUtteranceConsumer({
      ...{ redis: queueRedis, keys, concurrency: config.concurrency, logger },
      run: utteranceRunner({
        ...{ nodeId, streams, slots, logger, provider: toProviderIdentity(config.elevenLabsUrl) },
        synthesizer: guardSynthesizer(synthesizer, health),
        live: openLiveRegistry({ redis, keys }),
        limits: config,
        observer: metrics.run,
      }),
    });
    const drainLimitMs = config.drainMs + WIND_UP_MS;
    lifecycle.add("utterances", consumer, (it) => it.drain(config.drainMs, hurry), drainLimitMs);
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
      close: (hurriedBy) => {
        phase = "draining";
        hurry ??= hurriedBy;
        return lifecycle.close();
      },
    };
  } catch (error) {
    await lifecycle.close();
    throw error;
  }
}

interface SynthesizerParts {
  readonly keys: readonly ProviderKey[];
  readonly health: ProviderHealth;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
}

function openSynthesizer(
  config: WorkerConfig,
  { keys, health, metrics, logger }: SynthesizerParts,
): ElevenLabsSynthesizer {
  const [first, ...further] = keys.map(({ secret }) => secret);
  return openElevenLabsSynthesizer({
    url: config.elevenLabsUrl,
    apiKey: first,
    furtherKeys: further.filter((secret) => secret !== undefined),
    mayWarm: (keyId) => health.mayWarm(keyId),
    deadlines: {
      connectMs: config.connectTimeoutMs,
      firstAudioMs: config.firstAudioTimeoutMs,
      silenceMs: config.silenceMs,
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
    shutDownOnSignal(async (signal, hurry) => {
      logger.info({ signal }, "worker is draining");
      await worker.close(hurry);
    });
  } catch (err) {
    logger.error({ err }, "worker can't start");
    process.exit(1);
  }
}
