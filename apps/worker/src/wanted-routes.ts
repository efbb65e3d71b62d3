import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@tts-labs/core/logger";
import type { SpeechOptions } from "@tts-labs/core/protocol/speech-options";
import type { RedisConnection } from "@tts-labs/core/redis/client";
import type { Keys } from "@tts-labs/core/redis/keys";

/** Routes looked at in one round; the edges list no more than that. */
const MAX_ROUTES = 256;

export interface WantedRoutesOptions {
  readonly redis: RedisConnection;
  readonly keys: Keys;
  readonly everyMs: number;
  readonly prewarm: (speech: SpeechOptions) => void;
  readonly logger: Logger;
}

/**
 * Warms what clients have announced with `prewarm`: edges list such routes in a sorted set, by the time until
 * which the wish holds. Each wish is followed once; one that is repeated has a later time.
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
  { redis, keys, prewarm }: WantedRoutesOptions,
  followed: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const reply = await redis.zrange(
    keys.routes,
    Date.now(),
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
    if (followed.get(route) !== until) prewarm(JSON.parse(route) as SpeechOptions);
  }
  return wishes;
}
