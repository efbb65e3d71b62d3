import type { TenantLimit } from "@tts-labs/core/access/tenant";
import { LIMIT_NAMES } from "@tts-labs/core/access/tenant";
import {
  type HeldLimit,
  HOLDER_LEASE_MS,
  type Refusal,
  type TenantUsage,
  type Wish,
} from "@tts-labs/core/access/tenant-usage";
import type { Logger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { Caller } from "./caller.ts";

export interface TenantLimiterRoles {
  /** Absent where access is open: nothing is limited by tenant. */
  readonly usage?: Pick<TenantUsage, "take" | "release">;
  readonly observer: { tenantRefused(limit: TenantLimit): void };
  readonly logger: Logger;
  readonly renewEveryMs?: number;
}

/** Gives back what was held. May be called twice. */
export type Release = () => void;

interface Held {
  readonly caller: Caller;
  readonly limit: HeldLimit;
  readonly holder: string;
  readonly most: number;
}

const NOTHING_HELD: Release = () => {};
/** Holders renewed in one call, so that none is long. */
const RENEWED_AT_ONCE = 200;

/**
 * Holds tenants to their limits, which all edges share in Redis: exactly, however many ask at once. A tenant without a
 * limit costs nothing; one with limits costs one exchange with Redis per connection and per utterance. While Redis is
 * away nothing is granted, since nothing could be spoken either.
 *
 * What is held (connections, utterances) has a lease that this edge renews; what a dead edge held is free after 30 s.
 */
export class TenantLimiter {
  readonly #roles: TenantLimiterRoles;
  readonly #held = new Set<Held>();
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(roles: TenantLimiterRoles) {
    this.#roles = roles;
    if (roles.usage === undefined) return;
    this.#timer = setInterval(() => void this.#renew(), roles.renewEveryMs ?? HOLDER_LEASE_MS / 3);
    this.#timer.unref();
  }

  /**
   * @param spare how many more it may be: one, for a client that resumes a session whose older connection still counts
   * @throws GatewayError `capacity.tenant_limit`, `storage.*`
   */
  connect(caller: Caller, holder: string, spare = 0): Promise<Release> {
    const { connections } = caller.policy.limits;
    if (connections === undefined) return Promise.resolve(NOTHING_HELD);
    return this.#hold({ caller, limit: "connections", holder, most: connections + spare });
  }

  /** A session whose connection was lost counts as a connection until it is resumed or over. Never throws. */
  detach(caller: Caller, holder: string): Release {
    return this.#keep(caller, "connections", holder);
  }

  /** An utterance that was begun over an earlier connection goes on counting. Never throws. */
  resume(caller: Caller, utteranceId: string): Release {
    return this.#keep(caller, "utterances", utteranceId);
  }

  /** Whether the caller's utterances have to be asked for. */
  isLimited({ policy: { limits } }: Caller): boolean {
    const { utterances, charactersPerMinute, textCharacters, voicesPerMinute } = limits;
    return [utterances, charactersPerMinute, textCharacters, voicesPerMinute].some((it) => it !== undefined);
  }

  /** @throws GatewayError `capacity.tenant_limit`, `storage.*`; then nothing was taken */
  async begin(
    caller: Caller,
    utterance: { readonly utteranceId: string; readonly voice: string; readonly characters: number },
  ): Promise<Release> {
    const { utterances, voicesPerMinute } = caller.policy.limits;
    const wishes: Wish[] = [...charactersOf(caller, utterance.characters)];
    if (voicesPerMinute !== undefined) {
      wishes.push({ limit: "voicesPerMinute", voice: utterance.voice, most: voicesPerMinute });
    }
    if (utterances === undefined) {
      await this.#take(caller, wishes);
      return NOTHING_HELD;
    }
    const held: Held = { caller, limit: "utterances", holder: utterance.utteranceId, most: utterances };
    return this.#hold(held, wishes);
  }

  /** Further text of an utterance. @throws GatewayError as `begin` */
  charge(caller: Caller, characters: number): Promise<void> {
    return this.#take(caller, charactersOf(caller, characters));
  }

  /** @throws GatewayError as `begin` */
  prewarm(caller: Caller): Promise<void> {
    const { prewarmsPerMinute: most } = caller.policy.limits;
    return this.#take(caller, most === undefined ? [] : [{ limit: "prewarmsPerMinute", amount: 1, most }]);
  }

  /** @throws GatewayError `capacity.text_too_long` */
  assertLength({ policy: { limits } }: Caller, characters: number): void {
    const limit = limits.textCharacters;
    if (limit === undefined || characters <= limit) return;
    this.#roles.observer.tenantRefused("textCharacters");
    throw new GatewayError(
      "capacity.text_too_long",
      `The text has ${characters} characters; an utterance of this tenant has at most ${limit}. Cut it at sentence ends.`,
      { facts: { limit, characters, tenantLimit: "text-characters" } },
    );
  }

  /** May be called twice. What is held stays until its lease is over, unless it is released. */
  close(): void {
    clearInterval(this.#timer);
    this.#held.clear();
  }

  #keep(caller: Caller, limit: HeldLimit, holder: string): Release {
    if (caller.policy.limits[limit] === undefined) return NOTHING_HELD;
    const held: Held = { caller, limit, holder, most: Number.MAX_SAFE_INTEGER };
    this.#held.add(held);
    void this.#roles.usage?.take(caller.tenant, [held]).catch((err: unknown) => this.#failed(err));
    return () => this.#release(held);
  }

  async #hold(held: Held, also: readonly Wish[] = []): Promise<Release> {
    await this.#take(held.caller, [...also, held]);
    this.#held.add(held);
    return () => this.#release(held);
  }

  async #take(caller: Caller, wishes: readonly Wish[]): Promise<void> {
    const { usage, observer } = this.#roles;
    if (usage === undefined || wishes.length === 0) return;
    const refusal = await usage.take(caller.tenant, wishes);
    if (refusal === undefined) return;
    observer.tenantRefused(refusal.limit);
    throw toError(refusal);
  }

  #release(held: Held): void {
    if (!this.#held.delete(held)) return;
    const { usage } = this.#roles;
    void usage
      ?.release(held.caller.tenant, held.limit, held.holder)
      .catch((err: unknown) => this.#failed(err));
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    const byTenant = new Map<string, Held[]>();
    for (const held of this.#held) {
      const { tenant } = held.caller;
      const all = byTenant.get(tenant);
      if (all === undefined) byTenant.set(tenant, [held]);
      else all.push(held);
    }
    for (const [tenant, held] of byTenant) {
      for (let at = 0; at < held.length; at += RENEWED_AT_ONCE) {
        // As many as there are: what is held is not taken away, also where its lease was over because Redis was away.
        const wishes = held
          .slice(at, at + RENEWED_AT_ONCE)
          .map(({ limit, holder }) => ({ limit, holder, most: Number.MAX_SAFE_INTEGER }));
        await this.#roles.usage?.take(tenant, wishes).catch((err: unknown) => this.#failed(err));
      }
    }
  }

  #failed(err: unknown): void {
    this.#roles.logger.debug({ err }, "a tenant's usage could not be written");
  }
}

function charactersOf({ policy: { limits } }: Caller, amount: number): readonly Wish[] {
  const { charactersPerMinute: most } = limits;
  return most === undefined || amount === 0 ? [] : [{ limit: "charactersPerMinute", amount, most }];
}

const nameOf = (limit: TenantLimit): string =>
  Object.entries(LIMIT_NAMES).find(([, it]) => it === limit)?.[0] ?? limit;

function toError({ limit, most, waitMs }: Refusal): GatewayError {
  const name = nameOf(limit);
  const facts = { tenantLimit: name, limit: most };
  if (waitMs === undefined) {
    const message = `This is more than the tenant's limit ${name} (${most}) ever lets through: ask for less at once.`;
    return new GatewayError("capacity.tenant_limit", message, { facts, retryable: false });
  }
  const message = `The tenant has reached its limit ${name} (${most}). Try again in ${Math.ceil(waitMs / 1_000)} s.`;
  return new GatewayError("capacity.tenant_limit", message, { facts, retryAfterMs: waitMs });
}
