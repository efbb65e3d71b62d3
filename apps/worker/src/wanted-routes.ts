import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@tts-labs/core/logger";
import type { RedisConnection } from "@tts-labs/core/redis/client";
import type { Keys } from "@tts-labs/core/redis/keys";
import { ownClock, type SharedClock } from "@tts-labs/core/redis/shared-clock";
import { openRouteWarmth, type RouteWarmth, type Warmth } from "@tts-labs/core/session/route-warmth";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";

/** Routes looked at in one round; the edges list no more than that. */
const MAX_ROUTES = 256;
/** Longest wait for one of them; a connect has 5 s. Edges wait for longer, so that they hear the reason. */
const WARM_WITHIN_MS = 6_000;
/** All workers see a wish within a round or two; later ones need not count. */
const WISH_TTL_MS = 60_000;

export interface WantedRoutesOptions {
  readonly redis: RedisConnection;
  readonly keys: Keys;
  readonly everyMs: number;
  /** How many workers of the fleet warm one wish. Nobody knows which of them will get the utterance. */
  readonly workersPerWish: number;
  /** Makes a connection ready. @returns milliseconds that connecting took */
  readonly warm: (speech: SpeechOptions, signal: AbortSignal) => Promise<number>;
  readonly logger: Logger;
  /** Default: this process is alone. */
  readonly clock?: SharedClock;
  /** Default: `WARM_WITHIN_MS`. */
  readonly warmWithinMs?: number;
}

/**
 * Warms what clients have announced with `prewarm`: edges list such routes in a sorted set, by the time until
 * which the wish holds. Each wish is followed once, by the first few workers that see it; one that is repeated
 * has a later time. What becomes of it is told to the edges (`RouteWarmth`); one route is warmed once at a time, so at
 * most as many as edges list.
 * @returns what ends it
 */
export function followWantedRoutes(options: WantedRoutesOptions): () => Promise<void> {
  const stop = new AbortController();
  const following = follow(options, stop.signal);
  return () => {
    stop.abort();
    return following;
  };
}

async function follow(options: WantedRoutesOptions, signal: AbortSignal): Promise<void> {
  const { redis, keys, clock = ownClock } = options;
  const warming = new Warming(options, openRouteWarmth({ redis, keys, clock }), signal);
  let followed: ReadonlyMap<string, string> = new Map();
  while (!signal.aborted) {
    try {
      followed = await followOnce(options, followed, warming);
    } catch (err) {
      options.logger.debug({ err }, "wanted routes not read");
    }
    await sleep(options.everyMs, undefined, { signal }).catch(() => {});
  }
  await warming.ended();
}

async function followOnce(
  options: WantedRoutesOptions,
  followed: ReadonlyMap<string, string>,
  warming: Warming,
): Promise<ReadonlyMap<string, string>> {
  const { redis, keys, clock = ownClock } = options;
  const reply = await redis.zrange(
    keys.routes,
    Math.round(clock.now()),
    "+inf",
    "BYSCORE",
    "LIMIT",
    0,
    MAX_ROUTES,
    "WITHSCORES",
  );
  const wishes = new Map<string, string>();
  for (let i = 0; i + 1 < reply.length; i += 2) wishes.set(reply[i] ?? "", reply[i + 1] ?? "");
  for (const [route, until] of wishes) {
    if (followed.get(route) === until) continue;
    if (await isAmongFirst(options, `${until} ${route}`)) warming.begin(route);
  }
  return wishes;
}

/** Routes that are being made warm. */
class Warming {
  readonly #options: WantedRoutesOptions;
  readonly #warmth: RouteWarmth;
  readonly #stopped: AbortSignal;
  readonly #running = new Map<string, Promise<void>>();
  /** Wished again while they were being warmed: the answer may be older than the wish. */
  readonly #again = new Set<string>();

  constructor(options: WantedRoutesOptions, warmth: RouteWarmth, stopped: AbortSignal) {
    this.#options = options;
    this.#warmth = warmth;
    this.#stopped = stopped;
  }

  begin(route: string): void {
    if (this.#running.has(route)) {
      this.#again.add(route);
      return;
    }
    const run = this.#run(route).finally(() => {
      this.#running.delete(route);
      if (this.#again.delete(route) && !this.#stopped.aborted) this.begin(route);
    });
    this.#running.set(route, run);
  }

  async ended(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  async #run(route: string): Promise<void> {
    const { logger } = this.#options;
    try {
      const warmth = await this.#warm(route);
      if (!this.#stopped.aborted) await this.#warmth.put(route, warmth);
    } catch (err) {
      logger.debug({ err }, "what became of a wanted route could not be told");
    }
  }

  async #warm(route: string): Promise<Warmth> {
    const { warm, warmWithinMs = WARM_WITHIN_MS } = this.#options;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(notWarm(warmWithinMs)), warmWithinMs);
    try {
      const speech = JSON.parse(route) as SpeechOptions;
      return { kind: "warm", connectMs: await warm(speech, AbortSignal.any([late.signal, this.#stopped])) };
    } catch (error) {
      return { kind: "refused", error: toGatewayError(error) };
    } finally {
      clearTimeout(timer);
    }
  }
}

const notWarm = (limitMs: number) =>
  new GatewayError("provider.connect_timeout", `No connection was ready within ${limitMs} ms.`);

async function isAmongFirst(
  { redis, keys, workersPerWish }: WantedRoutesOptions,
  wish: string,
): Promise<boolean> {
  const key = keys.routeWish(createHash("sha256").update(wish).digest("base64url").slice(0, 22));
  const results = await redis.multi().incr(key).pexpire(key, WISH_TTL_MS).exec();
  const [error, place] = results?.[0] ?? [];
  if (error != null) throw error;
  return Number(place) <= workersPerWish;
}
