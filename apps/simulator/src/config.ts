import {
  type ConfigOf,
  choice,
  decimal,
  duration,
  integer,
  optionalText,
  parseEnvironment,
  seconds,
  text,
} from "@tts-labs/core/process/environment";
import { LOG_LEVELS } from "@tts-labs/core/process/shared-environment";

/** The simulator's variables. Timings are those of docs/elevenlabs.md 8.2, before `timeScale`. */
export const simulatorEnvironment = {
  host: text("SIMULATOR_HOST", { about: "Address to listen on.", default: "127.0.0.1" }),
  port: integer("SIMULATOR_PORT", {
    about: "Port to listen on; 0 takes a free one.",
    default: 8016,
    max: 65_535,
  }),
  logLevel: choice("LOG_LEVEL", {
    about: "Least level that is logged.",
    default: "info",
    of: LOG_LEVELS,
  }),
  commit: optionalText("TTS_COMMIT", {
    about:
      "Commit that the programs were built from, as /version and tts_build_info tell it; images have it set.",
  }),
  apiKeys: text("SIMULATOR_API_KEYS", {
    about: "Keys it accepts, separated by commas.",
    default: "sk_simulator",
  }),
  timeScale: decimal("SIMULATOR_TIME_SCALE", {
    about: "Factor on every artificial wait; 0 answers as fast as it can.",
    default: 1,
    min: 0,
    max: 100,
  }),
  seed: integer("SIMULATOR_SEED", {
    about: "Where the jitter of its timings begins: the same seed gives the same waits.",
    default: 1,
    max: 4_294_967_295,
  }),
  upgradeMs: duration("SIMULATOR_UPGRADE_MS", { about: "Time an upgrade takes, in ms.", default: 180 }),
  upgradeSpreadMs: duration("SIMULATOR_UPGRADE_SPREAD_MS", {
    about: "An upgrade takes up to this many ms more or less.",
    default: 10,
  }),
  upgradeTailPercent: integer("SIMULATOR_UPGRADE_TAIL_PERCENT", {
    about: "Share of upgrades that take 1 to 4 s.",
    default: 0,
    max: 100,
  }),
  firstAudioMs: duration("SIMULATOR_FIRST_AUDIO_MS", {
    about: "From the trigger of a generation to its first audio with a flash model, in ms.",
    default: 240,
  }),
  firstAudioSpreadMs: duration("SIMULATOR_FIRST_AUDIO_SPREAD_MS", {
    about: "First audio comes up to this many ms sooner or later.",
    default: 20,
  }),
  regionMs: duration("SIMULATOR_REGION_MS", {
    about: "Distance to the region, in ms: added to upgrades and to first audio.",
    default: 0,
  }),
  generationSpeed: decimal("SIMULATOR_GENERATION_SPEED", {
    about: "How much faster than real time audio is generated.",
    default: 20,
    min: 0.1,
    max: 100_000,
  }),
  generationGapMs: duration("SIMULATOR_GENERATION_GAP_MS", {
    about: "Least time between the end of a generation and the next one's audio on a socket, in ms.",
    default: 100,
  }),
  closeDelayMs: duration("SIMULATOR_CLOSE_DELAY_MS", {
    about: "From the final or error message to the close frame, in ms.",
    default: 795,
  }),
  voiceCheckMs: duration("SIMULATOR_VOICE_CHECK_MS", {
    about: "From the upgrade to the error message for an unknown voice, in ms.",
    default: 50,
  }),
  idleTimeoutSeconds: seconds("SIMULATOR_IDLE_TIMEOUT_SECONDS", {
    about: "Silence after which a socket is closed, where its client asks for no other. Not scaled.",
    default: 20,
    min: 1,
    max: 180,
  }),
  pingMs: duration("SIMULATOR_PING_MS", {
    about: "Interval of the server's pings, in ms; 0 sends none. Not scaled.",
    default: 0,
  }),
  concurrency: integer("SIMULATOR_CONCURRENCY", {
    about: "Generating sockets and requests allowed at a time; 0 allows any number.",
    default: 0,
  }),
  queueWaitMs: duration("SIMULATOR_QUEUE_WAIT_MS", {
    about: "How long one over that number waits before it is refused, in ms.",
    default: 50,
  }),
  maxConnections: integer("SIMULATOR_MAX_CONNECTIONS", {
    about: "Sockets held open at a time; beyond it upgrades are refused with 503.",
    default: 20_000,
    min: 1,
  }),
  loggedConnections: integer("SIMULATOR_LOGGED_CONNECTIONS", {
    about: "Connections whose messages the report remembers; the oldest are forgotten.",
    default: 200,
  }),
};

export type SimulatorConfig = ConfigOf<typeof simulatorEnvironment>;

/** @throws GatewayError `config.invalid` */
export const parseSimulatorConfig = (env: NodeJS.ProcessEnv): SimulatorConfig =>
  parseEnvironment(simulatorEnvironment, env);

export const defaultSimulatorConfig = (overrides: Partial<SimulatorConfig> = {}): SimulatorConfig => ({
  ...parseSimulatorConfig({}),
  ...overrides,
});
