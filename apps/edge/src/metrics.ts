import type { CacheObserver, CacheSize, StoreRefusal } from "@tts-labs/core/cache/audio-cache";
import type { Dialect } from "@tts-labs/core/session/live-registry";
import type { ErrorCode } from "@tts-labs/protocol/errors";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { RefusalReason } from "./admission.ts";
import type { BudgetName } from "./budget/limits.ts";
import type { EdgeObserver, LatencyPart, UtteranceSummary } from "./edge-observer.ts";
import type { SharingObserver } from "./shared-speech/speech-cache.ts";

/** Seconds; dense where a first audio is good (cache hit to provider), wide where it is bad. */
const FIRST_AUDIO_BUCKETS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 20,
];

export interface EdgeMetrics extends EdgeObserver {
  readonly cache: CacheObserver;
  readonly sharing: SharingObserver;
  /** The text a Prometheus scrapes. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface QueueDepth {
  readonly waiting: number;
  readonly active: number;
}

/** What is asked at each scrape; while it can't be answered, its gauges are left out rather than stale. */
export interface Sampled {
  queueDepth(): Promise<QueueDepth>;
  cacheSize(): Promise<CacheSize | undefined>;
  budgetsUsed(): ReadonlyMap<BudgetName, number>;
}

/** What the edge tells Prometheus. Every label's values are a closed set. */
export function openMetrics({ queueDepth, cacheSize, budgetsUsed }: Sampled): EdgeMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const connections = new Gauge({
    name: "tts_edge_connections",
    help: "WebSocket connections held.",
    registers,
  });
  const sessions = new Gauge({
    name: "tts_edge_sessions",
    help: "Sessions held, HTTP syntheses included.",
    registers,
    labelNames: ["dialect"],
  });
  const detached = new Gauge({
    name: "tts_edge_detached_sessions",
    registers,
    help: "Sessions of lost connections that this edge will end unless they are resumed.",
  });
  const resumes = new Counter({
    name: "tts_edge_resumes_total",
    help: "Clients that came back to a session.",
    registers,
    labelNames: ["outcome"],
  });
  const utterances = new Gauge({
    name: "tts_edge_utterances",
    help: "Unfinished utterances.",
    registers,
  });
  const queuedFrames = new Gauge({
    name: "tts_edge_queued_frames",
    help: "Frames that wait in the edge for their clients.",
    registers,
  });
  const framesSent = new Counter({
    name: "tts_edge_frames_sent_total",
    help: "Audio frames given to sockets and responses.",
    registers,
  });
  const bytesSent = new Counter({
    name: "tts_edge_audio_bytes_sent_total",
    help: "Bytes of these frames, headers included.",
    registers,
  });
  const framesDropped = new Counter({
    name: "tts_edge_frames_dropped_total",
    help: "Frames dropped for live listeners.",
    registers,
  });
  const slowClients = new Counter({
    name: "tts_edge_slow_clients_told_total",
    help: "Clients that took nothing for so long that they were told.",
    registers,
  });
  const ended = new Counter({
    name: "tts_edge_utterances_ended_total",
    help: "Utterances by how they ended.",
    registers,
    labelNames: ["outcome", "code"],
  });
  const errors = new Counter({
    name: "tts_edge_errors_total",
    help: "Errors told to clients.",
    registers,
    labelNames: ["code"],
  });
  const enqueuedAgain = new Counter({
    name: "tts_edge_jobs_enqueued_again_total",
    registers,
    help: "Utterances that nobody made, given to the workers again.",
  });
  const protocolErrors = new Counter({
    name: "tts_edge_protocol_errors_total",
    help: "Client messages and requests refused.",
    registers,
    labelNames: ["code"],
  });
  const firstAudio = new Histogram({
    name: "tts_edge_first_audio_seconds",
    registers,
    buckets: FIRST_AUDIO_BUCKETS,
    help: "Opening of an utterance to its first frame, and the parts of it.",
    labelNames: ["part"],
  });
  const spoken = new Counter({
    name: "tts_edge_utterances_by_cache_total",
    registers,
    help: "Ended utterances by what the cache had to do with them.",
    labelNames: ["cache"],
  });
  const cacheLookups = new Counter({
    name: "tts_cache_lookups_total",
    help: "Lookups in the audio cache.",
    registers,
    labelNames: ["result"],
  });
  const cacheStored = new Counter({
    name: "tts_cache_stored_total",
    help: "Utterances put into the audio cache.",
    registers,
  });
  const cacheStoredBytes = new Counter({
    name: "tts_cache_stored_bytes_total",
    help: "What these took in Redis.",
    registers,
  });
  const cacheRefused = new Counter({
    name: "tts_cache_refused_total",
    help: "Utterances not put into the audio cache.",
    registers,
    labelNames: ["reason"],
  });
  const cacheEvicted = new Counter({
    name: "tts_cache_evicted_total",
    help: "Utterances that had to make room.",
    registers,
  });
  const sentences = new Counter({
    name: "tts_edge_sentences_total",
    registers,
    help: "Sentences made by themselves (sentence_cache), by what the cache had to do with them.",
    labelNames: ["cache"],
  });
  const sentencesHeldBack = new Counter({
    name: "tts_edge_sentences_held_back_total",
    registers,
    help: "Sentences that had to wait as text, since SENTENCES_AHEAD had been begun.",
  });
  const outgrown = new Counter({
    name: "tts_cache_outgrown_total",
    registers,
    help: "Utterances that had become too long, for an entry or for this edge's memory, to be joined and kept.",
    labelNames: ["bound"],
  });
  const cacheCutShort = new Counter({
    name: "tts_cache_reads_cut_short_total",
    registers,
    help: "Entries of the audio cache that went while they were heard.",
  });
  const cacheBytes = new Gauge({
    name: "tts_cache_bytes",
    help: "What the audio cache takes in Redis, of all edges.",
    registers,
  });
  const cacheEntries = new Gauge({
    name: "tts_cache_entries",
    help: "Utterances in the audio cache, of all edges.",
    registers,
  });
  const sampleCache = async () => {
    const size = await cacheSize().catch(() => undefined);
    if (size === undefined) {
      for (const gauge of [cacheBytes, cacheEntries]) gauge.remove();
      return;
    }
    cacheBytes.set(size.bytes);
    cacheEntries.set(size.entries);
  };
  const admission = new Gauge({
    name: "tts_edge_admission_closed",
    help: "1 while new sessions are refused.",
    registers,
    labelNames: ["reason"],
  });
  const refused = new Counter({
    name: "tts_edge_admission_refused_total",
    help: "Sessions refused for overload.",
    registers,
    labelNames: ["reason"],
  });
  const budgetReached = new Counter({
    name: "tts_edge_budget_reached_total",
    help: "Bounds on what is asked of the edge that were reached, by what became of the one who did.",
    labelNames: ["budget", "action"],
    registers,
  });
  new Gauge({
    name: "tts_edge_budget_used",
    help: "What all connections together use of the edge's budgets, each in its own unit.",
    labelNames: ["budget"],
    registers,
    collect() {
      for (const [budget, used] of budgetsUsed()) this.set({ budget }, used);
    },
  });
  new Gauge({
    name: "tts_queue_jobs",
    help: "Utterances that wait for a worker, and that have one.",
    registers,
    labelNames: ["state"],
    async collect() {
      this.reset();
      const depth = await queueDepth().catch(() => undefined);
      if (depth === undefined) return;
      this.set({ state: "waiting" }, depth.waiting);
      this.set({ state: "active" }, depth.active);
    },
  });

