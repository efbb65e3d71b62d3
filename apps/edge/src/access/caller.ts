import type { Role } from "@tts-labs/core/access/key-store";
import { DEFAULT_POLICY, type TenantPolicy } from "@tts-labs/core/access/tenant";
import type { UtteranceJob } from "@tts-labs/core/queue/utterance-job";

/**
 * The party that asks for something, as `Access` has found it out. Sessions are opened for a caller, so a dialect that
 * does not authenticate can't open one.
 */
export interface Caller {
  /** "" where access is open: there are no tenants then. */
  readonly tenant: string;
  /** The key that was shown, or that minted the token that was. */
  readonly keyId?: string;
  readonly role: Role;
  readonly policy: TenantPolicy;
}

/** Everybody, where access is open. */
export const OPEN_CALLER: Caller = { tenant: "", role: "client", policy: DEFAULT_POLICY };

/** Stands between a tenant and an id that it has chosen; no id may hold it. */
const SCOPE_END = "\u001F";

/** An id as it is known inside, so that tenants can't meet in an id that both have chosen. */
export const scopedId = ({ tenant }: Pick<Caller, "tenant">, id: string): string =>
  tenant === "" ? id : `${tenant}${SCOPE_END}${id}`;

/** The id as its tenant knows it. */
export const publicId = (scoped: string): string => scoped.slice(scoped.indexOf(SCOPE_END) + 1);

/** The tenant that an id belongs to; `null` where access is open. */
export const tenantOf = (scoped: string): string | null => {
  const end = scoped.indexOf(SCOPE_END);
  return end < 0 ? null : scoped.slice(0, end);
};

/** What a job says of its tenant, whose turn it takes when the provider's slots are few. */
export const turnOf = ({ tenant, policy: { weight } }: Caller): Pick<UtteranceJob, "turn"> =>
  tenant === "" ? {} : { turn: { tenant, weight } };
