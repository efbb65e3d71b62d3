import { GatewayError } from "@tts-labs/protocol/errors";
import { z } from "zod";
import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { settleWithin } from "../redis/settle-within.ts";
import { toStorageError } from "../redis/storage-error.ts";
import { newApiKey } from "./api-key.ts";
import { parsePolicy, type TenantPolicy } from "./tenant.ts";

export type Role = "client" | "operator";

/** What is known of an API key; never the key itself. */
export interface KeyRecord {
  readonly id: string;
  /** SHA-256 of the key, in hex. */
  readonly hash: string;
  readonly tenant: string;
  /** What people call it. */
  readonly name: string;
  readonly role: Role;
  readonly createdAtMs: number;
  /** What it has left by Redis' clock; absent: it does not expire. */
  readonly expiresInMs?: number;
}

export interface KeyRequest {
  readonly tenant: string;
  readonly name: string;
  readonly role: Role;
  readonly expiresInMs?: number;
}

const aboutSchema = z.object({
  hash: z.string(),
  tenant: z.string(),
  name: z.string(),
  role: z.enum(["client", "operator"]),
  createdAtMs: z.number(),
});

/** Most keys of one system: `list` reads all of them. */
export const MAX_KEYS = 10_000;

/**
 * API keys and tenants' policies in Redis, for all edges. Unlike all else in Redis these have no TTL: they are
 * configuration, and stay until they are taken back. Each change raises the *access epoch*, by which edges notice, within
 * their interval of looking, that what they remember has to be looked up again.
 */
export class KeyStore {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;

  constructor(redis: RedisConnection, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** @throws GatewayError `storage.*`, `config.invalid` where there are too many */
  async create(request: KeyRequest): Promise<{ readonly key: string; readonly record: KeyRecord }> {
    const { id, key, hash } = newApiKey();
    const { tenant, name, role, expiresInMs } = request;
    const createdAtMs = Date.now();
    await this.#do(async (redis) => {
      if ((await redis.scard(this.#keys.apiKeys)) >= MAX_KEYS) {
        throw new GatewayError("config.invalid", `There are ${MAX_KEYS} keys already: revoke some first.`);
      }
      // Listed first: a key that works and is in no list could not be taken back.
      await redis.sadd(this.#keys.apiKeys, id);
      const about = JSON.stringify({ hash, tenant, name, role, createdAtMs });
      if (expiresInMs === undefined) await redis.set(this.#keys.apiKey(id), about);
      else await redis.set(this.#keys.apiKey(id), about, "PX", expiresInMs);
    });
    const record = { id, hash, tenant, name, role, createdAtMs };
    return { key, record: expiresInMs === undefined ? record : { ...record, expiresInMs } };
  }

  /** @throws GatewayError `storage.*` */
  find(id: string): Promise<KeyRecord | undefined> {
    return this.#do(async (redis) => {
      const key = this.#keys.apiKey(id);
      const [stored, leftMs] = await Promise.all([redis.get(key), redis.pttl(key)]);
      return toRecord(id, stored, leftMs);
    });
  }

  /** All that are valid, oldest first. @throws GatewayError `storage.*` */
  list(): Promise<readonly KeyRecord[]> {
    return this.#do(async (redis) => {
      const ids = await redis.smembers(this.#keys.apiKeys);
      const found = await Promise.all(ids.map((id) => this.find(id)));
      const gone = ids.filter((_, i) => found[i] === undefined);
      if (gone.length > 0) await redis.srem(this.#keys.apiKeys, ...gone);
      return found
        .filter((it) => it !== undefined)
        .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
    });
  }

  /** @returns false where there is none of this id @throws GatewayError `storage.*`: call again */
  revoke(id: string): Promise<boolean> {
    return this.#do(async (redis) => {
      const removed = await redis.del(this.#keys.apiKey(id));
      await redis.srem(this.#keys.apiKeys, id);
      await redis.incr(this.#keys.accessEpoch);
      return removed > 0;
    });
  }

  /** Lets a key expire, sooner than it would. @throws GatewayError `storage.*` */
  expire(id: string, inMs: number): Promise<void> {
    return this.#do(async (redis) => {
      const leftMs = await redis.pttl(this.#keys.apiKey(id));
      if (leftMs === -1 || leftMs > inMs) await redis.pexpire(this.#keys.apiKey(id), inMs);
      await redis.incr(this.#keys.accessEpoch);
    });
  }

  /** @throws GatewayError `storage.*` */
  policy(tenant: string): Promise<TenantPolicy> {
    return this.#do(async (redis) => parsePolicy(await redis.get(this.#keys.tenant(tenant))));
  }

  /** @throws GatewayError `storage.*` */
  async setPolicy(tenant: string, policy: TenantPolicy): Promise<void> {
    await this.#do(async (redis) => {
      await redis.set(this.#keys.tenant(tenant), JSON.stringify(policy));
      await redis.incr(this.#keys.accessEpoch);
    });
  }

  /** Another one means that something has changed. @throws GatewayError `storage.*` */
  epoch(): Promise<string> {
    return this.#do(async (redis) => (await redis.get(this.#keys.accessEpoch)) ?? "");
  }

  /** Whether any key exists. @throws GatewayError `storage.*` */
  hasKeys(): Promise<boolean> {
    return this.list().then((all) => all.length > 0);
  }

  async #do<T>(work: (redis: RedisConnection) => Promise<T>): Promise<T> {
    try {
      return await settleWithin(work(this.#redis));
    } catch (error) {
      throw toStorageError(error);
    }
  }
}

function toRecord(id: string, stored: string | null, leftMs: number): KeyRecord | undefined {
  if (stored === null || leftMs === -2) return undefined;
  const record = { id, ...aboutSchema.parse(JSON.parse(stored)) };
  return leftMs < 0 ? record : { ...record, expiresInMs: leftMs };
}
