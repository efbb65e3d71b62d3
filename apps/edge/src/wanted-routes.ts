import { setTimeout as sleep } from "node:timers/promises";
import { type Settleable, settleable } from "@tts-labs/core/async/settleable";
import type { RedisConnection } from "@tts-labs/core/redis/client";
import type { Keys } from "@tts-labs/core/redis/keys";
import { ownClock, type SharedClock } from "@tts-labs/core/redis/shared-clock";
import { toStorageError } from "@tts-labs/core/redis/storage-error";
import { openRouteWarmth, type RouteWarmth } from "@tts-labs/core/session/route-warmth";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { WantedRoutes } from "./services.ts";

/** Routes listed at once; the one that expires first gives way. */
const MAX_ROUTES = 256;
/** A wish is good for so long: about as long as a pool keeps a route warm without use. */
const ROUTE_TTL_MS = 60_000;
/** How often Redis is asked for the answers that are waited for: one small read per route. */
const LOOK_EVERY_MS = 100;

interface Waiting {
  /** On the shared clock: what was answered before is no answer to this wish. */
  readonly sinceMs: number;
  readonly answer: Settleable<number>;
}

/**
 * Routes that clients have announced with `prewarm`, where workers find them: a sorted set whose members are
 * speech options in JSON and whose scores are when they expire (ms since 1970). One key, so one slot. What becomes of
 * each stands under a key of its own (`RouteWarmth`). While wishes wait, one loop reads the answers, one read per
 * route, however many wait for it; at most `maxRoutes` routes are waited for.
 */
export class RedisWantedRoutes implements WantedRoutes {
  readonly #redis: RedisConnection;
  readonly #key: string;
  readonly #clock: SharedClock;
  readonly #warmth: RouteWarmth;
  readonly #maxRoutes: number;
  readonly #waiting = new Map<string, Set<Waiting>>();
  #isLooking = false;

  constructor(redis: RedisConnection, keys: Keys, clock: SharedClock = ownClock, maxRoutes = MAX_ROUTES) {
    this.#redis = redis;
    this.#key = keys.routes;
    this.#clock = clock;
    this.#warmth = openRouteWarmth({ redis, keys, clock });
    this.#maxRoutes = maxRoutes;
  }

  async warm(speech: SpeechOptions, limitMs: number, signal: AbortSignal): Promise<number> {
    const route = JSON.stringify(speech);
    const sinceMs = this.#clock.now();
    await this.#list(route, Math.round(sinceMs));
    signal.throwIfAborted();
    if (!this.#waiting.has(route) && this.#waiting.size >= this.#maxRoutes)
      throw tooManyRoutes(this.#maxRoutes);
    return this.#answer({ route, sinceMs, limitMs, signal });
  }

  async #list(route: string, nowMs: number): Promise<void> {
    try {
      const results = await this.#redis
        .multi()
        .zadd(this.#key, nowMs + ROUTE_TTL_MS, route)
        .zremrangebyscore(this.#key, "-inf", nowMs)
        .zremrangebyrank(this.#key, 0, -MAX_ROUTES - 1)
        .pexpire(this.#key, ROUTE_TTL_MS)
        .exec();
      for (const [error] of results ?? []) if (error !== null) throw error;
    } catch (error) {
      throw toStorageError(error);
    }
  }

  async #answer(wish: {
    readonly route: string;
    readonly sinceMs: number;
    readonly limitMs: number;
    readonly signal: AbortSignal;
  }): Promise<number> {
    const { route, sinceMs, limitMs, signal } = wish;
    const answer = settleable<number>();
    const waiting: Waiting = { sinceMs, answer };
    const onAbort = () => answer.reject(toGatewayError(signal.reason));
    const late = setTimeout(() => answer.reject(noWorkerWarmed(limitMs)), limitMs);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#await(route, waiting);
    try {
      return await answer.promise;
    } finally {
      clearTimeout(late);
      signal.removeEventListener("abort", onAbort);
      this.#forget(route, waiting);
    }
  }

  #await(route: string, waiting: Waiting): void {
    const others = this.#waiting.get(route);
    if (others === undefined) this.#waiting.set(route, new Set([waiting]));
    else others.add(waiting);
    if (!this.#isLooking) void this.#look();
  }

  #forget(route: string, waiting: Waiting): void {
    const all = this.#waiting.get(route);
    all?.delete(waiting);
    if (all?.size === 0) this.#waiting.delete(route);
  }

  /** Runs while anything is waited for: each wait has its own deadline. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#waiting.size > 0) {
      await sleep(LOOK_EVERY_MS);
      await Promise.all([...this.#waiting].map(([route, all]) => this.#read(route, all)));
    }
    this.#isLooking = false;
  }

  async #read(route: string, all: ReadonlySet<Waiting>): Promise<void> {
    const oldest = Math.min(...[...all].map(({ sinceMs }) => sinceMs));
    try {
      const warmth = await this.#warmth.get(route, oldest);
      if (warmth === undefined) return;
      for (const { sinceMs, answer } of all) {
        if (warmth.atMs < sinceMs) continue;
        if (warmth.kind === "warm") answer.resolve(warmth.connectMs);
        else answer.reject(warmth.error);
      }
    } catch (error) {
      for (const { answer } of all) answer.reject(toGatewayError(error));
    }
  }
}

const noWorkerWarmed = (limitMs: number) =>
  new GatewayError("worker.unavailable", `No worker has made a connection ready within ${limitMs} ms.`, {
    facts: { limit_ms: limitMs },
  });

const tooManyRoutes = (limit: number) =>
  new GatewayError(
    "capacity.overloaded",
    `The wish is noted and not waited for: ${limit} other routes are being made ready.`,
    { facts: { budget: "prewarms", limit } },
  );
