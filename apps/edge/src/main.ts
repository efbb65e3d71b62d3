import { dirname } from "node:path";
import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import { openBroadcasts } from "@tts-labs/core/broadcast/redis-broadcasts";
import type { CacheObserver } from "@tts-labs/core/cache/audio-cache";
import { openRedisAudioCache } from "@tts-labs/core/cache/redis-audio-cache";
import { RedisFlights } from "@tts-labs/core/cache/redis-flights";
import { newNodeId } from "@tts-labs/core/ids";
import type { Logger } from "@tts-labs/core/logger";
import { readBuildInfo } from "@tts-labs/core/process/build-info";
import { giveHeapRoom } from "@tts-labs/core/process/heap";
import { collectWhenIdle } from "@tts-labs/core/process/idle-collector";
import { Lifecycle, shutDownOnSignal } from "@tts-labs/core/process/lifecycle";
import { tellParent } from "@tts-labs/core/process/program";
import { runProgram } from "@tts-labs/core/process/run-program";
import { openUtteranceQueue } from "@tts-labs/core/queue/bullmq";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { RedisClock } from "@tts-labs/core/redis/shared-clock";
import { awaitRedis } from "@tts-labs/core/redis/start-check";
import { StorageCheck } from "@tts-labs/core/redis/storage-check";
import { RedisIdempotencyStore } from "@tts-labs/core/session/idempotency-store";
import { openLiveRegistry } from "@tts-labs/core/session/redis-live-registry";
import { openSessionStore } from "@tts-labs/core/session/redis-session-store";
import { openVoiceList } from "@tts-labs/core/session/redis-voice-list";
import { openRedisStreams } from "@tts-labs/core/stream/redis-stream";
import type { StreamStore } from "@tts-labs/core/stream/stream";
import { openAccess, openAccessStore, openLimiter, sweepLedger } from "./access/open-access.ts";
import { Admission } from "./admission.ts";
import { BackgroundWork } from "./background-work.ts";
import { DEFAULT_LIMITS, EdgeBudget } from "./budget/edge-budget.ts";
import { boundConnections, readOpenFiles } from "./budget/open-files.ts";
import { type EdgeConfig, edgeEnvironment } from "./config.ts";
import { DefaultVoice, toSpeechDefaults } from "./default-voice.ts";
import { EncoderThreads } from "./delivery/encoders/encoder-threads.ts";
import { openListening } from "./dialects/listen/open-listening.ts";
import { Drain } from "./drain.ts";
import type { Edge, EdgeGround, EdgeSeams } from "./edge.ts";
import { listenForOps } from "./http/ops-port.ts";
import type { OpsServices } from "./http/ops-routes.ts";
import { openPageRoutes } from "./http/page-routes.ts";
import { openMetrics } from "./metrics.ts";
import { listen } from "./server.ts";
import { SessionRegistry } from "./session/registry.ts";
import { openSpeechCache } from "./shared-speech/open-speech-cache.ts";
import { RedisWantedRoutes } from "./wanted-routes.ts";

/** With the program's package.json. */
const FOLDER = dirname(import.meta.dirname);
/** Longest wait at closing for cancels and records under way. */
const SETTLE_LIMIT_MS = 5_000;
/** How long a record stays in the live view unless it is refreshed. */
const LIVE_TTL_MS = 30_000;
/** An edge refreshes its sessions three times a window: what its death finds least fresh still lasts for one. */
const HELD_WINDOWS = 4 / 3;
const NEVER = new AbortController().signal;

/**
 * @param seams for tests, which show what happens without a protection
 * @throws GatewayError `config.invalid`, `storage.*`
 */
