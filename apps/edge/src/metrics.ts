import type { TenantLimit } from "@tts-labs/core/access/tenant";
import type { CacheObserver, CacheSize, StoreRefusal } from "@tts-labs/core/cache/audio-cache";
import type { BuildInfo } from "@tts-labs/core/process/build-info";
import { allOf, counter, gauge, histogram, openMeters } from "@tts-labs/core/process/metrics";
import { DIALECTS } from "@tts-labs/core/session/live-registry";
import type { CacheUse } from "@tts-labs/core/session/utterance-end";
import { ERROR_CODES } from "@tts-labs/protocol/errors";
import type { RefusalReason } from "./admission.ts";
import type { BudgetAction } from "./budget/budget-observer.ts";
import type { BudgetName } from "./budget/limits.ts";
import type { EdgeObserver, LatencyPart, SpeechOrigin, UtteranceSummary } from "./edge-observer.ts";
import type { ListenObserver } from "./listen/listen-observer.ts";
import { listenMetrics, toListenObserver } from "./listen/metrics.ts";
import type { SharingBound } from "./shared-speech/shared-speech.ts";
import type { SharingObserver } from "./shared-speech/speech-cache.ts";

/** Seconds; dense where a first audio is good (cache hit to provider), wide where it is bad. */
const FIRST_AUDIO_BUCKETS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 20,
];
/** Seconds; an utterance waits for its turn as long as those before it are heard. */
const TURN_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 20, 60, 120];

const code = ERROR_CODES;
const cache = allOf<CacheUse>({ hit: true, joined: true, miss: true, off: true });
const reason = allOf<RefusalReason>({ "event-loop": true, "queue-wait": true, "queue-length": true });
const budget = allOf<BudgetName>({
  messages: true,
  bytes: true,
  openings: true,
  errors: true,
  prewarms: true,
  "unsettled-utterances": true,
  "unread-answers": true,
  "held-messages": true,
  connections: true,
  requests: true,
  "given-up-requests": true,
  "request-bodies": true,
  "json-answers": true,
  "unread-responses": true,
  "unread-sockets": true,
  encoders: true,
});

