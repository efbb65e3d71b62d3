import type { AudioCache } from "@tts-labs/core/cache/audio-cache";
import { toCacheKey } from "@tts-labs/core/cache/cache-key";
import { FLIGHT_TTL_MS, type Flights } from "@tts-labs/core/cache/flights";
import { GatewayError } from "@tts-labs/core/errors";
import type { Logger } from "@tts-labs/core/logger";
import type { SpeechOptions } from "@tts-labs/core/protocol/speech-options";
import type { StreamStore } from "@tts-labs/core/stream/stream";
import type { BackgroundWork } from "../background-work.ts";
import { cachedSource } from "./cached-source.ts";
import { toCompleteSpeech } from "./complete-speech.ts";
import { SharedSpeech } from "./shared-speech.ts";
import type { SpeechSource } from "./speech-source.ts";

/** What the cache had to do with an utterance, as clients are told. */
export type CacheUse = "hit" | "miss" | "joined" | "off";

export type Found =
  /** Not asked, or nothing to be had: the utterance goes its own way. */
  | { readonly use: "off" }
  | { readonly use: "hit"; readonly source: SpeechSource }
  /** Another utterance is just saying the same. */
  | { readonly use: "joined"; readonly source: SpeechSource; readonly leaderId: string }
  /** It goes its own way, and others may join it. */
  | {
      readonly use: "miss";
      /** It is wanted no more: says whether it may be cancelled. */
      leave(): Promise<"alone" | "joined">;
      /** It will never be spoken. */
      abandon(): Promise<void>;
    };

export const NOT_CACHED: Found = { use: "off" };

export interface SpeechRequest {
  readonly utteranceId: string;
  /** Complete. */
  readonly text: string;
  readonly speech: SpeechOptions;
  /** The leader that was joined, and has failed. */
  readonly replacing?: string;
}

export interface SpeechCacheOptions {
  readonly cache: AudioCache;
  readonly flights: Flights;
  readonly streams: StreamStore;
  readonly nodeId: string;
  /** Whose voices these are, see `toProviderIdentity`. */
  readonly provider: string;
  readonly streamTtlMs: number;
  readonly maxEntryBytes: number;
  readonly background: BackgroundWork;
  readonly logger: Logger;
}

/** Bytes of a second's audio per Hz, and the slowest that a character is spoken, in seconds. */
const BYTES_PER_SAMPLE = 2;
const SLOWEST_CHARACTER_S = 0.15;
/** Utterances that this edge shares at once; beyond it each goes its own way. */
const MAX_SHARED = 256;

interface Flight {
  readonly key: string;
  readonly shared: SharedSpeech;
  /** While it leads: renewing. */
  renewal?: NodeJS.Timeout;
}

/**
 * Says whether an utterance has to be spoken at all. Asked once its text is complete and before any worker is:
 * what was spoken before comes from the cache; what another utterance is just speaking, here or on another edge, is
 * heard from that one's stream; else it is spoken, others may join, and if all goes well it is kept.
 */
export class SpeechCache {
  readonly #options: SpeechCacheOptions;
  /** What is just being read here, by key. */
  readonly #flights = new Map<string, Flight>();
  #closed = false;

  constructor(options: SpeechCacheOptions) {
    this.#options = options;
  }

  /** Never throws: without Redis nothing is found. */
  async find(request: SpeechRequest): Promise<Found> {
    const { text, speech, replacing } = request;
    if (this.#closed || !this.#isShortEnough(text, speech)) return NOT_CACHED;
    try {
      const key = toCacheKey({ provider: this.#options.provider, text, speech });
      const local = this.#flights.get(key);
      if (local !== undefined && local.shared.utteranceId !== replacing) return this.#join(local);
      const cached = await this.#options.cache.lookup(key);
      if (cached !== undefined) return { use: "hit", source: cachedSource(cached) };
      return await this.#board(key, request);
    } catch (err) {
      this.#options.logger.debug({ err }, "no flight boarded");
      return NOT_CACHED;
    }
  }

  /** What is being read is given up. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { shared } of this.#flights.values()) shared.close(new GatewayError("draining"));
    await this.#options.cache.close();
  }

  /** Slow speech of this text, uncompressed, must fit. */
  #isShortEnough(text: string, { sampleRateHz }: SpeechOptions): boolean {
    const bytes = text.length * SLOWEST_CHARACTER_S * sampleRateHz * BYTES_PER_SAMPLE;
    return bytes <= this.#options.maxEntryBytes && this.#flights.size < MAX_SHARED;
  }

  async #board(key: string, { utteranceId, speech, replacing }: SpeechRequest): Promise<Found> {
    const { flights, cache } = this.#options;
    const boarding = await flights.board(key, utteranceId, replacing);
    if (boarding.kind === "join") return this.#join(this.#fly(key, boarding.utteranceId, speech));
    // Between our look and our boarding the one before us may have landed.
    const cached = await cache.lookup(key);
    if (cached !== undefined) {
      await flights.land(key, utteranceId);
      return { use: "hit", source: cachedSource(cached) };
    }
    const flight = this.#fly(key, utteranceId, speech);
    flight.renewal = setInterval(() => this.#renew(flight), FLIGHT_TTL_MS / 3);
    return { use: "miss", leave: () => this.#leave(flight), abandon: () => this.#abandon(flight) };
  }

  #join({ shared }: Flight): Found {
    return { use: "joined", source: shared, leaderId: shared.utteranceId };
  }

  /** Reads the leader's audio, once for all on this edge. */
  #fly(key: string, utteranceId: string, speech: SpeechOptions): Flight {
    const found = this.#flights.get(key);
    if (found?.shared.utteranceId === utteranceId) return found;
    const { streams, nodeId, streamTtlMs: ttlMs, maxEntryBytes: maxBytes, background } = this.#options;
    const shared = new SharedSpeech({
      ...{ streams, utteranceId, readerId: `shared-${nodeId}`, ttlMs, maxBytes },
      onOver: () => background.add("speech kept", this.#keep(flight, speech)),
    });
    const flight: Flight = { key, shared };
    this.#flights.set(key, flight);
    void shared.run();
    return flight;
  }

  async #keep(flight: Flight, speech: SpeechOptions): Promise<void> {
    const { cache, flights, provider } = this.#options;
    const { key, shared } = flight;
    clearInterval(flight.renewal);
    const complete = toCompleteSpeech(shared, speech, provider);
    if (complete !== undefined) await cache.store(key, complete);
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    // Whose stream has ended can't be joined any more, whoever notices it first.
    const hasLanded = flight.renewal !== undefined || shared.end?.kind === "ended";
    if (hasLanded) await flights.land(key, shared.utteranceId).catch(() => undefined);
  }

  /** While Redis is away it is not known; that costs a second synthesis at worst. */
  #renew({ key, shared }: Flight): void {
    const renewed = this.#options.flights.renew(key, shared.utteranceId).catch(() => false);
    this.#options.background.add("flight renewed", renewed);
  }

  async #abandon({ key, shared }: Flight): Promise<void> {
    shared.close(new GatewayError("worker.unavailable"));
    await this.#options.flights.land(key, shared.utteranceId).catch(() => undefined);
  }

  async #leave(flight: Flight): Promise<"alone" | "joined"> {
    const { key, shared } = flight;
    if (shared.listeners > 0) return "joined";
    // Nobody joins here any more without asking Redis, which decides.
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    const left = await this.#options.flights.leave(key, shared.utteranceId).catch(() => "alone" as const);
    if (left === "joined" || shared.listeners > 0) return "joined";
    shared.close(new GatewayError("cancelled.by_client"));
    return "alone";
  }
}