export async function startEdge(config: EdgeConfig, logger: Logger, seams: EdgeSeams = {}): Promise<Edge> {
  const keys = new Keys(config.keyPrefix);
  const nodeId = newNodeId("edge");
  const lifecycle = new Lifecycle(logger);
  const { redisDeadAfterMs: deadAfterMs } = config;
  const open = (purpose: "commands" | "queue" | "subscriber", url = config.redisUrl) =>
    lifecycle.add(`redis ${purpose}`, openRedis({ url, purpose, logger, deadAfterMs }), closeRedis);
  try {
    await awaitRedis(config.redisUrl);
    const redis = open("commands");
    const subscriber = open("subscriber");
    const queueRedis = open("queue");
    const clock = lifecycle.add("clock", await RedisClock.open(redis, keys), (it) => it.close());
    const queue = openUtteranceQueue({ redis: queueRedis, keys, logger, clock });
    lifecycle.add("queue", queue, () => queue.close());
    const { noticesLoss = true } = seams;
    const streams = await openRedisStreams({ redis, subscriber, keys, nodeId, logger, noticesLoss });
    lifecycle.add("streams", streams, () => streams.close());
    const windowMs = Math.ceil((config.resumeWindowMs || LIVE_TTL_MS) * HELD_WINDOWS);
    const sessions = await openSessionStore({ redis, subscriber, keys, nodeId, logger, windowMs, clock });
    lifecycle.add("held sessions", sessions, () => sessions.close());
    // A connection of its own: a phrase on its way must not stand before a frame.
    const openCache = (observer: CacheObserver, memory: ByteBudget) =>
      openRedisAudioCache({
        redis: open("commands", config.cacheRedisUrl),
        keys,
        logger,
        observer,
        memory,
        eviction: config.cacheEviction,
        limits: toCacheLimits(config),
      });
    const storage = new StorageCheck({ commands: redis, queue: queueRedis, subscriber }, keys);
    const voices = openVoiceList({ redis, keys });
    const { overStreams = (own: StreamStore) => own, noticesLoss: _, ...ofGround } = seams;
    const edge = await openEdge(config, logger, nodeId, {
      queue,
      sessions,
      idempotency: new RedisIdempotencyStore(redis, keys),
      broadcasts: (observer) =>
        openBroadcasts({ redis, subscriber, keys, nodeId, logger, ttlMs: windowMs, observer }),
      registry: openLiveRegistry({ redis, keys, clock }),
      streams: overStreams(streams),
      routes: new RedisWantedRoutes(redis, keys, clock),
      voices: () => voices.get(),
      storageTrouble: () => storage.trouble(),
      page: await openPageRoutes(),
      access: openAccessStore(redis, keys),
      ...(config.cache ? { cache: { audio: openCache, flights: new RedisFlights({ redis, keys }) } } : {}),
      ...ofGround,
    });
    lifecycle.add("edge", edge, () => edge.close(), 2 * SETTLE_LIMIT_MS);
    const close = () => lifecycle.close();
    return { ...edge, close, leave: (hurry) => edge.leave(hurry).then(close) };
  } catch (error) {
    await lifecycle.close();
    throw error;
  }
}

