import { GatewayError } from "@tts-labs/protocol/errors";
import type { RedisConnection } from "../redis/client.ts";
import type { SharedClock } from "../redis/shared-clock.ts";

/** Ids asked of Redis at once. */
const MAX_PAGE = 500;

export interface ListedIds {
  readonly total: number;
  readonly ids: readonly string[];
  readonly nextCursor?: string;
}

/**
 * Ids by the time at which they expire, in a sorted set that itself lives as long as its longest-lived member.
 * Times are of the clock that all processes share.
 *
 * Pages go on after the last id and its expiry. A refresh moves an id to a later expiry, so an id that stays
 * live is on some page, and one that is refreshed meanwhile may be on two.
 */
export class LiveIndex {
  readonly #redis: RedisConnection;
  readonly #key: string;
  readonly #clock: SharedClock;

  constructor(redis: RedisConnection, key: string, clock: SharedClock) {
    this.#redis = redis;
    this.#key = key;
    this.#clock = clock;
  }

  async add(id: string, ttlMs: number): Promise<void> {
    const nowMs = Math.round(this.#clock.now());
    const replies = await this.#redis
      .multi()
      .zadd(this.#key, nowMs + ttlMs, id)
      .zremrangebyscore(this.#key, "-inf", nowMs)
      .pexpire(this.#key, ttlMs, "NX")
      .pexpire(this.#key, ttlMs, "GT")
      .exec();
    for (const [error] of replies ?? []) if (error) throw error;
  }

  async remove(id: string): Promise<void> {
    await this.#redis.zrem(this.#key, id);
  }

  /** `limit` is cut to 500. @throws GatewayError `protocol.invalid_message` for a cursor that is not ours */
  async list(limit: number, cursor?: string): Promise<ListedIds> {
    const nowMs = Math.round(this.#clock.now());
    const after = cursor === undefined ? { expiresAtMs: nowMs, id: "" } : parseCursor(cursor);
    const pageSize = Math.min(Math.max(1, limit), MAX_PAGE);
    const found = await this.#after(after, nowMs, pageSize + 1);
    const page = found.slice(0, pageSize);
    const last = page.at(-1);
    return {
      total: await this.#redis.zcount(this.#key, nowMs, "+inf"),
      ids: page.map(({ id }) => id),
      ...(found.length > pageSize && last !== undefined ? { nextCursor: encodeCursor(last) } : {}),
    };
  }

  /** Members with the same expiry are in order of their ids, as Redis keeps them. */
  async #after(after: Place, nowMs: number, count: number): Promise<Place[]> {
    const places: Place[] = [];
    const from = Math.max(after.expiresAtMs, nowMs);
    for (let offset = 0; places.length < count; offset += count) {
      const reply = await this.#redis.zrangebyscore(
        this.#key,
        from,
        "+inf",
        "WITHSCORES",
        "LIMIT",
        offset,
        count,
      );
      for (let i = 0; i + 1 < reply.length; i += 2) {
        const place = { id: reply[i] ?? "", expiresAtMs: Number(reply[i + 1]) };
        const isSeen = place.expiresAtMs === after.expiresAtMs && compareBytes(place.id, after.id) <= 0;
        if (!isSeen) places.push(place);
      }
      if (reply.length < count * 2) break;
    }
    return places.slice(0, count);
  }
}

interface Place {
  readonly expiresAtMs: number;
  readonly id: string;
}

/** As Redis orders them, which is not JavaScript's order beyond U+FFFF. */
const compareBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const encodeCursor = ({ expiresAtMs, id }: Place): string =>
  `${expiresAtMs}.${Buffer.from(id).toString("base64url")}`;

function parseCursor(cursor: string): Place {
  const [, expiresAtMs, id] = /^(\d{1,15})\.([A-Za-z0-9_-]{1,700})$/.exec(cursor) ?? [];
  if (expiresAtMs === undefined || id === undefined) {
    throw new GatewayError("protocol.invalid_message", "The cursor is not one that was handed out.");
  }
  return { expiresAtMs: Number(expiresAtMs), id: Buffer.from(id, "base64url").toString() };
}
