import { z } from "zod";
import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { Script } from "../redis/script.ts";
import { settleWithin } from "../redis/settle-within.ts";
import { toStorageError } from "../redis/storage-error.ts";

/** What an account adds to its tenant's totals. `asked` is `synthesized` + `cached` + `refused`, to the character. */
export interface Usage {
  /** Characters of text, as given, white space included. */
  readonly asked: number;
  /** Given to a worker, whatever became of it. */
  readonly synthesized: number;
  /** Found in the cache, or heard from another utterance that was just saying the same. */
  readonly cached: number;
  /** Refused, or failed before a sound of it was made. */
  readonly refused: number;
  /** Samples given to the client, and those of them that it has heard as far as it is known. */
  readonly delivered: number;
  readonly heard: number;
  readonly utterances: number;
}

export const USAGE_NAMES: readonly (keyof Usage)[] = [
  ...(["asked", "synthesized", "cached", "refused", "delivered", "heard", "utterances"] as const),
];

/** What is durable of an utterance before it has ended. */
export interface OpenAccount {
  readonly asked: number;
  readonly cached: number;
  readonly openedAtMs: number;
}

/** Totals are by month, and stay for more than a year; accounts that nothing closes, for a month. */
const TOTALS_TTL_MS = 400 * 86_400_000;
const OPEN_TTL_MS = 30 * 86_400_000;
/** Younger accounts are not looked at: their utterance may be between two edges. */
const LOST_AFTER_MS = 120_000;
const SCAN_COUNT = 500;
const close = new Script("ledger-close");
const accountSchema = z.object({ asked: z.number(), cached: z.number(), openedAtMs: z.number() });

/** The month of a time, as `2026-11`, in UTC. */
export const monthOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 7);

/**
 * What each tenant has used. An utterance's account is opened in Redis when its text is, kept current as text comes, and
 * closed into the totals once: closing it again, by another edge or a repeated command, changes nothing. Where an edge
 * dies with it, what is known of it is closed by `settleLost`. A tenant's accounts and totals lie in one slot.
 */
export class UsageLedger {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;

  constructor(redis: RedisConnection, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** Opens an account, or keeps it current. @throws GatewayError `storage.*` */
  async note(tenant: string, utteranceId: string, account: OpenAccount): Promise<void> {
    const key = this.#keys.openAccounts(tenant);
    await this.#do(async (redis) => {
      const noted = redis.hset(key, utteranceId, JSON.stringify(account));
      await Promise.all([
        noted,
        redis.pexpire(key, OPEN_TTL_MS),
        redis.sadd(this.#keys.ledgerTenants, tenant),
      ]);
    });
  }

  /**
   * Closes an account. May be called twice. @param utteranceId "" for what was refused before it had an account
   * @throws GatewayError `storage.*`
   */
  async close(tenant: string, utteranceId: string, usage: Usage, atMs = Date.now()): Promise<void> {
    const keys = [this.#keys.openAccounts(tenant), this.#keys.usageTotals(tenant, monthOf(atMs))];
    const amounts = USAGE_NAMES.flatMap((name) => [name, Math.max(0, Math.round(usage[name]))]);
    await close.run(this.#redis, keys, [utteranceId, TOTALS_TTL_MS, ...amounts]);
    if (utteranceId === "") await this.#do((redis) => redis.sadd(this.#keys.ledgerTenants, tenant));
  }

  /** @throws GatewayError `storage.*` */
  async totals(tenant: string, month: string): Promise<Usage> {
    const stored = await this.#do((redis) => redis.hgetall(this.#keys.usageTotals(tenant, month)));
    const numbers = USAGE_NAMES.map((name) => [name, Number(stored[name] ?? 0)] as const);
    return Object.fromEntries(numbers) as Record<keyof Usage, number>;
  }

  /** Those who have used anything. @throws GatewayError `storage.*` */
  async tenants(): Promise<readonly string[]> {
    return (await this.#do((redis) => redis.smembers(this.#keys.ledgerTenants))).sort();
  }

  /**
   * Closes accounts of utterances that are live nowhere, because their edge has died: what was asked counts as
   * synthesized unless the cache had it, and nothing as delivered. @returns how many @throws GatewayError `storage.*`
   */
  async settleLost(tenant: string, olderThanMs: number = LOST_AFTER_MS): Promise<number> {
    let settled = 0;
    let cursor = "0";
    do {
      const [next, found] = await this.#do((redis) =>
        redis.hscan(this.#keys.openAccounts(tenant), cursor, "COUNT", SCAN_COUNT),
      );
      cursor = next;
      for (let at = 0; at + 1 < found.length; at += 2) {
        const [utteranceId = "", account = ""] = found.slice(at, at + 2);
        if (await this.#settle(tenant, utteranceId, account, olderThanMs)) settled++;
      }
    } while (cursor !== "0");
    return settled;
  }

  async #settle(tenant: string, utteranceId: string, stored: string, olderThanMs: number): Promise<boolean> {
    const { asked, cached, openedAtMs } = accountSchema.parse(JSON.parse(stored));
    if (Date.now() - openedAtMs < olderThanMs) return false;
    const isLive = await this.#do((redis) => redis.exists(this.#keys.utterance(utteranceId)));
    if (isLive === 1) return false;
    const synthesized = asked - cached;
    const usage = { asked, synthesized, cached, refused: 0, delivered: 0, heard: 0, utterances: 1 };
    await this.close(tenant, utteranceId, usage, openedAtMs);
    return true;
  }

  async #do<T>(work: (redis: RedisConnection) => Promise<T>): Promise<T> {
    try {
      return await settleWithin(work(this.#redis));
    } catch (error) {
      throw toStorageError(error);
    }
  }
}
