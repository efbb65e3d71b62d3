import type { BuildInfo } from "@tts-labs/core/process/build-info";
import type { UtteranceQueue } from "@tts-labs/core/queue/utterance-job";
import type {
  LivePage,
  LiveRegistry,
  SessionRecord,
  UtteranceRecord,
} from "@tts-labs/core/session/live-registry";
import type { Voice } from "@tts-labs/core/session/redis-voice-list";
import { validate } from "@tts-labs/protocol/client-message";
import { type GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import {
  MAX_CLIENT_MESSAGE_BYTES,
  MAX_UTTERANCE_CHARACTERS,
  MAX_UTTERANCES_PER_SESSION,
} from "@tts-labs/protocol/limits";
import { parseQuery } from "@tts-labs/protocol/query";
import type { SpeechDefaults } from "@tts-labs/protocol/speech-options";
import { z } from "zod";
import { publicId, tenantOf } from "../access/caller.ts";
import type { HttpExchange } from "./exchange.ts";
import type { Routes } from "./routes.ts";

export type Readiness =
  | { readonly status: "ready" | "draining" }
  | { readonly status: "storage-away"; readonly trouble: GatewayError };

export interface OpsServices {
  readonly nodeId: string;
  readonly build: BuildInfo;
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly registry: LiveRegistry;
  readonly queue: UtteranceQueue;
  readonly voices: () => Promise<readonly Voice[]>;
  readonly info: {
    readonly provider: string;
    readonly defaults: SpeechDefaults;
    readonly frameSamples: number;
  };
}

export interface OperatorServices extends OpsServices {
  /** @throws GatewayError `capacity.rate_limited` */
  readonly spend: (tokens: number) => void;
}

type Handler<Services> = (exchange: HttpExchange, services: Services) => Promise<void>;
export type OpsHandler = Handler<OpsServices>;

/** What the expositions of all metrics, and so many records of the live view, cost (see `OPS_RATE`). */
const METRICS_TOKENS = 4;
const RECORDS_PER_TOKEN = 25;

/** Characters of a cursor: it holds an id of 128 characters of 4 bytes in base64. */
const MAX_CURSOR = 800;

/** The query of `GET /api/v1/live`. */
export const liveQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100).describe("Records of each kind on a page."),
  sessions_cursor: z
    .string()
    .max(MAX_CURSOR)
    .optional()
    .describe("`next_cursor` of an earlier answer's sessions."),
  utterances_cursor: z
    .string()
    .max(MAX_CURSOR)
    .optional()
    .describe("`next_cursor` of an earlier answer's utterances."),
});

/** For probes, on both ports. */
export const probeRoutes: Readonly<Record<string, OpsHandler>> = {
  /** The process runs. Redis has no say: a liveness probe on it would kill what could still serve. */
  "/healthz": async (exchange) => exchange.answerJson(200, { status: "ok" }),
  /** 404 while draining: balancers that know `disable-on-404` keep the sockets they have. */
  "/readyz": async (exchange, { readiness }) => {
    const ready = await readiness();
    const { status } = ready;
    const reason =
      ready.status === "storage-away" ? { code: ready.trouble.code, message: ready.trouble.message } : {};
    exchange.answerJson({ ready: 200, draining: 404, "storage-away": 503 }[status], { status, ...reason });
  },
};

/** GET routes for clients. Each answers in every case: what it throws becomes a typed error. */
export const clientRoutes: Readonly<Record<string, OpsHandler>> = {
  "/api/v1/voices": async (exchange, { voices }) => {
    const list = await voices();
    exchange.answerJson(200, {
      voices: list.map(({ id, name, language }) => ({ voice_id: id, name, language: language ?? null })),
    });
  },
};

