import { REDIS_URL_FORMS } from "../redis/client.ts";
import { bytes, choice, duration, flag, optionalText, text } from "./environment.ts";
import { isProviderUrl, isRedisUrl, PROVIDER_URL_FORM } from "./shared-environment.ts";

/** Variables of the audio cache: read by the edge, and by `npm run cache`. */
export const cacheEnvironment = {
  cache: flag("CACHE", {
    about: "Keep complete utterances and serve them again without a worker.",
    default: true,
  }),
  cacheRedisUrl: optionalText("CACHE_REDIS_URL", {
    about: "A Redis of the audio cache's own; without it the cache lives in REDIS_URL.",
    isValid: isRedisUrl,
    right: REDIS_URL_FORMS,
  }),
  cacheEviction: choice("CACHE_EVICTION", {
    about:
      "Who keeps the audio cache within its bound: self, or redis, by the maxmemory-policy of CACHE_REDIS_URL (allkeys-lfu).",
    default: "self",
    of: ["self", "redis"],
  }),
  cacheMaxBytes: bytes("CACHE_MAX_BYTES", {
    about: "Bytes that the audio cache takes in Redis, of all edges together; the least used goes first.",
    default: 256 * 1024 * 1024,
    min: 1024 * 1024,
  }),
  cacheMaxEntryBytes: bytes("CACHE_MAX_ENTRY_BYTES", {
    about: "Longest audio of one utterance that is kept; 175 s at 24 kHz by default.",
    default: 8 * 1024 * 1024,
    min: 16 * 1024,
    max: 64 * 1024 * 1024,
  }),
  cacheMemoryBytes: bytes("CACHE_MEMORY_BYTES", {
    about:
      "Audio of shared and cached speech that one edge holds in memory; beyond it speech is neither joined nor kept.",
    default: 128 * 1024 * 1024,
    min: 1024 * 1024,
  }),
  cacheAcrossTenants: flag("CACHE_ACROSS_TENANTS", {
    about:
      "Whether a tenant hears from the cache what another has had spoken. It saves synthesis where tenants say the same; a " +
      "hit and its speed then tell one what another has said.",
    default: false,
  }),
  cacheTtlMs: duration("CACHE_TTL_MS", {
    about: "Age at which cached speech is made anew, however often it is asked for.",
    default: 7 * 86_400_000,
    min: 1_000,
    max: 365 * 86_400_000,
  }),
  elevenLabsUrl: text("ELEVENLABS_URL", {
    about: "ElevenLabs, one of its residency hosts, or a simulator; the sockets are under the same address.",
    default: "https://api.elevenlabs.io",
    isValid: isProviderUrl,
    right: PROVIDER_URL_FORM,
  }),
} as const;
