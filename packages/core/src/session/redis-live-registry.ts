import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { ownClock, type SharedClock } from "../redis/shared-clock.ts";
import { toStorageError } from "../redis/storage-error.ts";
import { type ListedIds, LiveIndex } from "./live-index.ts";
import {
  parseSessionFields,
  parseUtteranceFields,
  type RecordFields,
  toRecordFields,
} from "./live-records.ts";
import type { LivePage, LiveRegistry, SessionRecord, UtteranceRecord } from "./live-registry.ts";

/** In one step, so that a late change does not bring back what has been removed. */
const CHANGE_IF_LISTED = `
if redis.call("EXISTS", KEYS[1]) == 1 then redis.call("HSET", KEYS[1], unpack(ARGV)) end
return 0`;

/**
 * The live view in Redis: a hash with a TTL per session and utterance, and an index of ids by expiry for each
 * of the two kinds. On a cluster a record and its index lie in different slots, so there is no transaction over
 * both: the record is written first and removed first, and an id whose record is gone is not listed.
 */
export function openLiveRegistry(options: {
  readonly redis: RedisConnection;
  readonly keys: Keys;
  /** Default: this process is alone. */
  readonly clock?: SharedClock;
}): LiveRegistry {
  return new RedisLiveRegistry(options.redis, options.keys, options.clock ?? ownClock);
}

class RedisLiveRegistry implements LiveRegistry {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;
  readonly #sessions: LiveIndex;
  readonly #utterances: LiveIndex;
  readonly #clock: SharedClock;

  constructor(redis: RedisConnection, keys: Keys, clock: SharedClock) {
    this.#redis = redis;
    this.#keys = keys;
    this.#clock = clock;
    this.#sessions = new LiveIndex(redis, keys.liveSessions, clock);
    this.#utterances = new LiveIndex(redis, keys.liveUtterances, clock);
  }

  putSession(record: SessionRecord, ttlMs: number): Promise<void> {
    return atBorder(async () => {
      await this.#put(this.#keys.session(record.sessionId), this.#toFields(record), ttlMs);
      await this.#sessions.add(record.sessionId, ttlMs);
    });
  }

  removeSession(sessionId: string): Promise<void> {
    return atBorder(async () => {
      await this.#redis.del(this.#keys.session(sessionId));
      await this.#sessions.remove(sessionId);
    });
  }

  putUtterance(record: UtteranceRecord, ttlMs: number): Promise<void> {
    return atBorder(async () => {
      await this.#put(this.#keys.utterance(record.utteranceId), this.#toFields(record), ttlMs);
      await this.#utterances.add(record.utteranceId, ttlMs);
    });
  }

  updateUtterance(
    utteranceId: string,
    change: Partial<Pick<UtteranceRecord, "workerId" | "state" | "queuedFrames">>,
  ): Promise<void> {
    const fields = Object.entries(toRecordFields(change)).flat();
    if (fields.length === 0) return Promise.resolve();
    return atBorder(async () => {
      await this.#redis.eval(CHANGE_IF_LISTED, 1, this.#keys.utterance(utteranceId), ...fields);
    });
  }

  removeUtterance(utteranceId: string): Promise<void> {
    return atBorder(async () => {
      await this.#redis.del(this.#keys.utterance(utteranceId));
      await this.#utterances.remove(utteranceId);
    });
  }

  listSessions(page: { readonly limit: number; readonly cursor?: string }): Promise<LivePage<SessionRecord>> {
    return atBorder(async () => {
      const listed = await this.#sessions.list(page.limit, page.cursor);
      return this.#toPage(listed, (id) => this.#keys.session(id), parseSessionFields);
    });
  }

  listUtterances(page: {
    readonly limit: number;
    readonly cursor?: string;
  }): Promise<LivePage<UtteranceRecord>> {
    return atBorder(async () => {
      const listed = await this.#utterances.list(page.limit, page.cursor);
      return this.#toPage(listed, (id) => this.#keys.utterance(id), parseUtteranceFields);
    });
  }

  #toFields(record: SessionRecord | UtteranceRecord): RecordFields {
    return toRecordFields({ ...record, createdAtMs: this.#clock.toShared(record.createdAtMs) });
  }

  /** Fields that a record does not name stay: the edge refreshes, the worker adds its own. */
  async #put(key: string, fields: RecordFields, ttlMs: number): Promise<void> {
    const replies = await this.#redis.multi().hset(key, fields).pexpire(key, ttlMs).exec();
    for (const [error] of replies ?? []) if (error) throw error;
  }

  async #toPage<T extends { readonly createdAtMs: number }>(
    listed: ListedIds,
    keyOf: (id: string) => string,
    parse: (fields: RecordFields) => T | undefined,
  ): Promise<LivePage<T>> {
    const records = await Promise.all(listed.ids.map((id) => this.#redis.hgetall(keyOf(id))));
    const items = records
      .map(parse)
      .filter((item): item is T & {} => item !== undefined)
      .map((item) => ({ ...item, createdAtMs: this.#clock.toLocal(item.createdAtMs) }));
    return {
      total: listed.total,
      items,
      ...(listed.nextCursor === undefined ? {} : { nextCursor: listed.nextCursor }),
    };
  }
}

async function atBorder<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toStorageError(error);
  }
}
