import { isOrigin } from "../http/door.ts";

/** A tenant's name: in keys of Redis, in commands and in logs. */
export const TENANT_PATTERN: RegExp = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What a tenant may use at once or in a minute, over all edges together; what is absent is not limited. */
export interface TenantLimits {
  /** WebSockets, syntheses under way and sessions that wait to be resumed. */
  readonly connections?: number;
  /** Utterances that have begun and have not ended. */
  readonly utterances?: number;
  /** Characters of text, white space included. */
  readonly charactersPerMinute?: number;
  /** Characters of one utterance. */
  readonly textCharacters?: number;
  readonly prewarmsPerMinute?: number;
  /** Different voices. */
  readonly voicesPerMinute?: number;
}

export type TenantLimit = keyof TenantLimits;

/** As people write them and errors name them. */
export const LIMIT_NAMES: Readonly<Record<string, TenantLimit>> = {
  connections: "connections",
  utterances: "utterances",
  "characters-per-minute": "charactersPerMinute",
  "text-characters": "textCharacters",
  "prewarms-per-minute": "prewarmsPerMinute",
  "voices-per-minute": "voicesPerMinute",
};

/** How a tenant may use the system, whichever of its keys is shown. */
export interface TenantPolicy {
  readonly limits: TenantLimits;
  /** Origins of pages that may use the tenant's keys and tokens; none: those that the edge lets in. */
  readonly origins: readonly string[];
  /** Its share of provider slots and worker places when they are full, against others' shares. */
  readonly weight: number;
}

export const DEFAULT_POLICY: TenantPolicy = { limits: {}, origins: [], weight: 1 };

/** Largest share; a tenant of weight 1 still has its turns. */
export const MAX_WEIGHT = 100;

/** A policy as it is stored; what can't be read there counts as absent. */
export function parsePolicy(stored: string | undefined | null): TenantPolicy {
  if (!stored) return DEFAULT_POLICY;
  const { limits, origins, weight } = JSON.parse(stored) as Partial<TenantPolicy>;
  const names = new Set<string>(Object.values(LIMIT_NAMES));
  const numbers = Object.entries(limits ?? {}).filter(
    ([name, value]) => names.has(name) && Number.isInteger(value) && value >= 0,
  );
  return {
    limits: Object.fromEntries(numbers) as TenantLimits,
    origins: (origins ?? []).filter(isOrigin),
    weight: typeof weight === "number" && weight >= 1 && weight <= MAX_WEIGHT ? weight : 1,
  };
}
