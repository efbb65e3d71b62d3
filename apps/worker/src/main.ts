import { dirname } from "node:path";
import { settleable } from "@tts-labs/core/async/settleable";
import { openBreaker } from "@tts-labs/core/breaker/breaker";
import { toProviderIdentity } from "@tts-labs/core/cache/cache-key";
import { newNodeId } from "@tts-labs/core/ids";
import type { Logger } from "@tts-labs/core/logger";
import { readBuildInfo } from "@tts-labs/core/process/build-info";
import { collectWhenIdle } from "@tts-labs/core/process/idle-collector";
import { Lifecycle, shutDownOnSignal } from "@tts-labs/core/process/lifecycle";
import { tellParent } from "@tts-labs/core/process/program";
import { runProgram } from "@tts-labs/core/process/run-program";
import { openUtteranceConsumer } from "@tts-labs/core/queue/utterance-consumer";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { settleWithin } from "@tts-labs/core/redis/settle-within";
import { RedisClock } from "@tts-labs/core/redis/shared-clock";
import { awaitRedis } from "@tts-labs/core/redis/start-check";
import { StorageCheck } from "@tts-labs/core/redis/storage-check";
import { openLiveRegistry } from "@tts-labs/core/session/redis-live-registry";
import { openVoiceList } from "@tts-labs/core/session/redis-voice-list";
import { openRedisStreams } from "@tts-labs/core/stream/redis-stream";
import { toSpeechOptions } from "@tts-labs/protocol/speech-options";
import { type WorkerConfig, workerEnvironment } from "./config.ts";
import { DefaultVoice } from "./default-voice.ts";
import { toProviderKeys } from "./elevenlabs/account/provider-keys.ts";
import { toFallbackProvider } from "./fallback-config.ts";
import { openMetrics } from "./metrics.ts";
import { type NotReady, openOpsServer } from "./ops-server.ts";
import type { Fallback } from "./protection/choices.ts";
import {
  circuitNames,
  openProvider,
  type Provider,
  type ProviderParts,
  type ProviderSettings,
} from "./provider.ts";
import { utteranceRunner } from "./run/utterance-run.ts";
import { publishVoices } from "./voices.ts";
import { followWantedRoutes } from "./wanted-routes.ts";

/** With the program's package.json. */
const FOLDER = dirname(import.meta.dirname);
/** A `prewarm` precedes its text by seconds, and a socket takes a fifth of one. */
const WANTED_ROUTES_EVERY_MS = 500;
/** Longest wait for the account's voices before jobs are taken. */
const FIRST_VOICES_LIMIT_MS = 2_000;
/** How often the provider is asked for its voices. */
const VOICES_EVERY_MS = 300_000;
/** How often a worker looks whether another has taken over its utterance. */
const LEASE_CHECK_MS = 1_000;
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
 * @throws GatewayError `config.invalid`, or `storage.*` when Redis can't be reached for 5 s
 */
