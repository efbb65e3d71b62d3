import { setTimeout as sleep } from "node:timers/promises";
import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { AudioCache } from "@tts-labs/core/cache/audio-cache";
import { toCacheKey } from "@tts-labs/core/cache/cache-key";
import type { Flights } from "@tts-labs/core/cache/flights";
import type { Speech } from "@tts-labs/core/cache/stored-speech";
import type { Logger } from "@tts-labs/core/logger";
import type { StreamStore } from "@tts-labs/core/stream/stream";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import { tenantOf } from "../access/caller.ts";
import type { BackgroundWork } from "../background-work.ts";
import { type Found, NOT_CACHED, type SpeechRequest } from "./cache-use.ts";
import { SharedSpeech, type SharingBound } from "./shared-speech.ts";
import type { HeldSource } from "./sources.ts";
import { cachedSource, leaderSource } from "./sources.ts";

export interface SpeechCacheOptions {
  readonly cache: AudioCache;
  readonly flights: Flights;
  readonly streams: StreamStore;
  readonly nodeId: string;
  /** The provider of these voices, see `toProviderIdentity`. */
  readonly provider: string;
  /** Tenants hear what others have had spoken. A hit and its speed tell one what another has had spoken. */
  readonly acrossTenants: boolean;
  readonly streamTtlMs: number;
  /** Bytes behind its listeners that stay in a stream, for a client that comes back. */
  readonly replayBytes: number;
  /** Longest audio that is kept. */
  readonly maxEntryBytes: number;
  readonly keeps: Keeps;
  /** Memory for what is being shared here. */
  readonly budget: ByteBudget;
  readonly background: BackgroundWork;
  readonly observer: SharingObserver;
  readonly logger: Logger;
}

/** What may be kept of speech that is over; `undefined`: nothing. */
export type Keeps = (shared: SharedSpeech, speech: SpeechOptions, provider: string) => Speech | undefined;

export interface SharingObserver {
  /** Speech that can't be joined any more, and that is not kept. Its listeners hear it to its end. */
  outgrown(bound: SharingBound): void;
}

/** Often enough that those on other edges don't wait for a leader who does not listen: see `heardElsewhere`. */
const RENEW_MS = 1_000;

/** Pauses before each look for a leader's text: it comes within milliseconds, unless its edge meets a crowd. */
const LEADER_LOOKS_MS = [0, 100, 400, 1_500] as const;

interface Flight {
  readonly key: string;
  readonly shared: SharedSpeech;
  /** It is over for everybody here, and whether others may still read it elsewhere. */
  over: Promise<"alone" | "joined">;
  /** While it leads: renewing. */
  renewal?: NodeJS.Timeout;
  /** Whether others have joined on other edges, once that was asked because it has no listener here any more. */
  left?: Promise<"alone" | "joined">;
  /** The same, once no further listener can join. */
  landed?: Promise<"alone" | "joined">;
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
  /** Questions to Redis under way about a key's leader; each bounded by the time limits of Redis. */
  readonly #boardings = new Map<string, Promise<Found>>();
  /** Leaders on other edges joined so far; each reading is a reader of its own. */
  #joins = 0;
  #closed = false;

  constructor(options: SpeechCacheOptions) {
    this.#options = options;
  }

