import { createHash } from "node:crypto";
import { ERROR_CODES, type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import { z } from "zod";
import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { ownClock, type SharedClock } from "../redis/shared-clock.ts";
import { toStorageError } from "../redis/storage-error.ts";

/** An answer is good for as long as any edge waits for it. */
const WARMTH_TTL_MS = 60_000;

/** What a worker has found about a route that a client wished warm. */
export type Warmth =
  | { readonly kind: "warm"; readonly connectMs: number }
  | { readonly kind: "refused"; readonly error: GatewayError };

/** Found at `atMs` of the shared clock. */
export type FoundWarmth = Warmth & { readonly atMs: number };

/** Whether routes are warm: written by workers, read by edges. A route is named by its speech options in JSON. */
export interface RouteWarmth {
  /** @throws GatewayError `storage.*` */
  put(route: string, warmth: Warmth): Promise<void>;
  /** What was put since `sinceMs` of the shared clock. @throws GatewayError `storage.*` */
  get(route: string, sinceMs: number): Promise<FoundWarmth | undefined>;
}

const atMs = z.number();
const warmSchema = z.object({ atMs, connectMs: z.number() });
const refusedSchema = z.object({
  atMs,
  code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  retryable: z.boolean(),
  retryAfterMs: z.number().exactOptional(),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

/**
 * One hash per route, so one slot of a cluster. Several workers follow a wish: the newest warm one and the newest refusal
 * stand beside each other, and warm is the better news.
 */
export function openRouteWarmth(options: {
  readonly redis: RedisConnection;
  readonly keys: Keys;
  readonly clock?: SharedClock;
}): RouteWarmth {
  const { redis, keys, clock = ownClock } = options;
  const keyOf = (route: string) =>
    keys.routeWarmth(createHash("sha256").update(route).digest("base64url").slice(0, 22));
  return {
    put: async (route, warmth) => {
      const key = keyOf(route);
      try {
        const results = await redis
          .multi()
          .hset(key, warmth.kind, JSON.stringify({ atMs: clock.now(), ...toFields(warmth) }))
          .pexpire(key, WARMTH_TTL_MS)
          .exec();
        for (const [error] of results ?? []) if (error !== null) throw error;
      } catch (error) {
        throw toStorageError(error);
      }
    },
    get: async (route, sinceMs) => {
      try {
        const [warm, refused] = await redis.hmget(keyOf(route), "warm", "refused");
        return (warm && toWarm(warm, sinceMs)) || (refused && toRefused(refused, sinceMs)) || undefined;
      } catch (error) {
        throw toStorageError(error);
      }
    },
  };
}

function toFields(warmth: Warmth): object {
  if (warmth.kind === "warm") return { connectMs: warmth.connectMs };
  const { code, message, retryable, retryAfterMs, facts } = warmth.error;
  return { code, message, retryable, retryAfterMs, facts };
}

function toWarm(stored: string, sinceMs: number): FoundWarmth | undefined {
  const { atMs, connectMs } = warmSchema.parse(JSON.parse(stored));
  return atMs < sinceMs ? undefined : { kind: "warm", atMs, connectMs };
}

function toRefused(stored: string, sinceMs: number): FoundWarmth | undefined {
  const { atMs, code, message, ...options } = refusedSchema.parse(JSON.parse(stored));
  return atMs < sinceMs
    ? undefined
    : { kind: "refused", atMs, error: new GatewayError(code, message, options) };
}