export async function startWorker(config: WorkerConfig, logger: Logger): Promise<RunningWorker> {
  const nodeId = newNodeId("worker");
  const keys = new Keys(config.keyPrefix);
  const build = readBuildInfo("worker", FOLDER, config.commit);
  const metrics = openMetrics(build);
  const lifecycle = new Lifecycle(logger);
  let phase: NotReady | undefined = "starting";
  let hurry: AbortSignal | undefined;
  try {
    const { redisUrl: url, redisDeadAfterMs: deadAfterMs } = config;
    await awaitRedis(url);
    const connect = (purpose: "commands" | "queue" | "subscriber") =>
      lifecycle.add(`redis ${purpose}`, openRedis({ url, purpose, logger, deadAfterMs }), closeRedis);
    const redis = connect("commands");
    const subscriber = connect("subscriber");
    const queueRedis = connect("queue");
    const storage = new StorageCheck({ commands: redis, queue: queueRedis, subscriber }, keys);
    const ops = await openOpsServer({
      host: config.opsHost,
      port: config.opsPort,
      allowedHosts: config.allowedHosts,
      whyNotReady: async () => phase ?? (await storage.trouble()),
      build,
      metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
    });
    lifecycle.add("ops server", ops, (it) => it.close());
    const clock = lifecycle.add("clock", await RedisClock.open(redis, keys), (it) => it.close());
    const streams = await openRedisStreams({
      redis,
      subscriber,
      keys,
      nodeId,
      logger,
      observer: metrics.streams,
    });
    lifecycle.add("streams", streams, (it) => it.close());
    const { first, second } = toProviders(config);
    const circuits = new Map([first, ...(second === undefined ? [] : [second])].flatMap(circuitNames));
    const breaker = await openBreaker({
      redis,
      subscriber,
      keys,
      logger,
      names: [...circuits.keys()],
      settings: { faults: config.breakerFaults, openMs: config.breakerOpenMs },
      observer: metrics.breaker(circuits),
    });
    lifecycle.add("breaker", breaker, (it) => it.close());
    const parts = {
      breaker,
      nodeId,
      redis,
      subscriber,
      redisKeys: keys,
      lifecycle,
      logger,
      settings: toProviderSettings(config),
      observers: metrics,
    };
    const provider = await openProvider({ ...parts, ...first });
    const fallbacks = await openFallbacks(config, provider, second && { ...parts, ...second });
    const { model, sampleRateHz, language } = config;
    const defaultVoice = new DefaultVoice({
      configured: config.voice,
      chosen: (voice) => {
        const defaults = { voice, model, sampleRateHz, ...(language === undefined ? {} : { language }) };
        provider.sockets.prewarm(toSpeechOptions({}, defaults));
      },
      logger,
    });
    const firstRound = settleable<void>();
    const stopVoices = publishVoices({
      list: () => provider.sockets.listVoices(),
      store: openVoiceList({ redis, keys }),
      everyMs: VOICES_EVERY_MS,
      told: (voices) => {
        defaultVoice.told(voices);
        firstRound.resolve();
      },
      logger,
    });
    lifecycle.add("voices", stopVoices, (stop) => stop());
    const stopRoutes = followWantedRoutes({
      redis,
      keys,
      logger,
      clock,
      everyMs: WANTED_ROUTES_EVERY_MS,
      workersPerWish: config.prewarmWorkers,
      warm: (speech, signal) => provider.sockets.whenWarm(defaultVoice.named(speech), signal),
    });
    lifecycle.add("wanted routes", stopRoutes, (stop) => stop());
    // An edge that knew no voice leaves the choice to the worker, so jobs are taken only once the voices are known.
    if (config.voice === undefined)
      await settleWithin(firstRound.promise, FIRST_VOICES_LIMIT_MS).catch(() => {});
    const consumer = openUtteranceConsumer({
      redis: queueRedis,
      keys,
      concurrency: config.concurrency,
      logger,
      clock,
      run: utteranceRunner(
        {
          nodeId,
          streams,
          logger,
          provider: toProviderIdentity(config.elevenLabsUrl),
          synthesizer: provider.synthesizer,
          slots: provider.slots,
          fallbacks,
          live: openLiveRegistry({ redis, keys, clock }),
          limits: { ...config, leaseCheckMs: LEASE_CHECK_MS },
          observer: metrics.run,
        },
        defaultVoice.named,
      ),
    });
    const drainLimitMs = config.drainMs + WIND_UP_MS;
    lifecycle.add("utterances", consumer, (it) => it.drain(config.drainMs, hurry), drainLimitMs);
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

/** @throws GatewayError `config.invalid` where keys or addresses can't be used */
function toProviders(config: WorkerConfig) {
  const { elevenLabsUrl: url, providerSlots: slots } = config;
  const first = { name: "elevenlabs" as const, url, keys: toProviderKeys({ ...config, slots }) };
  const fallback = toFallbackProvider(config, first.keys);
  return { first, second: fallback && { name: "fallback" as const, url: fallback.url, keys: fallback.keys } };
}

/** In the order in which they are tried: another voice of the same provider, then the second provider. */
async function openFallbacks(
  config: WorkerConfig,
  { synthesizer, slots }: Provider,
  second: ProviderParts | undefined,
): Promise<readonly Fallback[]> {
  const { fallbackVoice: voice, fallbackModel: model } = config;
  const here = voice === undefined && model === undefined ? [] : [{ voice, model, synthesizer, slots }];
  if (second === undefined) return here;
  const other = await openProvider(second);
  const there = { synthesizer: other.synthesizer, slots: other.slots, provider: config.fallbackProvider };
  return [...here, { ...there, voice, model }];
}

function toProviderSettings(config: WorkerConfig): ProviderSettings {
  return {
    model: config.model,
    accountMs: config.connectTimeoutMs + config.firstAudioTimeoutMs,
    slotWaitMs: config.slotWaitMs,
    deadlines: {
      connectMs: config.connectTimeoutMs,
      firstAudioMs: config.firstAudioTimeoutMs,
      // The first socket has all the time when no other will be tried.
      silenceMs: config.retriesMax === 0 ? config.firstAudioTimeoutMs : config.silenceMs,
      gapMs: config.gapTimeoutMs,
      finalMs: config.finalTimeoutMs,
      finalGraceMs: config.finalGraceMs,
      forcedCloseMs: config.forcedCloseMs,
      pingEveryMs: config.pingEveryMs,
      pongMs: config.pongTimeoutMs,
    },
    pool: {
      warmPerRoute: config.poolWarm,
      ...(config.poolMaxIdleMs === 0 ? {} : { maxIdleMs: config.poolMaxIdleMs }),
      keepRouteMs: config.poolKeepRouteMs,
      maxRoutes: config.poolMaxRoutes,
      maxSockets: config.poolMaxSockets,
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  // A promise that was not awaited is a mistake, but not one worth every utterance of this process.
  const survive = (logger: Logger) =>
    process.on("unhandledRejection", (err) => logger.error({ err }, "unhandled rejection"));
  const program = {
    name: "worker",
    about: "The worker of tts-labs: has the provider speak what edges ask for.",
    folder: FOLDER,
    variables: workerEnvironment,
    check: (config: WorkerConfig) => {
      toProviders(config);
    },
  };
  await runProgram(program, { argv: process.argv.slice(2), env: process.env }, async (config, logger) => {
    survive(logger);
    const worker = await startWorker(config, logger);
    shutDownOnSignal(async (signal, hurry) => {
      logger.info({ signal }, "worker is draining");
      await worker.close(hurry);
    });
    tellParent({ kind: "listening", url: worker.opsUrl });
    collectWhenIdle();
  });
}
