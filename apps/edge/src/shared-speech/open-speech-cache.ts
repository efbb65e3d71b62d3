import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { AudioCache } from "@tts-labs/core/cache/audio-cache";
import { toProviderIdentity } from "@tts-labs/core/cache/cache-key";
import type { Logger } from "@tts-labs/core/logger";
import type { BackgroundWork } from "../background-work.ts";
import type { EdgeGround } from "../edge.ts";
import { toCompleteSpeech } from "./complete-speech.ts";
import { type SharingObserver, SpeechCache } from "./speech-cache.ts";

export interface SpeechCacheSettings {
  readonly elevenLabsUrl: string;
  readonly cacheAcrossTenants: boolean;
  readonly streamTtlMs: number;
  readonly cacheMaxEntryBytes: number;
  readonly resumeWindowMs: number;
  readonly replayBytes: number;
}

export interface SpeechCacheRoles {
  /** Absent where nothing is cached. */
  readonly cache: AudioCache | undefined;
  readonly budget: ByteBudget;
  readonly observer: SharingObserver;
  readonly nodeId: string;
  readonly background: BackgroundWork;
  readonly logger: Logger;
}

/** What lets utterances of one edge share speech; `undefined` where nothing is cached. */
export function openSpeechCache(
  settings: SpeechCacheSettings,
  ground: Pick<EdgeGround, "cache" | "streams" | "keeps">,
  { cache, ...roles }: SpeechCacheRoles,
): SpeechCache | undefined {
  if (ground.cache === undefined || cache === undefined) return undefined;
  return new SpeechCache({
    ...roles,
    cache,
    flights: ground.cache.flights,
    streams: ground.streams,
    provider: toProviderIdentity(settings.elevenLabsUrl),
    acrossTenants: settings.cacheAcrossTenants,
    streamTtlMs: settings.streamTtlMs,
    maxEntryBytes: settings.cacheMaxEntryBytes,
    replayBytes: settings.resumeWindowMs > 0 ? settings.replayBytes : 0,
    keeps: ground.keeps ?? toCompleteSpeech,
  });
}
