import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { Script } from "../redis/script.ts";
import { settleWithin } from "../redis/settle-within.ts";
import { toStorageError } from "../redis/storage-error.ts";
import type { TenantLimit } from "./tenant.ts";

/** What can be held; the number of its key in the script. */
const HELD = { connections: 2, utterances: 3 } as const;
export type HeldLimit = keyof typeof HELD;
export type RateLimit = "charactersPerMinute" | "prewarmsPerMinute";

/** Something that a tenant wants to take, and the limit that it must stay within. */
export type Wish =
  | { readonly limit: HeldLimit; readonly holder: string; readonly most: number }
  | { readonly limit: RateLimit; readonly amount: number; readonly most: number }
  | { readonly limit: "voicesPerMinute"; readonly voice: string; readonly most: number };

/** Why nothing was taken. */
export interface Refusal {
  readonly limit: TenantLimit;
  readonly most: number;
  /** Until it may be taken; `undefined`: never, since it is more than the limit. */
  readonly waitMs: number | undefined;
}

/** What a holder is worth that is not renewed: its edge has died. */
export const HOLDER_LEASE_MS = 30_000;
/** A tenant that takes nothing for this long has all of its limits again. */
const TTL_MS = 120_000;
const take = new Script("tenant-take");

/** How much of its limits each tenant has taken, over all edges. All keys of a tenant lie in one slot. */
export class TenantUsage {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;

  constructor(redis: RedisConnection, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** Takes all of them, or none. A holder that is there is renewed. @throws GatewayError `storage.*` */
  async take(tenant: string, wishes: readonly Wish[]): Promise<Refusal | undefined> {
    if (wishes.length === 0) return undefined;
    const args = wishes.flatMap(toWords);
    const [status, index, wait] = await take.run(this.#redis, this.#keysOf(tenant), [
      HOLDER_LEASE_MS,
      TTL_MS,
      ...args,
    ]);
    const refused = wishes[Number(index)];
    if (status === "taken" || refused === undefined) return undefined;
    const waitMs = Number(wait);
    return { limit: refused.limit, most: refused.most, waitMs: waitMs < 0 ? undefined : waitMs };
  }

  /** Safe to call twice. @throws GatewayError `storage.*` */
  async release(tenant: string, limit: HeldLimit, holder: string): Promise<void> {
    const key = this.#keysOf(tenant)[HELD[limit] - 1] ?? "";
    try {
      await settleWithin(this.#redis.zrem(key, holder));
    } catch (error) {
      throw toStorageError(error);
    }
  }

  #keysOf(tenant: string): readonly string[] {
    return ["rates", "connections", "utterances", "voices"].map((part) =>
      this.#keys.tenantUsage(tenant, part),
    );
  }
}

function toWords(wish: Wish): readonly (string | number)[] {
  if ("holder" in wish) return ["hold", HELD[wish.limit], wish.holder, wish.most];
  if ("amount" in wish) return ["rate", wish.limit, wish.amount, wish.most];
  return ["voice", wish.voice, wish.most, ""];
}
