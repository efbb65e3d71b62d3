import type { Alignment } from "../audio/alignment.ts";
import type { Speech } from "./stored-speech.ts";

/**
 * Speech that has been spoken once, by what can be heard in it (`toCacheKey`). There are two stores behind these
 * roles, over Redis and in memory; one contract test holds both.
 *
 * - A lookup never fails and never waits long: a Redis that is away, an entry that is damaged, is a miss.
 * - Only complete, successful speech may be given to `store`; that is the caller's to see to.
 * - What is stored takes at most `maxBytes` in Redis, all processes together. The least used goes first:
 *   uses count half after `HALF_LIFE_MS`, so that both how often and how long ago has its say.
 */
export interface AudioCache {
  /** `undefined`: not there. Never throws. */
  lookup(key: string): Promise<CachedSpeech | undefined>;
  /** What is there already stays. Never throws. */
  store(key: string, speech: Speech): Promise<StoreOutcome>;
  /**
   * Figures of all processes together; `undefined` where they are not counted, or the cache is away. Cheap. Never
   * throws.
   */
  size(): Promise<CacheSize | undefined>;
  /** Sends what it still owes to the index, and lets go. May be called twice. */
  close(): Promise<void>;
}

export interface CachedSpeech {
  readonly sampleRateHz: number;
  readonly samples: number;
  readonly characters: number;
  /**
   * The next piece, of whole samples and at most `MAX_ENTRY_BYTES`; `undefined` after the last.
   * One call at a time. @throws GatewayError `stream.lost` where the entry went meanwhile, `storage.*`
   */
  next(): Promise<SpeechPiece | undefined>;
  /** Nothing more of it is read: lets go of what was read ahead. May be called twice. */
  close(): void;
}

export interface SpeechPiece {
  readonly firstSample: number;
  readonly pcm: Uint8Array;
  /** Those that begin in this piece, in order. */
  readonly alignments: readonly Alignment[];
}

export type StoreOutcome = "stored" | StoreRefusal;

export type StoreRefusal =
  /** Nothing to be heard. */
  | "empty"
  | "too-large"
  /** Another process stored it first. */
  | "present"
  /** It went again to make room before it was whole. */
  | "evicted"
  | "storage";

/** What metrics want to know. Every label is one of a closed set. */
export interface CacheObserver {
  looked(result: "hit" | "miss" | "corrupt" | "away"): void;
  stored(bytes: number): void;
  refused(reason: StoreRefusal): void;
  evicted(entries: number): void;
  /** An entry went before it was read to its end: its listener's utterance ends with `stream.lost`. */
  cutShort(): void;
}

export const silentCacheObserver: CacheObserver = {
  looked: () => {},
  stored: () => {},
  refused: () => {},
  evicted: () => {},
  cutShort: () => {},
};

/** For operators. Both throw `storage.*`. */
export interface CacheDesk {
  stats(): Promise<CacheStats>;
  /** @returns how many entries went */
  purge(which?: { readonly voice: string }): Promise<number>;
}

export interface CacheSize {
  readonly entries: number;
  readonly bytes: number;
}

export interface CacheStats extends CacheSize {
  /** The largest first. */
  readonly voices: readonly { readonly voice: string; readonly entries: number; readonly bytes: number }[];
}

export interface CacheLimits {
  /** Bytes of all entries together, as Redis counts them. */
  readonly maxBytes: number;
  /** Of the audio of one entry. */
  readonly maxEntryBytes: number;
  /** Age at which an entry goes, however often it is used. */
  readonly ttlMs: number;
}

/** After so long without a use, what had been used twice as often is worth the same. */
export const HALF_LIFE_MS = 3_600_000;