/** What the edge tells Prometheus. Every label's values are a closed set. */
export const edgeMetrics = {
  connections: gauge("tts_edge_connections", "WebSocket connections held."),
  sessions: gauge("tts_edge_sessions", "Sessions held, HTTP syntheses included.", {
    dialect: DIALECTS,
  }),
  detached: gauge(
    "tts_edge_detached_sessions",
    "Sessions of lost connections that this edge will end unless they are resumed.",
  ),
  resumes: counter("tts_edge_resumes_total", "Clients that came back to a session.", {
    outcome: ["resumed", ...code],
  }),
  utterances: gauge("tts_edge_utterances", "Unfinished utterances."),
  queuedFrames: gauge("tts_edge_queued_frames", "Frames that wait in the edge for their clients."),
  framesSent: counter("tts_edge_frames_sent_total", "Audio frames given to sockets and responses."),
  bytesSent: counter("tts_edge_audio_bytes_sent_total", "Bytes of these frames, headers included."),
  framesDropped: counter("tts_edge_frames_dropped_total", "Frames dropped for live listeners."),
  slowClients: counter(
    "tts_edge_slow_clients_told_total",
    "Clients that took nothing for so long that they were told.",
  ),
  ended: counter("tts_edge_utterances_ended_total", "Utterances by how they ended.", {
    outcome: allOf<UtteranceSummary["outcome"]>({ completed: true, cancelled: true, failed: true }),
    code: ["none", ...code],
  }),
  errors: counter("tts_edge_errors_total", "Errors told to clients.", { code }),
  protocolErrors: counter("tts_edge_protocol_errors_total", "Client messages and requests refused.", {
    code: code.filter((it) => it.startsWith("protocol.")),
  }),
  enqueuedAgain: counter(
    "tts_edge_jobs_enqueued_again_total",
    "Utterances that nobody made, given to the workers again.",
  ),
  firstAudio: histogram(
    "tts_edge_first_audio_seconds",
    "Opening of an utterance to its first frame, and the parts of it, by where its speech came from.",
    FIRST_AUDIO_BUCKETS,
    {
      part: allOf<LatencyPart | "total">({
        total: true,
        queue: true,
        slot: true,
        connect: true,
        provider: true,
        turn: true,
        delivery: true,
      }),
      source: allOf<SpeechOrigin>({ synthesized: true, cached: true, joined: true }),
    },
  ),
  turnWait: histogram(
    "tts_edge_turn_wait_seconds",
    "Opening of an utterance to its turn: it waits behind the earlier ones of its session.",
    TURN_BUCKETS,
  ),
  byCache: counter(
    "tts_edge_utterances_by_cache_total",
    "Ended utterances by what the cache had to do with them.",
    { cache },
  ),
  sentences: counter(
    "tts_edge_sentences_total",
    "Sentences made by themselves (sentence_cache), by what the cache had to do with them.",
    { cache },
  ),
  sentencesHeldBack: counter(
    "tts_edge_sentences_held_back_total",
    "Sentences that had to wait as text, since SENTENCES_AHEAD had been begun.",
  ),
  cacheLookups: counter("tts_cache_lookups_total", "Lookups in the audio cache.", {
    result: ["hit", "miss", "corrupt", "away"],
  }),
  cacheStored: counter("tts_cache_stored_total", "Utterances put into the audio cache."),
  cacheStoredBytes: counter("tts_cache_stored_bytes_total", "What these took in Redis."),
  cacheRefused: counter("tts_cache_refused_total", "Utterances not put into the audio cache.", {
    reason: allOf<StoreRefusal>({
      empty: true,
      "too-large": true,
      present: true,
      evicted: true,
      storage: true,
    }),
  }),
  cacheEvicted: counter("tts_cache_evicted_total", "Utterances that had to make room."),
  cacheCutShort: counter(
    "tts_cache_reads_cut_short_total",
    "Entries of the audio cache that went while they were heard.",
  ),
  outgrown: counter(
    "tts_cache_outgrown_total",
    "Utterances that had become too long, for an entry or for this edge's memory, to be joined and kept.",
    { bound: allOf<SharingBound>({ entry: true, edge: true }) },
  ),
  cacheBytes: gauge("tts_cache_bytes", "What the audio cache takes in Redis, of all edges."),
  cacheEntries: gauge("tts_cache_entries", "Utterances in the audio cache, of all edges."),
  admission: gauge("tts_edge_admission_closed", "1 while new sessions are refused.", { reason }),
  refused: counter("tts_edge_admission_refused_total", "Sessions refused for overload.", { reason }),
  budgetReached: counter(
    "tts_edge_budget_reached_total",
    "Bounds on what is asked of the edge that were reached, by what became of the one who did.",
    { budget, action: allOf<BudgetAction>({ paused: true, refused: true, closed: true }) },
  ),
  tenantRefused: counter(
    "tts_edge_tenant_limit_refused_total",
    "What tenants asked for beyond their limits, by the limit.",
    {
      limit: allOf<TenantLimit>({
        connections: true,
        utterances: true,
        charactersPerMinute: true,
        textCharacters: true,
        prewarmsPerMinute: true,
        voicesPerMinute: true,
      }),
    },
  ),
  budgetUsed: gauge(
    "tts_edge_budget_used",
    "What all connections together use of the edge's budgets, each in its own unit.",
    { budget },
  ),
  prewarms: counter(
    "tts_edge_prewarms_total",
    "Routes that clients wished warm, by what became of the wish: warm, or an error code.",
    { outcome: ["warm", ...code] },
  ),
  queueJobs: gauge("tts_queue_jobs", "Utterances that wait for a worker, and that have one.", {
    state: ["waiting", "active"],
  }),
  ...listenMetrics,
};

