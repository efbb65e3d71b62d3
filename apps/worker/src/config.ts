import {
  bytes,
  type ConfigOf,
  duration,
  integer,
  optionalInteger,
  optionalText,
  parseEnvironment,
  secret,
  text,
} from "@tts-labs/core/process/environment";
import {
  isProviderUrl,
  PROVIDER_URL_FORM,
  sharedEnvironment,
} from "@tts-labs/core/process/shared-environment";

/** Every variable of the worker; the README's table is generated from these records. */
export const workerEnvironment = {
  ...sharedEnvironment,
  opsHost: text("WORKER_HOST", {
    about: "Address on which the worker answers /healthz, /readyz and /metrics.",
    default: "127.0.0.1",
  }),
  opsPort: integer("WORKER_PORT", {
    about: "Port of the worker's /healthz, /readyz and /metrics; 0 takes a free one.",
    default: 8007,
    max: 65_535,
  }),
  concurrency: integer("WORKER_CONCURRENCY", {
    about: "Utterances one worker speaks at once; further ones wait in the queue.",
    default: 200,
    min: 1,
    max: 10_000,
  }),
  drainMs: duration("WORKER_DRAIN_MS", {
    about: "How long utterances may go on after SIGTERM; the rest are handed over to other workers.",
    default: 30_000,
  }),
  // The provider.
  elevenLabsUrl: text("ELEVENLABS_URL", {
    about: "ElevenLabs, one of its residency hosts, or a simulator; the sockets are under the same address.",
    default: "https://api.elevenlabs.io",
    isValid: isProviderUrl,
    right: PROVIDER_URL_FORM,
  }),
  apiKey: secret("ELEVENLABS_API_KEY", { about: "Key of the ElevenLabs account." }),
  apiKeys: secret("ELEVENLABS_API_KEYS", {
    about: "Further keys, separated by commas: key, or key:slots where its plan allows another number.",
  }),
  providerSlots: optionalInteger("PROVIDER_SLOTS", {
    about:
      "Utterances one key's plan lets generate at once, all workers together; 0 is any number. Without it the provider is asked.",
    max: 99_999,
  }),
  slotWaitMs: duration("PROVIDER_SLOT_WAIT_MS", {
    about: "How long an utterance waits for a slot before it fails with capacity.slot_timeout.",
    default: 30_000,
    min: 1,
  }),
  breakerFaults: integer("BREAKER_FAULTS", {
    about: "Provider faults in a row, seen by any worker, after which it is left alone; 0 is never.",
    default: 3,
  }),
  breakerOpenMs: duration("BREAKER_OPEN_MS", {
    about: "How long a provider that failed is left alone; then one utterance tries it.",
    default: 60_000,
    min: 1,
  }),
  // For when the first choice can't speak.
  fallbackVoice: optionalText("FALLBACK_VOICE", {
    about: "Voice that speaks where the one asked for can't; at a second provider, always.",
  }),
  fallbackModel: optionalText("FALLBACK_MODEL", {
    about: "Model that speaks where the one asked for can't; at a second provider, always.",
  }),
  fallbackUrl: optionalText("FALLBACK_ELEVENLABS_URL", {
    about: "A second provider that speaks ElevenLabs' protocol, for when the first can't.",
    isValid: isProviderUrl,
    right: PROVIDER_URL_FORM,
  }),
  fallbackApiKey: secret("FALLBACK_ELEVENLABS_API_KEY", { about: "Key of the second provider." }),
  fallbackApiKeys: secret("FALLBACK_ELEVENLABS_API_KEYS", {
    about: "Its further keys, written as ELEVENLABS_API_KEYS.",
  }),
  fallbackSlots: integer("FALLBACK_PROVIDER_SLOTS", {
    about: "Utterances one of its keys lets generate at once, all workers together; 0 is any number.",
    default: 0,
    max: 99_999,
  }),
  fallbackProvider: text("FALLBACK_PROVIDER", {
    about: "Name of the second provider, as clients are told.",
    default: "fallback",
  }),
  connectTimeoutMs: duration("PROVIDER_CONNECT_TIMEOUT_MS", {
    about: "Longest wait for a provider socket.",
    default: 5_000,
    min: 1,
  }),
  firstAudioTimeoutMs: duration("PROVIDER_FIRST_AUDIO_TIMEOUT_MS", {
    about: "Longest wait for the first audio once there is text to speak.",
    default: 10_000,
    min: 1,
  }),
  silenceMs: duration("FIRST_AUDIO_BUDGET_MS", {
    about:
      "Silence after the whole text at which another socket, or key, is tried, which gets the whole time.",
    default: 3_000,
    min: 1,
  }),
  gapTimeoutMs: duration("PROVIDER_GAP_TIMEOUT_MS", {
    about: "Longest silence between two chunks of audio while speech is owed.",
    default: 10_000,
    min: 1,
  }),
  finalTimeoutMs: duration("PROVIDER_FINAL_TIMEOUT_MS", {
    about: "Longest wait for the provider's final message after text and audio have ended.",
    default: 15_000,
    min: 1,
  }),
  finalGraceMs: duration("PROVIDER_FINAL_GRACE_MS", {
    about: "A final message later than this is counted as late.",
    default: 500,
  }),
  forcedCloseMs: duration("PROVIDER_FORCED_CLOSE_MS", {
    about: "A provider socket still open so long after its utterance's end is torn down.",
    default: 2_000,
    min: 1,
  }),
  pingEveryMs: duration("PROVIDER_PING_EVERY_MS", {
    about: "Interval of pings on provider sockets.",
    default: 20_000,
    min: 1,
  }),
  pongTimeoutMs: duration("PROVIDER_PONG_TIMEOUT_MS", {
    about: "A provider socket that answers no ping for so long is dead.",
    default: 10_000,
    min: 1,
  }),
  overloadPauseMs: duration("PROVIDER_OVERLOAD_PAUSE_MS", {
    about: "Pause before the one retry when the provider has too much to do.",
    default: 250,
  }),
  poolWarm: integer("POOL_WARM_SOCKETS", {
    about:
      "Sockets kept open ahead of need per route (voice, model, settings …) used twice or asked for; more with demand.",
    default: 3,
    max: 100,
  }),
  poolMaxIdleMs: duration("POOL_MAX_IDLE_MS", {
    about:
      "Age at which an unused socket is replaced; 0: a third of the idle limit asked of the provider, 60 s.",
    default: 0,
  }),
  poolKeepRouteMs: duration("POOL_KEEP_ROUTE_MS", {
    about: "How long a route is kept warm after its last use.",
    default: 50_000,
  }),
  prewarmWorkers: integer("POOL_PREWARM_WORKERS", {
    about: "Workers that warm a route when a client asks for it; who of all workers gets the text is chance.",
    default: 4,
    min: 1,
  }),
  poolMaxRoutes: integer("POOL_MAX_ROUTES", {
    about: "Routes kept warm at once; the one used least is let go.",
    default: 32,
    min: 1,
  }),
  poolMaxSockets: integer("POOL_MAX_SOCKETS", {
    about: "Sockets opened ahead in all.",
    default: 96,
  }),
  // An utterance.
  textTimeoutMs: duration("TEXT_TIMEOUT_MS", {
    about: "An open utterance that gets no text for so long ends with session.text_timeout.",
    default: 60_000,
    min: 1,
  }),
  idleTextMs: duration("IDLE_TEXT_MS", {
    about:
      "An open utterance that gets no text for so long, and owes no speech, gives its worker's place and its provider slot " +
      "back until more text comes; 0: it keeps them.",
    default: 5_000,
  }),
  readerTimeoutMs: duration("READER_TIMEOUT_MS", {
    about: "Audio that nobody takes for so long ends its utterance with stream.reader_gone.",
    default: 300_000,
    min: 1,
  }),
  audioStreamMaxBytes: bytes("AUDIO_STREAM_MAX_BYTES", {
    about: "Audio of one utterance that may wait in Redis; then the provider is no longer read.",
    default: 524_288,
    min: 65_536,
  }),
  retriesMax: integer("PROVIDER_RETRIES", {
    about: "Fresh sockets tried for an utterance whose provider fails before its first audio; 0: it ends.",
    default: 1,
    max: 10,
  }),
  continuationsMax: integer("CONTINUATIONS_MAX", {
    about:
      "How often an utterance may go on at the next word after its provider socket or its worker has failed; 0: it ends.",
    default: 5,
    max: 100,
  }),
};

export type WorkerConfig = ConfigOf<typeof workerEnvironment>;

/** @throws GatewayError `config.invalid` */
export const parseWorkerConfig = (env: NodeJS.ProcessEnv): WorkerConfig =>
  parseEnvironment(workerEnvironment, env);

export const defaultWorkerConfig = (overrides: Partial<WorkerConfig> = {}): WorkerConfig => ({
  ...parseWorkerConfig({}),
  ...overrides,
});
