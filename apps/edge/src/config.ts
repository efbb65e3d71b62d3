import { isOrigin } from "@tts-labs/core/http/door";
import { cacheEnvironment } from "@tts-labs/core/process/cache-environment";
import {
  bytes,
  type ConfigOf,
  choice,
  duration,
  flag,
  integer,
  list,
  optionalText,
  parseEnvironment,
  seconds,
  text,
} from "@tts-labs/core/process/environment";
import { sharedEnvironment } from "@tts-labs/core/process/shared-environment";
import { DEFAULT_FRAME_SAMPLES } from "@tts-labs/protocol/limits";
import { MAX_FRAMES_AHEAD } from "./delivery/pacing.ts";

/** Every variable of the edge; the README's table is generated from these records. */
export const edgeEnvironment = {
  ...sharedEnvironment,
  host: text("HOST", { about: "Address the edge listens on.", default: "127.0.0.1" }),
  port: integer("PORT", {
    about: "Port the edge listens on; 0 takes a free one.",
    default: 8006,
    max: 65_535,
  }),
  opsHost: text("OPS_HOST", {
    about:
      "Address of the operators' port: live view, metrics and info. Other than loopback only where a firewall or " +
      "network policy lets operators alone reach it.",
    default: "127.0.0.1",
  }),
  opsPort: integer("OPS_PORT", {
    about: "Port of the edge's /metrics, /api/v1/live and /api/v1/info; 0 takes a free one.",
    default: 8005,
    max: 65_535,
  }),
  allowedOrigins: list("ALLOWED_ORIGINS", {
    about:
      "Origins of other sites whose pages may use the edge, separated by commas: https://app.example.com; * is any. " +
      "Pages that the edge's own address brings need no entry.",
    isValid: (origin) => origin === "*" || isOrigin(origin),
    right: "an origin such as https://app.example.com, or *",
  }),
  access: choice("ACCESS", {
    about:
      "Who may use the edge. open: everybody who reaches it; keys: those who show a key (npm run keys) or a token made " +
      "with one; auto: open on a loopback address, keys elsewhere, and no start there while there is no key.",
    default: "auto",
    of: ["auto", "open", "keys"],
  }),
  opsAccess: choice("OPS_ACCESS", {
    about:
      "Who may use the operators' port. open: everybody who reaches it; keys: those who show an operator's key; auto: " +
      "open on a loopback address, elsewhere as ACCESS. /healthz and /readyz answer everybody.",
    default: "auto",
    of: ["auto", "open", "keys"],
  }),
  tlsCertFile: optionalText("TLS_CERT_FILE", {
    about:
      "File with the edge's certificate and its chain, in PEM, read at start; with TLS_KEY_FILE the clients' port speaks " +
      "TLS (https, wss). Without, TLS is a balancer's.",
  }),
  tlsKeyFile: optionalText("TLS_KEY_FILE", { about: "File with the key of that certificate, in PEM." }),
  provider: text("TTS_PROVIDER", {
    about: "Name of the provider, as clients are told.",
    default: "elevenlabs",
  }),
  frameSamples: integer("FRAME_SAMPLES", {
    about: "Samples of one audio frame where the client asks for no other size.",
    default: DEFAULT_FRAME_SAMPLES,
    min: 120,
    max: 9_600,
  }),
  adaptiveFrames: flag("ADAPTIVE_FRAMES", {
    about: "Frame size by each client's round trip, unless the client asks for a size of its own.",
    default: true,
  }),
  maxSessions: integer("EDGE_MAX_SESSIONS", {
    about: "Sessions and HTTP syntheses one edge holds; more are refused with capacity.too_many_sessions.",
    default: 10_000,
    min: 1,
  }),
  maxListeners: integer("EDGE_MAX_LISTENERS", {
    about: "Listeners of one edge; more are refused with capacity.too_many_listeners.",
    default: 10_000,
    min: 1,
  }),
  listenersPerSession: integer("SESSION_MAX_LISTENERS", {
    about: "Listeners of one session on one edge; more are refused with capacity.too_many_listeners.",
    default: 5_000,
    min: 1,
  }),
  maxConnections: integer("EDGE_MAX_CONNECTIONS", {
    about:
      "Connections of one edge, whatever they are for; beyond it new ones are refused with " +
      "capacity.too_many_connections. Fewer where the limit of open files is too low, which is said at start.",
    default: 11_000,
    min: 1,
  }),
  admissionMaxLagMs: duration("ADMISSION_MAX_LAG_MS", {
    about: "Mean delay of the edge's event loop at which new sessions are refused; 0 is never.",
    default: 150,
  }),
  admissionMaxQueueWaitMs: duration("ADMISSION_MAX_QUEUE_WAIT_MS", {
    about: "Wait for a worker at which new sessions are refused; 0 is never.",
    default: 3_000,
  }),
  admissionMaxWaiting: integer("ADMISSION_MAX_WAITING", {
    about: "Utterances without a worker at which new sessions are refused; 0 is never.",
    default: 1_000,
  }),
  outboundFrames: integer("OUTBOUND_FRAMES", {
    about: "Frames that may wait in the edge for one client beyond what its socket has taken.",
    default: MAX_FRAMES_AHEAD,
    min: 1,
    max: 1_000,
  }),
  socketHighWaterBytes: bytes("SOCKET_HIGH_WATER_BYTES", {
    about: "Bytes buffered in one client's socket at which the edge stops writing to it.",
    default: 64 * 1024,
    min: 1_024,
    max: 16 * 1024 * 1024,
  }),
  unconfirmedBytes: bytes("SOCKET_UNCONFIRMED_BYTES", {
    about:
      "Bytes of audio given to a client's socket beyond what it has confirmed by pongs; with half of AUDIO_REPLAY_BYTES " +
      "or less, what is lost with a connection is still held. 0: as many as the socket takes.",
    default: 131_072,
    min: 0,
  }),
  slowClientNoticeMs: duration("SLOW_CLIENT_NOTICE_MS", {
    about: "Milliseconds a client may take nothing of what waits for it before it is told (slow_client).",
    default: 5_000,
    min: 1,
  }),
  slowClientMs: duration("SLOW_CLIENT_MS", {
    about: "Milliseconds a client may take nothing of what waits for it before it is cut off (4002).",
    default: 30_000,
    min: 1,
  }),
  drainSettleMs: duration("DRAIN_SETTLE_MS", {
    about:
      "Milliseconds from SIGTERM, when /readyz says 404, to the last new connection: the balancer must see it.",
    default: 0,
  }),
  drainSpreadMs: duration("DRAIN_SPREAD_MS", {
    about: "Milliseconds over which a leaving edge's clients are told to come back.",
    default: 5_000,
  }),
  drainLimitMs: duration("DRAIN_LIMIT_MS", {
    about: "Milliseconds a leaving edge waits for its clients to move; the rest are cut off (4001).",
    default: 25_000,
  }),
  socketIdleTimeoutS: seconds("SOCKET_IDLE_TIMEOUT_S", {
    about: "Seconds after which a WebSocket that answers no ping is closed.",
    default: 60,
    min: 8,
    max: 960,
  }),
  maxJsonAudioBytes: bytes("MAX_JSON_AUDIO_BYTES", {
    about: "Bytes of PCM that are answered as base64 in JSON; longer speech must be asked for as WAV or PCM.",
    default: 16 * 1024 * 1024,
    min: 1_024,
    max: 256 * 1024 * 1024,
  }),
  jsonAnswersMaxBytes: bytes("JSON_ANSWERS_MAX_BYTES", {
    about:
      "Bytes of PCM of all answers in JSON that are being gathered, or that their clients have not taken; " +
      "beyond it: 503, and WAV still goes.",
    default: 96 * 1024 * 1024,
    min: 1_024,
  }),
  pickupTimeoutMs: duration("WORKER_PICKUP_TIMEOUT_MS", {
    about: "Milliseconds an utterance waits for a worker before it fails with worker.unavailable.",
    default: 10_000,
    min: 1,
  }),
  stallTimeoutMs: duration("WORKER_STALL_TIMEOUT_MS", {
    about: "Milliseconds a worker may be silent in mid-utterance before it fails with worker.unavailable.",
    default: 60_000,
    min: 1,
  }),
  openTimeoutMs: duration("STORAGE_OPEN_TIMEOUT_MS", {
    about: "Milliseconds the opening of an utterance in Redis may take before it fails with storage.timeout.",
    default: 5_000,
    min: 1,
  }),
  resumeWindowMs: duration("SESSION_RESUME_WINDOW_MS", {
    about:
      "Milliseconds a session whose connection was lost may be resumed, on any edge; 0: it ends with its connection.",
    default: 30_000,
  }),
  replayBytes: bytes("AUDIO_REPLAY_BYTES", {
    about:
      "Bytes of audio kept in Redis behind what was given to a client's socket, for when it comes back; " +
      "never more than half of AUDIO_STREAM_MAX_BYTES.",
    default: 262_144,
    min: 0,
  }),
  utterancesAhead: integer("UTTERANCES_AHEAD", {
    about:
      "Utterances of a session that are begun beyond the one that is delivered; each may take a worker's place and a slot. Later ones wait as text.",
    default: 2,
    min: 0,
    max: 7,
  }),
  sentencesAhead: integer("SENTENCES_AHEAD", {
    about:
      "Sentences begun beyond the one that is read, where a session asked for sentence_cache; each may take a slot.",
    default: 3,
    min: 0,
    max: 16,
  }),
  ...cacheEnvironment,
} as const;

export type EdgeConfig = ConfigOf<typeof edgeEnvironment>;

/** @throws GatewayError `config.invalid` naming every bad variable */
export const parseEdgeConfig = (env: NodeJS.ProcessEnv): EdgeConfig => parseEnvironment(edgeEnvironment, env);

/**
 * The defaults, with `overrides`: for tests and for those who start an edge in their own process. Several are in one
 * process, so the operators' port is any that is free.
 */
export const defaultEdgeConfig = (overrides: Partial<EdgeConfig> = {}): EdgeConfig => ({
  ...parseEdgeConfig({}),
  opsPort: 0,
  ...overrides,
});
