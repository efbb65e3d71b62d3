import { KEY_ANYWHERE } from "@tts-labs/core/access/api-key";
import { type KeyRecord, KeyStore } from "@tts-labs/core/access/key-store";
import { LIMIT_NAMES, type TenantPolicy } from "@tts-labs/core/access/tenant";
import { GatewayError } from "@tts-labs/protocol/errors";
import { atRedis } from "./at-redis.ts";
import {
  type CreateOptions,
  changedLimits,
  type KeysContext,
  type PolicyOptions,
  type RotateOptions,
} from "./options.ts";

interface JsonOption {
  readonly json?: boolean;
}

export function create(options: CreateOptions, context: KeysContext): Promise<number> {
  return atStore(context, async (store) => {
    const { tenant, name, role, expires } = options;
    const policy = await changePolicy(store, tenant, options);
    const { key, record } = await store.create({
      tenant,
      name,
      role,
      ...(expires === undefined ? {} : { expiresInMs: expires }),
    });
    if (options.json === true)
      context.print(JSON.stringify({ key, ...toJson(record), ...policyJson(policy) }));
    else {
      context.print(key);
      context.complain(`Key ${record.id} of ${tenant}, for a ${role}. It is shown this once: keep it now.`);
    }
  });
}

export function list({ json }: JsonOption, context: KeysContext): Promise<number> {
  return atStore(context, async (store) => {
    const all = await store.list();
    if (json === true) context.print(JSON.stringify({ keys: all.map(toJson) }));
    else if (all.length === 0) context.print("There are no keys: npm run keys -- create --tenant NAME");
    else context.print(keyTable(all));
  });
}

export function revoke(id: string, { json }: JsonOption, context: KeysContext): Promise<number> {
  return atStore(context, async (store) => {
    assertId(id);
    if (!(await store.revoke(id))) throw unknownKey(id);
    context.print(json === true ? JSON.stringify({ revoked: id }) : `Key ${id} is revoked.`);
  });
}

export function rotate(id: string, { grace, json }: RotateOptions, context: KeysContext): Promise<number> {
  return atStore(context, async (store) => {
    assertId(id);
    const former = await store.find(id);
    if (former === undefined) throw unknownKey(id);
    const { tenant, name, role, expiresInMs } = former;
    const { key, record } = await store.create({
      tenant,
      name,
      role,
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
    });
    if (grace > 0) await store.expire(id, grace);
    else await store.revoke(id);
    if (json === true) context.print(JSON.stringify({ key, ...toJson(record), replaces: id }));
    else {
      context.print(key);
      const end = grace > 0 ? `is valid for ${grace / 1_000} s yet` : "is revoked";
      context.complain(`Key ${record.id} takes the place of ${id}, which ${end}. It is shown this once.`);
    }
  });
}

export function showTenant(name: string, options: PolicyOptions, context: KeysContext): Promise<number> {
  return atStore(context, async (store) => {
    const policy = await changePolicy(store, name, options);
    if (options.json === true) context.print(JSON.stringify({ tenant: name, ...policyJson(policy) }));
    else context.print(policyTable(name, policy));
  });
}

async function changePolicy(store: KeyStore, tenant: string, given: PolicyOptions): Promise<TenantPolicy> {
  const policy = await store.policy(tenant);
  if (given.limit === undefined && given.origins === undefined && given.weight === undefined) return policy;
  const { limit, origins = policy.origins, weight = policy.weight } = given;
  const changed = { limits: changedLimits(policy.limits, limit), origins, weight };
  await store.setPolicy(tenant, changed);
  return changed;
}

/** Ids are asked for; a whole key on the command line stays in the shell's history. */
function assertId(id: string): void {
  if (/^[0-9a-f]{12}$/.test(id)) return;
  const message = KEY_ANYWHERE.test(id)
    ? "Give the key's id, which is its middle part, never the whole key."
    : "An id is the 12 characters in the middle of a key; npm run keys -- list shows them.";
  throw new GatewayError("config.invalid", message);
}

const unknownKey = (id: string) => new GatewayError("config.invalid", `There is no key ${id}.`);

const toJson = ({ id, tenant, name, role, createdAtMs, expiresInMs }: KeyRecord) => ({
  id,
  tenant,
  name,
  role,
  created_at: new Date(createdAtMs).toISOString(),
  expires_at: expiresInMs === undefined ? null : new Date(Date.now() + expiresInMs).toISOString(),
});

const LIMITS = Object.entries(LIMIT_NAMES);

const policyJson = ({ limits, origins, weight }: TenantPolicy) => ({
  limits: Object.fromEntries(LIMITS.map(([name, limit]) => [name, limits[limit] ?? null])),
  origins,
  weight,
});

const policyTable = (tenant: string, { limits, origins, weight }: TenantPolicy) =>
  [
    tenant,
    ...LIMITS.map(([name, limit]) => `  ${name.padEnd(21)}  ${limits[limit] ?? "not limited"}`),
    `  ${"origins".padEnd(21)}  ${origins.length === 0 ? "those of the edge" : origins.join(", ")}`,
    `  ${"weight".padEnd(21)}  ${weight}`,
  ].join("\n");

function keyTable(all: readonly KeyRecord[]): string {
  const rows = all.map((it) => {
    const { id, tenant, role, name, created_at, expires_at } = toJson(it);
    return [id, tenant, role, created_at.slice(0, 10), expires_at?.slice(0, 16) ?? "never", name];
  });
  const table = [["id", "tenant", "role", "created", "expires", "name"], ...rows];
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...table.map((row) => row[i]?.length ?? 0)));
  return table
    .map((row) =>
      row
        .map((it, i) => it.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const atStore = (context: KeysContext, work: (store: KeyStore) => Promise<void>): Promise<number> =>
  atRedis(context, (redis, keys) => work(new KeyStore(redis, keys)));
