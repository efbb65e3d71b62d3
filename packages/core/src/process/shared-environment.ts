import { parseRedisUrl, REDIS_URL_FORMS } from "../redis/client.ts";
import { choice, duration, flag, list, oneOf, optionalText, text } from "./environment.ts";
import { PROFILE_NAMES } from "./profiles.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** For `isValid` of a variable. */
export function isRedisUrl(url: string): boolean {
  try {
    parseRedisUrl(url);
    return true;
  } catch {
    return false;
  }
}

/** Of ElevenLabs, or of what speaks its protocol. */
export const isProviderUrl = (url: string): boolean =>
  /^(?:https?|wss?):$/.test(URL.parse(url)?.protocol ?? "");
export const PROVIDER_URL_FORM = "an http(s) or ws(s) address, such as https://api.elevenlabs.io";

/** PCM rates that the provider has. */
export const SAMPLE_RATES_HZ = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] as const;

/** Variables that edge and worker must read alike. */
export const sharedEnvironment = {
  redisUrl: text("REDIS_URL", {
    about:
      "Redis: redis://user:password@host:port, rediss://… over TLS, or redis-cluster://h1:p1,h2:p2,h3:p3, or redis-sentinel://h1:p1,h2:p2/name, or " +
      "unix:///path/of/redis.sock.",
    default: "redis://127.0.0.1:6379",
    isValid: isRedisUrl,
    right: REDIS_URL_FORMS,
  }),
  redisDeadAfterMs: duration("REDIS_DEAD_AFTER_MS", {
    about:
      "Milliseconds of silence, PINGs notwithstanding, after which a connection to Redis is cut and made anew; 0: never.",
    default: 4_000,
  }),
  keyPrefix: text("REDIS_KEY_PREFIX", {
    about: "First part of every key in Redis.",
    default: "tts",
    isValid: (prefix) => /^[A-Za-z0-9_.-]{1,64}$/.test(prefix),
    right: "1 to 64 letters, digits, '_', '.' and '-'",
  }),
  profile: choice("TTS_PROFILE", {
    about:
      "Settings that belong together, for a conversation with a language model, for chapters and books, or for " +
      "telephone lines. Variables that are set by themselves are stronger.",
    default: "none",
    of: PROFILE_NAMES,
  }),
  logLevel: choice("LOG_LEVEL", {
    about: "Least severe log lines written.",
    default: "info",
    of: LOG_LEVELS,
  }),
  commit: optionalText("TTS_COMMIT", {
    about:
      "Commit that the programs were built from, as /version and tts_build_info tell it; images have it set.",
  }),
  allowedHosts: list("ALLOWED_HOSTS", {
    about:
      "Host names, separated by commas and without ports, under which edges and workers are reached besides those of " +
      "their machine, as behind a proxy. On a loopback address no others are answered; elsewhere, any until some are listed.",
    isValid: (host) => /^[\w.-]+$/.test(host),
    right: "a host name without a port",
  }),
  voice: optionalText("TTS_VOICE", {
    about: "Voice of utterances that name none; without it the first of the account's voices.",
  }),
  model: text("TTS_MODEL", { about: "Model of utterances that name none.", default: "eleven_flash_v2_5" }),
  language: optionalText("TTS_LANGUAGE", {
    about: "Language (ISO 639-1) of utterances that name none; without it the model decides.",
  }),
  natural: flag("TTS_NATURAL", {
    about:
      "Whether the first sentence of text that comes in pieces is spoken as one where an utterance does not say; " +
      "false: its first clause goes ahead, which is heard sooner.",
    default: false,
  }),
  sampleRateHz: oneOf("TTS_SAMPLE_RATE_HZ", {
    about: `Samples per second of all speech: ${SAMPLE_RATES_HZ.join(", ")}.`,
    default: 24_000,
    of: SAMPLE_RATES_HZ,
  }),
  streamTtlMs: duration("STREAM_TTL_MS", {
    about: "Milliseconds an utterance's streams live in Redis after the last sign of their users.",
    default: 120_000,
    min: 1_000,
  }),
};