/** The edge itself, on a ground that is given. @throws GatewayError `config.invalid` when the port is taken */
export async function openEdge(
  config: EdgeConfig,
  logger: Logger,
  nodeId: string,
  ground: EdgeGround,
): Promise<Edge> {
  const access = await openAccess(config, ground.access, logger);
  const lifecycle = new Lifecycle(logger);
  lifecycle.add("access", access, () => access.close());
  const build = readBuildInfo("edge", FOLDER, config.commit);
  const sampled = {
    queueDepth: () => ground.queue.depth(),
    cacheSize: async () => audioCache?.size(),
    budgetsUsed: () => new Map([...edgeBudget.used(), ["encoders", encoders.count] as const]),
  };
  const observer = openMetrics(sampled, build);
  const encoders = lifecycle.add("encoders", new EncoderThreads(observer), (it) => it.close());
  const edgeBudget = new EdgeBudget({
    limits: ground.limits ?? DEFAULT_LIMITS,
    maxConnections: boundConnections(config.maxConnections, await readOpenFiles(), logger),
    jsonAnswerBytes: config.jsonAnswersMaxBytes,
    observer,
    logger,
  });
  const budget = new ByteBudget(config.cacheMemoryBytes);
  const audioCache = ground.cache?.audio(observer.cache, budget);
  const background = new BackgroundWork(logger);
  const defaultVoice = new DefaultVoice({ configured: config.voice, voices: ground.voices, logger });
  lifecycle.add("default voice", defaultVoice, (it) => it.close());
  await defaultVoice.follow();
  const defaults = toSpeechDefaults(config, defaultVoice);
  const sharing = { cache: audioCache, budget, observer: observer.sharing, nodeId, background, logger };
  const speechCache = openSpeechCache(config, ground, sharing);
  const caching = speechCache === undefined ? {} : { speechCache };
  const listening = await openListening({
    ...ground,
    settings: { ...config, liveTtlMs: LIVE_TTL_MS },
    bodies: edgeBudget.requestBodies,
    observer,
    logger,
  });
  lifecycle.add("broadcasts", listening, (it) => it.close());
  const admission = new Admission({
    limits: config,
    observer,
    queueDepth: async () => ({
      waiting: (await ground.queue.depth()).waiting,
      oldestWaitMs: await ground.queue.oldestWaitMs(),
    }),
  });
  lifecycle.add("admission", admission, () => admission.close());
  const ledger = access.clients.isOpen ? undefined : ground.access?.ledger;
  if (ledger !== undefined) lifecycle.add("ledger", sweepLedger(ledger, logger), (it) => it.close());
  const limiter = openLimiter(access.clients, ground.access, observer, logger);
  lifecycle.add("tenants' limits", limiter, () => limiter.close());
  const registry = new SessionRegistry({
    services: {
      nodeId,
      ...ground,
      ...caching,
      limiter,
      ...(ledger === undefined ? {} : { ledger }),
      observer,
      background,
      unsettled: edgeBudget.unsettled,
      logger,
    },
    settings: { ...config, defaults, liveTtlMs: LIVE_TTL_MS },
    maxSessions: config.maxSessions,
    admission,
  });
  access.clients.watch(
    () => registry.keysInUse,
    (keyIds) => registry.revoke(keyIds),
  );
  const settings = { ...config, defaults };
  const departure = new Drain({
    settings: config,
    refuse: () => {
      server.stopListening();
      registry.drain();
      listening.ears.drain();
    },
    sessions: () => [...registry.all, ...listening.ears.all],
  });
  const ops: OpsServices = {
    ...ground,
    nodeId,
    build,
    info: settings,
    voices: async () =>
      (await ground.voices()) ??
      (config.voice === undefined ? [] : [{ id: config.voice, name: config.voice }]),
    metrics: () => observer.expose(),
    readiness: async () => {
      if (registry.isDraining || departure.hasBegun) return { status: "draining" };
      const trouble = await ground.storageTrouble();
      return trouble === undefined ? { status: "ready" } : { status: "storage-away", trouble };
    },
  };
  const giveUp = async (error: unknown) => {
    registry.close();
    await lifecycle.close();
    throw error;
  };
  const attempts = { store: ground.idempotency, background };
  const { intake, givenUp } = edgeBudget;
  const server = await listen({
    ...config,
    native: { registry, settings, intake, givenUp, observer, logger },
    speech: { registry, limiter, settings, budget: edgeBudget, encoders, attempts, observer, logger },
    unreadSockets: edgeBudget.unreadSockets,
    listen: listening,
    gate: edgeBudget.clientGate,
    access: access.clients,
    ops,
    page: ground.page,
  }).catch(giveUp);
  lifecycle.add("server", server, () => server.close());
  const opsServer = await listenForOps({
    ...config,
    ops,
    gate: edgeBudget.opsGate,
    access: access.operators,
  }).catch(giveUp);
  lifecycle.add("operators' port", opsServer, () => opsServer.close());
  const settle = async () => {
    // What waits for a Redis that is away would wait in vain.
    if ((await ground.storageTrouble()) === undefined) await background.settled();
  };
  lifecycle.add("background work", background, settle, SETTLE_LIMIT_MS);
  if (speechCache !== undefined) lifecycle.add("speech cache", speechCache, () => speechCache.close());
  lifecycle.add("listeners", listening, (it) => it.ears.close());
  lifecycle.add("sessions", registry, () => registry.close());
  lifecycle.add("listening", server, () => server.stopListening());
  return {
    nodeId,
    url: server.url,
    opsUrl: opsServer.url,
    port: server.port,
    counts: () => ({
      sessions: registry.sessions,
      utterances: registry.utterances,
      backgroundWork: background.pending,
    }),
    drain: () => registry.drain(),
    leave: (hurry = NEVER) => departure.leave(hurry).then(() => lifecycle.close()),
    close: () => lifecycle.close(),
  };
}

const toCacheLimits = ({ cacheMaxBytes, cacheMaxEntryBytes, cacheTtlMs }: EdgeConfig) => ({
  maxBytes: cacheMaxBytes,
  maxEntryBytes: cacheMaxEntryBytes,
  ttlMs: cacheTtlMs,
});

/** The whole program, until a signal. */
export async function runEdge(seams: EdgeSeams = {}): Promise<void> {
  giveHeapRoom();
  const program = {
    name: "edge",
    about: "The edge of tts-labs: holds the clients, and gives them the speech that workers make.",
    folder: FOLDER,
    variables: edgeEnvironment,
  };
  await runProgram(program, { argv: process.argv.slice(2), env: process.env }, async (config, logger) => {
    const edge = await startEdge(config, logger, seams);
    shutDownOnSignal(async (signal, hurry) => {
      logger.info({ signal, ...edge.counts() }, "edge is leaving");
      await edge.leave(hurry);
    });
    logger.info({ node: edge.nodeId, url: edge.url, opsUrl: edge.opsUrl }, "edge listening");
    tellParent({ kind: "listening", url: edge.url, opsUrl: edge.opsUrl });
    collectWhenIdle();
  });
}

if (process.argv[1] === import.meta.filename) await runEdge();