/** GET routes of the operators' port. */
export const opsRoutes: Readonly<Record<string, Handler<OperatorServices>>> = {
  "/version": async (exchange, { build, spend }) => {
    spend(1);
    exchange.answerJson(200, build);
  },
  "/metrics": async (exchange, { metrics, spend }) => {
    spend(METRICS_TOKENS);
    const { contentType, text } = await metrics();
    exchange.answer(200, { "content-type": contentType }, text);
  },
  "/api/v1/live": showLive,
  "/api/v1/scaling": showScaling,
  "/api/v1/info": async (exchange, { nodeId, spend, info: { provider, defaults, frameSamples } }) => {
    spend(1);
    exchange.answerJson(200, {
      protocol: 1,
      node: nodeId,
      provider,
      defaults: {
        voice: defaults.voice,
        model: defaults.model,
        language: defaults.language ?? null,
        sample_rate: defaults.sampleRateHz,
        frame_samples: frameSamples,
      },
      limits: {
        message_bytes: MAX_CLIENT_MESSAGE_BYTES,
        utterance_characters: MAX_UTTERANCE_CHARACTERS,
        unfinished_utterances: MAX_UTTERANCES_PER_SESSION,
      },
    });
  },
};

/** The probes of a port, which ask for no credentials: those who probe have none. */
export function addProbes(routes: Routes, services: OpsServices): void {
  for (const [path, handler] of Object.entries(probeRoutes)) {
    routes.addPublic(path, { GET: (exchange) => runOps(handler, exchange, services) });
  }
}

/** Runs `handler`; what it throws is answered. */
export function runOps<S>(handler: Handler<S>, exchange: HttpExchange, services: S): void {
  handler(exchange, services).catch((error: unknown) => exchange.answerError(toGatewayError(error)));
}

async function showLive(exchange: HttpExchange, { registry, queue, spend }: OperatorServices): Promise<void> {
  const query = parseQuery(exchange.query);
  const { limit, sessions_cursor, utterances_cursor } = validate(liveQuerySchema, query, "the query");
  spend(Math.ceil(limit / RECORDS_PER_TOKEN));
  const [sessions, utterances, depth] = await Promise.all([
    registry.listSessions({ limit, ...(sessions_cursor === undefined ? {} : { cursor: sessions_cursor }) }),
    registry.listUtterances({
      limit,
      ...(utterances_cursor === undefined ? {} : { cursor: utterances_cursor }),
    }),
    queue.depth(),
  ]);
  const nowMs = Date.now();
  exchange.answerJson(200, {
    sessions: toPage(sessions, (it) => toSession(it, nowMs)),
    utterances: toPage(utterances, (it) => toUtterance(it, nowMs)),
    queue: depth,
  });
}

/**
 * What an autoscaler goes by, of the whole fleet. What can't be known is an error, never a 0, which would be taken for
 * a fleet that has nothing to do.
 */
async function showScaling(exchange: HttpExchange, services: OperatorServices): Promise<void> {
  const { registry, queue, spend } = services;
  spend(1);
  const [sessions, depth, oldestWaitMs] = await Promise.all([
    registry.listSessions({ limit: 1 }),
    queue.depth(),
    queue.oldestWaitMs(),
  ]);
  exchange.answerJson(200, {
    sessions: sessions.total,
    utterances: { ...depth, wanted: depth.waiting + depth.active, oldest_wait_ms: oldestWaitMs },
  });
}

const toPage = <T>({ total, items, nextCursor }: LivePage<T>, toItem: (item: T) => object) => ({
  total,
  items: items.map(toItem),
  next_cursor: nextCursor ?? null,
});

const toSession = (record: SessionRecord, nowMs: number) => ({
  session_id: publicId(record.sessionId),
  tenant: tenantOf(record.sessionId),
  edge: record.edgeId,
  state: record.state,
  dialect: record.dialect,
  connection_epoch: record.connectionEpoch,
  age_ms: Math.max(0, nowMs - record.createdAtMs),
});

const toUtterance = (record: UtteranceRecord, nowMs: number) => ({
  utterance_id: record.utteranceId,
  session_id: publicId(record.sessionId),
  tenant: tenantOf(record.sessionId),
  edge: record.edgeId,
  worker: record.workerId ?? null,
  state: record.state,
  voice: record.voice,
  model: record.model,
  queued_frames: record.queuedFrames ?? 0,
  age_ms: Math.max(0, nowMs - record.createdAtMs),
});