export interface EdgeMetrics extends EdgeObserver {
  readonly cache: CacheObserver;
  readonly sharing: SharingObserver;
  readonly listen: ListenObserver;
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

export function openMetrics({ queueDepth, cacheSize, budgetsUsed }: Sampled, build: BuildInfo): EdgeMetrics {
  const { meters, contentType, text } = openMeters(edgeMetrics, build);
  const sample = async () => {
    const [size, depth] = await Promise.all([
      cacheSize().catch(() => undefined),
      queueDepth().catch(() => undefined),
    ]);
    if (size === undefined) for (const it of [meters.cacheBytes, meters.cacheEntries]) it.remove();
    else {
      meters.cacheBytes.set(size.bytes);
      meters.cacheEntries.set(size.entries);
    }
    if (depth === undefined) meters.queueJobs.reset();
    else for (const state of ["waiting", "active"] as const) meters.queueJobs.set({ state }, depth[state]);
    for (const [name, used] of budgetsUsed()) meters.budgetUsed.set({ budget: name }, used);
  };
  const firstAudioOf = ({ firstAudioMs, latencyMs, source }: UtteranceSummary) => {
    if (firstAudioMs === null || source === undefined) return;
    const parts = Object.entries(latencyMs) as [LatencyPart, number][];
    for (const [part, ms] of [["total", firstAudioMs] as const, ...parts]) {
      meters.firstAudio.observe({ part, source }, ms / 1_000);
    }
  };
  return {
    connectionOpened: () => meters.connections.inc(),
    connectionClosed: () => meters.connections.dec(),
    sessionOpened: (dialect) => meters.sessions.inc({ dialect }),
    sessionClosed: (dialect) => meters.sessions.dec({ dialect }),
    utteranceOpened: () => meters.utterances.inc(),
    utteranceLeft: () => meters.utterances.dec(),
    tookTurn: (waitedMs) => meters.turnWait.observe(waitedMs / 1_000),
    sessionDetached: (delta) => meters.detached.inc(delta),
    resumeEnded: (outcome) => meters.resumes.inc({ outcome }),
    cache: {
      looked: (result) => meters.cacheLookups.inc({ result }),
      stored: (bytes) => {
        meters.cacheStored.inc();
        meters.cacheStoredBytes.inc(bytes);
      },
      refused: (why) => meters.cacheRefused.inc({ reason: why }),
      evicted: (entries) => meters.cacheEvicted.inc(entries),
      cutShort: () => meters.cacheCutShort.inc(),
    },
    listen: toListenObserver(meters),
    sharing: { outgrown: (bound) => meters.outgrown.inc({ bound }) },
    utteranceEnded: (summary) => {
      meters.utterances.dec();
      meters.byCache.inc({ cache: summary.cache });
      meters.ended.inc({ outcome: summary.outcome, code: summary.code ?? "none" });
      firstAudioOf(summary);
    },
    sentenceRead: (use) => meters.sentences.inc({ cache: use }),
    sentencesHeldBack: (count) => meters.sentencesHeldBack.inc(count),
    framesSent: (frames, bytes) => {
      meters.framesSent.inc(frames);
      meters.bytesSent.inc(bytes);
    },
    admissionChanged: (why) => {
      meters.admission.reset();
      if (why !== undefined) meters.admission.set({ reason: why }, 1);
    },
    admissionRefused: (why) => meters.refused.inc({ reason: why }),
    tenantRefused: (limit) => meters.tenantRefused.inc({ limit }),
    budgetReached: (name, action) => meters.budgetReached.inc({ budget: name, action }),
    framesDropped: (frames) => meters.framesDropped.inc(frames),
    slowClientTold: () => meters.slowClients.inc(),
    queuedFrames: (delta) => meters.queuedFrames.inc(delta),
    jobEnqueuedAgain: () => meters.enqueuedAgain.inc(),
    prewarmed: (outcome) => meters.prewarms.inc({ outcome }),
    errorTold: (told) => {
      meters.errors.inc({ code: told });
      if (told.startsWith("protocol.")) meters.protocolErrors.inc({ code: told });
    },
    expose: async () => {
      await sample();
      return { contentType, text: await text() };
    },
  };
}
