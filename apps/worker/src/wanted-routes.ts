import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@tts-labs/core/logger";
import type { RedisConnection } from "@tts-labs/core/redis/client";
import type { Keys } from "@tts-labs/core/redis/keys";
import { ownClock, type SharedClock } from "@tts-labs/core/redis/shared-clock";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";

/** Routes looked at in one round; the edges list no more than that. */
const MAX_ROUTES = 256;
/** All workers see a wish within a round or two; later ones need not count. */
const WISH_TTL_MS = 60_000;

export interface WantedRoutesOptions {
  readonly redis: RedisConnection;
  readonly keys: Keys;
  readonly everyMs: number;
  /** How many workers of the fleet warm one wish. Nobody knows which of them will get the utterance. */
  readonly workersPerWish: number;
  readonly prewarm: (speech: SpeechOptions) => void;
  readonly logger: Logger;
  /** Default: this process is alone. */
  readonly clock?: SharedClock;
}

/**
 * Warms what clients have announced with `prewarm`: edges list such routes in a sorted set, by the time until
 * which the wish holds. Each wish is followed once, by the first few workers that see it; one that is repeated
 * has a later time.
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
  let followed: ReadonlyMap<string, string> = new Map();
  while (!signal.aborted) {
    try {
      followed = await followOnce(options, followed);
    } catch (err) {
      options.logger.debug({ err }, "wanted routes not read");
    }
    await sleep(options.everyMs, undefined, { signal }).catch(() => {});
  }
}

async function followOnce(
  options: WantedRoutesOptions,
  followed: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const { redis, keys, prewarm, clock = ownClock } = options;
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
    if (await isAmongFirst(options, `${until} ${route}`)) prewarm(JSON.parse(route) as SpeechOptions);
  }
  return wishes;
}

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