  /** Never throws: without Redis nothing is found. */
  async find(request: SpeechRequest): Promise<Found> {
    const { text, speech, readerId } = request;
    const { provider, acrossTenants } = this.#options;
    // What nothing is to be kept of is not shared either.
    if (this.#closed || speech.logging === false) return NOT_CACHED;
    const scope = acrossTenants ? "" : (tenantOf(readerId) ?? "");
    try {
      return await this.#find(toCacheKey({ provider, text, speech, scope }), request);
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

  async #find(key: string, request: SpeechRequest): Promise<Found> {
    for (;;) {
      const local = this.#flights.get(key);
      const isFlying = local?.shared.isJoinable && local.shared.utteranceId !== request.replacing;
      if (isFlying) return this.#join(local);
      const cached = await this.#options.cache.lookup(key);
      if (cached !== undefined) return { use: "hit", source: cachedSource(cached), samples: cached.samples };
      // One boards for all who ask here at once; the others then look again.
      const boarding = this.#boardings.get(key);
      if (boarding === undefined) return await this.#boardForAll(key, request);
      await boarding;
    }
  }

  async #boardForAll(key: string, request: SpeechRequest): Promise<Found> {
    const boarding = this.#board(key, request);
    this.#boardings.set(key, boarding);
    try {
      return await boarding;
    } finally {
      this.#boardings.delete(key);
    }
  }

  async #board(key: string, request: SpeechRequest): Promise<Found> {
    const { flights, cache, nodeId, streams } = this.#options;
    const { utteranceId, readerId, speech, replacing, isBegun } = request;
    const boarding = await flights.board(key, utteranceId, replacing);
    if (boarding.kind === "join") {
      const found = this.#flights.get(key);
      const isHere = found?.shared.utteranceId === boarding.utteranceId && found.shared.isJoinable;
      if (isHere) return this.#join(found);
      const { utteranceId: leaderId } = boarding;
      const isGhost = replacing === undefined && !(await this.#isWanted(leaderId));
      if (isGhost) return this.#board(key, { ...request, replacing: leaderId });
      if (isBegun) return { use: "joined", source: leaderSource(streams, leaderId), leaderId };
      const asJoiner = `shared-${nodeId}-${++this.#joins}`;
      const joined = this.#fly(key, leaderId, asJoiner, speech);
      joined.shared.heardElsewhere();
      return this.#join(joined);
    }
    // Between our look and our boarding the one before us may have landed.
    const cached = await cache.lookup(key);
    if (cached !== undefined) {
      await flights.land(key, utteranceId);
      return { use: "hit", source: cachedSource(cached), samples: cached.samples };
    }
    const flight = this.#fly(key, utteranceId, readerId, speech);
    flight.renewal = setInterval(() => this.#renew(flight), RENEW_MS);
    const listener = flight.shared.listener();
    const cancel = () => this.#cancel(flight, listener);
    const whenOver = (act: (listeners: "alone" | "joined") => Promise<void>) =>
      this.#options.background.add("shared speech removed", flight.over.then(act));
    return { use: "miss", source: listener, whenOver, cancel, abandon: () => this.#abandon(flight) };
  }

  /** A leader's text is stored right after it has boarded; where its edge died in between, it never will be. */
  async #isWanted(leaderId: string): Promise<boolean> {
    const { streams } = this.#options;
    for (const pauseMs of LEADER_LOOKS_MS) {
      await sleep(pauseMs);
      const text = await streams.inspect({ tag: leaderId, name: "text" });
      if ((text ?? (await streams.inspect({ tag: leaderId, name: "audio" }))) !== undefined) return true;
    }
    return false;
  }

  #join({ shared }: Flight): Found {
    return { use: "joined", source: shared.listener(), leaderId: shared.utteranceId };
  }

  /** Reads the leader's audio, once for all on this edge. */
  #fly(key: string, utteranceId: string, readerId: string, speech: SpeechOptions): Flight {
    const { streams, streamTtlMs: ttlMs, replayBytes, budget, background } = this.#options;
    const { maxEntryBytes: maxBytes } = this.#options;
    const shared = new SharedSpeech({
      streams,
      utteranceId,
      readerId,
      ttlMs,
      replayBytes,
      maxBytes,
      budget,
      onOutgrown: (bound) => this.#outgrown(flight, bound),
      onOver: () => {
        const kept = this.#keep(flight, speech);
        background.add("speech kept", kept);
        return kept;
      },
    });
    const flight: Flight = { key, shared, over: Promise.resolve("alone") };
    this.#flights.set(key, flight);
    // What could not be kept is told there.
    flight.over = shared
      .run()
      .catch(() => undefined)
      .then(() => heardElsewhere(flight));
    return flight;
  }

  async #keep(flight: Flight, speech: SpeechOptions): Promise<void> {
    const { cache, provider, keeps } = this.#options;
    const { key, shared } = flight;
    clearInterval(flight.renewal);
    try {
      const complete = keeps(shared, speech, provider);
      if (complete !== undefined) await cache.store(key, complete);
    } finally {
      this.#unlist(flight);
    }
    const isLeft = shared.listeners === 0 && shared.end === undefined;
    if (isLeft && flight.renewal !== undefined) await this.#landAlone(flight);
    // An utterance whose stream has ended can't be joined any more.
    else if (flight.renewal !== undefined || shared.end?.kind === "ended") await this.#land(flight);
  }

  /** While Redis is away it is not known; that costs a second synthesis at worst. */
  #renew({ key, shared }: Flight): void {
    const { flights, background } = this.#options;
    const renewed = flights.renew(key, shared.utteranceId).catch(() => "lost" as const);
    const told = renewed.then((state) => state === "joined" && shared.heardElsewhere());
    background.add("flight renewed", told);
  }

  /** A listener that comes from now on has it spoken anew. */
  #outgrown(flight: Flight, bound: SharingBound): void {
    const { observer, background } = this.#options;
    observer.outgrown(bound);
    this.#unlist(flight);
    if (flight.renewal === undefined) return;
    clearInterval(flight.renewal);
    background.add("flight ended", this.#landAlone(flight));
  }

  async #abandon(flight: Flight): Promise<void> {
    flight.shared.close(new GatewayError("worker.unavailable"));
    await this.#land(flight);
  }

  async #cancel(flight: Flight, listener: HeldSource): Promise<"alone" | "joined"> {
    listener.close();
    await flight.over;
    return flight.shared.end === undefined ? this.#landAlone(flight) : "joined";
  }

  /** Unless others have joined; then it stays known until its life is over. Asked once: what has landed can't tell. */
  #landAlone(flight: Flight): Promise<"alone" | "joined"> {
    const { key, shared } = flight;
    flight.left ??= this.#options.flights.leave(key, shared.utteranceId).catch(() => "alone" as const);
    return flight.left;
  }

  /** The question is asked once. While Redis is away others may have joined. */
  #land(flight: Flight): Promise<"alone" | "joined"> {
    const { key, shared } = flight;
    flight.landed ??= this.#options.flights.land(key, shared.utteranceId).catch(() => "joined" as const);
    return flight.landed;
  }

  #unlist(flight: Flight): void {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
  }
}

/** Whether others may still read it on other edges; it is over here. */
async function heardElsewhere({ shared, left, landed }: Flight): Promise<"alone" | "joined"> {
  const told = await Promise.all([left, landed]);
  return shared.isHeardElsewhere || told.includes("joined") ? "joined" : "alone";
}