  const observePart = (part: LatencyPart | "total", ms: number) => firstAudio.observe({ part }, ms / 1_000);
  return {
    connectionOpened: () => connections.inc(),
    connectionClosed: () => connections.dec(),
    sessionOpened: (dialect: Dialect) => sessions.inc({ dialect }),
    sessionClosed: (dialect: Dialect) => sessions.dec({ dialect }),
    utteranceOpened: () => utterances.inc(),
    utteranceLeft: () => utterances.dec(),
    sessionDetached: (delta: number) => detached.inc(delta),
    resumeEnded: (outcome: "resumed" | ErrorCode) => resumes.inc({ outcome }),
    cache: {
      looked: (result) => cacheLookups.inc({ result }),
      stored: (bytes: number) => {
        cacheStored.inc();
        cacheStoredBytes.inc(bytes);
      },
      refused: (reason: StoreRefusal) => cacheRefused.inc({ reason }),
      evicted: (entries: number) => cacheEvicted.inc(entries),
      cutShort: () => cacheCutShort.inc(),
    },
    sharing: { outgrown: (bound) => outgrown.inc({ bound }) },
    utteranceEnded: ({ outcome, code, firstAudioMs, latencyMs, cache }: UtteranceSummary) => {
      utterances.dec();
      spoken.inc({ cache });
      ended.inc({ outcome, code: code ?? "none" });
      if (firstAudioMs === null) return;
      observePart("total", firstAudioMs);
      for (const [part, ms] of Object.entries(latencyMs)) observePart(part as LatencyPart, ms);
    },
    sentenceRead: (cache) => sentences.inc({ cache }),
    sentencesHeldBack: (count) => sentencesHeldBack.inc(count),
    framesSent: (frames: number, bytes: number) => {
      framesSent.inc(frames);
      bytesSent.inc(bytes);
    },
    admissionChanged: (reason: RefusalReason | undefined) => {
      admission.reset();
      if (reason !== undefined) admission.set({ reason }, 1);
    },
    admissionRefused: (reason: RefusalReason) => refused.inc({ reason }),
    budgetReached: (budget, action) => budgetReached.inc({ budget, action }),
    framesDropped: (frames: number) => framesDropped.inc(frames),
    slowClientTold: () => slowClients.inc(),
    queuedFrames: (delta: number) => queuedFrames.inc(delta),
    jobEnqueuedAgain: () => enqueuedAgain.inc(),
    errorTold: (code: ErrorCode) => {
      errors.inc({ code });
      if (code.startsWith("protocol.")) protocolErrors.inc({ code });
    },
    expose: async () => {
      await sampleCache();
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
