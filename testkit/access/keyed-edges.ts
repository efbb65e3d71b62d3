import { KeyStore, type Role } from "@tts-labs/core/access/key-store";
import type { EdgeAloneOptions } from "../fleet/edge-alone.ts";
import { startTwoEdges, type TwoEdges } from "../fleet/two-edges.ts";

/** Two edges that ask for keys, and the place where keys are made. */
export interface KeyedEdges extends TwoEdges {
  readonly store: KeyStore;
  /** A key of the tenant, and the header that shows it. */
  makeKey(tenant: string, role?: Role): Promise<MadeKey>;
}

export interface MadeKey {
  readonly id: string;
  readonly key: string;
  readonly headers: { readonly "x-api-key": string };
}

export async function startKeyedEdges(options: EdgeAloneOptions): Promise<KeyedEdges> {
  const edges = await startTwoEdges({ ...options, edge: { access: "keys", ...options.edge } });
  const store = new KeyStore(edges.redis, edges.keys);
  const makeKey = async (tenant: string, role: Role = "client"): Promise<MadeKey> => {
    const { key, record } = await store.create({ tenant, name: "test", role });
    return { id: record.id, key, headers: { "x-api-key": key } };
  };
  return { ...edges, store, makeKey };
}
