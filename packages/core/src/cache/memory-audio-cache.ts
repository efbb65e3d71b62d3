import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import {
  type AudioCache,
  type CacheDesk,
  type CachedSpeech,
  type CacheLimits,
  type CacheObserver,
  type CacheSize,
  type CacheStats,
  HALF_LIFE_MS,
  type StoreOutcome,
  silentCacheObserver,
} from "./audio-cache.ts";
import { toStats } from "./cache-stats.ts";
import { SpeechPieces } from "./speech-pieces.ts";
import { estimateBytes, type Speech, toFields } from "./stored-speech.ts";

interface Entry {
  readonly speech: Speech;
  readonly bytes: number;
  readonly expiresAtMs: number;
  score: number;
}

export interface MemoryAudioCacheOptions {
  readonly limits: CacheLimits;
  readonly observer?: CacheObserver;
}

/** The cache of one process, for tests and for those who run without Redis. */
export class MemoryAudioCache implements AudioCache, CacheDesk {
  readonly #limits: CacheLimits;
  readonly #observer: CacheObserver;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor({ limits, observer = silentCacheObserver }: MemoryAudioCacheOptions) {
    this.#limits = limits;
    this.#observer = observer;
  }

  async lookup(key: string): Promise<CachedSpeech | undefined> {
    this.#expire();
    const entry = this.#entries.get(key);
    this.#observer.looked(entry === undefined ? "miss" : "hit");
    if (entry === undefined) return undefined;
    const now = Date.now() / HALF_LIFE_MS;
    entry.score = Math.max(entry.score, now) + Math.log2(1 + 2 ** -Math.abs(entry.score - now));
    return toCachedSpeech(entry.speech);
  }

  async store(key: string, speech: Speech): Promise<StoreOutcome> {
    const outcome = this.#store(key, speech);
    if (outcome !== "stored") this.#observer.refused(outcome);
    return outcome;
  }

  async size(): Promise<CacheSize> {
    this.#expire();
    return { entries: this.#entries.size, bytes: this.#bytes };
  }

  async stats(): Promise<CacheStats> {
    this.#expire();
    return toStats(
      [...this.#entries].map(([key, { speech, bytes }]) => ({ key, bytes, voice: speech.voice })),
    );
  }

  async purge(which?: { readonly voice: string }): Promise<number> {
    const meant = [...this.#entries].filter(([, { speech }]) => !which || speech.voice === which.voice);
    for (const [key, entry] of meant) this.#remove(key, entry);
    return meant.length;
  }

  async close(): Promise<void> {}

  #store(key: string, speech: Speech): StoreOutcome {
    this.#expire();
    const bytes = estimateBytes(toFields(speech));
    const { maxBytes, maxEntryBytes, ttlMs } = this.#limits;
    if (speech.pcm.byteLength === 0) return "empty";
    if (speech.pcm.byteLength > maxEntryBytes || bytes > maxBytes) return "too-large";
    if (this.#entries.has(key)) return "present";
    let evicted = 0;
    while (this.#bytes + bytes > maxBytes && this.#evictLeastUsed()) evicted += 1;
    if (evicted > 0) this.#observer.evicted(evicted);
    const now = Date.now();
    const copy = { ...speech, pcm: speech.pcm.slice() };
    this.#entries.set(key, { speech: copy, bytes, expiresAtMs: now + ttlMs, score: now / HALF_LIFE_MS });
    this.#bytes += bytes;
    this.#observer.stored(bytes);
    return "stored";
  }

  #evictLeastUsed(): boolean {
    let least: [string, Entry] | undefined;
    for (const item of this.#entries) if (least === undefined || item[1].score < least[1].score) least = item;
    if (least === undefined) return false;
    this.#remove(...least);
    return true;
  }

  #expire(): void {
    const now = Date.now();
    for (const [key, entry] of this.#entries) if (entry.expiresAtMs <= now) this.#remove(key, entry);
  }

  #remove(key: string, { bytes }: Entry): void {
    if (this.#entries.delete(key)) this.#bytes -= bytes;
  }
}

function toCachedSpeech({ sampleRateHz, characters, pcm, captions }: Speech): CachedSpeech {
  const samples = pcm.byteLength / BYTES_PER_SAMPLE;
  const pieces = new SpeechPieces(samples, captions);
  return {
    sampleRateHz,
    samples,
    characters,
    next: async () =>
      pieces.isAtEnd ? undefined : pieces.take(pcm.subarray(pieces.nextSample * BYTES_PER_SAMPLE)),
    close: () => {},
  };
}
