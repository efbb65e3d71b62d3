import { createHash } from "node:crypto";
import { GatewayError } from "@tts-labs/protocol/errors";
import { newListenerSecret } from "../ids.ts";
import type { Logger } from "../logger.ts";
import { type Bell, openBell } from "../redis/bell.ts";
import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { retryStorage } from "../redis/retry.ts";
import { Script } from "../redis/script.ts";
import { settleWithin } from "../redis/settle-within.ts";
import { toStorageError } from "../redis/storage-error.ts";
import {
  type BroadcastObserver,
  type BroadcastPlace,
  type BroadcastReader,
  type BroadcastSession,
  type BroadcastStore,
  type BroadcastWriter,
  MAX_LISTENER_TOKENS,
} from "./broadcast.ts";
import { broadcastKeys, broadcastTag, tagOfToken } from "./broadcast-keys.ts";
import { RedisBroadcastReader } from "./redis-broadcast-reader.ts";
import { RedisBroadcastWriter } from "./redis-broadcast-writer.ts";

const allow = new Script("broadcast-allow");
const STORAGE_RETRY_MS = 5_000;

export interface BroadcastStoreOptions {
  readonly redis: RedisConnection;
  /** Opened for `subscriber`; may be shared with others. */
  readonly subscriber: RedisConnection;
  readonly keys: Keys;
  /** Names this process. */
  readonly nodeId: string;
  readonly logger: Logger;
  /** Life of a broadcast that is not refreshed, as of its session. */
  readonly ttlMs: number;
  readonly observer?: BroadcastObserver;
}

const silent: BroadcastObserver = { entriesDropped: () => {}, readers: () => {} };

/** Hears its bell from its return on. @throws GatewayError `storage.*` */
export async function openBroadcasts(options: BroadcastStoreOptions): Promise<BroadcastStore> {
  const { redis, subscriber, keys, logger } = options;
  // A channel of its own: the names that other bells give must not be mixed up with these.
  const nodeId = `${options.nodeId}-listen`;
  const bell = await retryStorage(STORAGE_RETRY_MS, undefined, () =>
    openBell({ redis, subscriber, keys, nodeId, logger }),
  );
  return new RedisBroadcastStore(options, bell);
}

class RedisBroadcastStore implements BroadcastStore {
  readonly #options: BroadcastStoreOptions;
  readonly #bell: Bell;

  constructor(options: BroadcastStoreOptions, bell: Bell) {
    this.#options = options;
    this.#bell = bell;
  }

  async allow({ sessionId, publicId, birth, sampleRateHz = 0 }: BroadcastSession): Promise<string> {
    const { redis, ttlMs } = this.#options;
    const { about, log } = this.#keysOf(sessionId);
    const token = `${newListenerSecret()}.${broadcastTag(sessionId)}`;
    const args = [tokenField(token), ttlMs, MAX_LISTENER_TOKENS, birth, publicId, sampleRateHz];
    const [status] = await allow.run(redis, [about, log], args);
    if (status === "ok") return token;
    throw new GatewayError(
      "capacity.too_many_listeners",
      `The session has ${MAX_LISTENER_TOKENS} listener tokens, which is as many as it may have: share one of them.`,
      { facts: { limit: MAX_LISTENER_TOKENS } },
    );
  }

  async admits(publicId: string, token: string): Promise<"admitted" | "refused" | "unknown"> {
    const tag = tagOfToken(token);
    if (tag === undefined) return "refused";
    const [id, held] = await this.#get(tag, ["id", tokenField(token)]);
    if (id === null) return "unknown";
    return held === null || id !== publicId ? "refused" : "admitted";
  }

  async find({ sessionId, birth }: BroadcastSession): Promise<BroadcastPlace | undefined> {
    const [found, utterance, sample] = await this.#get(broadcastTag(sessionId), [
      "birth",
      "utterance",
      "sample",
    ]);
    if (found !== birth) return undefined;
    return { utterance: Number(utterance ?? 0), sample: Number(sample ?? 0) };
  }

  async refresh(sessionId: string): Promise<void> {
    const { redis, ttlMs, logger } = this.#options;
    const { about, log } = this.#keysOf(sessionId);
    const renewed = [about, log].map((key) => settleWithin(redis.pexpire(key, ttlMs)));
    await Promise.all(renewed).catch((err: unknown) =>
      logger.debug({ err }, "a broadcast was not refreshed"),
    );
  }

  writer(sessionId: string, epoch: number): BroadcastWriter {
    const { redis, logger, ttlMs, observer = silent } = this.#options;
    const keys = this.#keysOf(sessionId);
    return new RedisBroadcastWriter({ redis, bell: this.#bell, logger, keys, epoch, ttlMs, observer });
  }

  reader(tag: string): BroadcastReader {
    const { redis, observer = silent } = this.#options;
    return new RedisBroadcastReader({
      redis,
      bell: this.#bell,
      keys: broadcastKeys(this.#options.keys, tag),
      observer,
    });
  }

  close(): Promise<void> {
    return this.#bell.close();
  }

  async #get(tag: string, fields: readonly string[]): Promise<readonly (string | null)[]> {
    try {
      const { about } = broadcastKeys(this.#options.keys, tag);
      return await settleWithin(this.#options.redis.hmget(about, ...fields));
    } catch (error) {
      throw toStorageError(error);
    }
  }

  #keysOf(sessionId: string) {
    return broadcastKeys(this.#options.keys, broadcastTag(sessionId));
  }
}

const tokenField = (token: string): string => `t:${createHash("sha256").update(token).digest("hex")}`;
