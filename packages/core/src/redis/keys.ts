import { GatewayError } from "@tts-labs/protocol/errors";

/**
 * The name of every key and channel in Redis. Keys that one script or transaction touches together share a
 * hash tag, so that they lie in one slot of a cluster: all keys of an utterance under its id, all of the
 * queue under the queue's prefix.
 *
 * Every key has a TTL, which the owner named here sets, except for API keys, tenants and the access epoch: these are
 * configuration.
 */
export class Keys {
  readonly prefix: string;
  /** BullMQ's prefix: one hash tag, else its scripts fail on a cluster. Owner: core/queue. */
  readonly queuePrefix: string;
  /** Sorted sets of ids by expiry. Owner: core/session. */
  readonly liveSessions: string;
  readonly liveUtterances: string;
  /** Owners: the edge's voice list, the worker's pool. */
  readonly voices: string;
  readonly routes: string;
  /** Ids of all API keys, and the number that rises when any of them changes. Owner: core/access. */
  readonly apiKeys: string;
  readonly accessEpoch: string;
  /** Tenants that have used anything. Owner: core/access. */
  readonly ledgerTenants: string;

  /** @throws GatewayError `config.invalid` for a prefix that would upset hash tags */
  constructor(prefix: string) {
    if (!/^[A-Za-z0-9_.-]{1,64}$/.test(prefix)) {
      throw new GatewayError(
        "config.invalid",
        "The Redis key prefix may hold letters, digits, '_', '.', '-'.",
      );
    }
    this.prefix = prefix;
    this.queuePrefix = `{${prefix}-jobs}`;
    this.liveSessions = `${prefix}:live-sessions`;
    this.liveUtterances = `${prefix}:live-utterances`;
    this.voices = `${prefix}:voices`;
    this.routes = `${prefix}:routes`;
    this.apiKeys = `${prefix}:api-keys`;
    this.accessEpoch = `${prefix}:access-epoch`;
    this.ledgerTenants = `${prefix}:ledger-tenants`;
  }

  /** One part of a stream; see stream/stream-keys.ts for the parts. Owner: core/stream. */
  stream(stream: { readonly tag: string; readonly name: string }, part: string): string {
    return `${this.prefix}:stream:{${stream.tag}}:${stream.name}:${part}`;
  }

  /** Owner: core/session. */
  session(sessionId: string): string {
    return `${this.prefix}:session:{${sessionId}}`;
  }

  /** What lets a session be resumed; apart from the live view's record, which is not guarded. Owner: core/session. */
  heldSession(sessionId: string): string {
    return `${this.prefix}:held-session:{${sessionId}}`;
  }

  /** A request that may be sent again, by a hash of its name. Owner: core/session. */
  idempotency(name: string): string {
    return `${this.prefix}:idempotency:${name}`;
  }

  /** What is known of one API key. Owner: core/access. */
  apiKey(id: string): string {
    return `${this.prefix}:api-key:${id}`;
  }

  /** What a tenant has taken of one of its limits; all of a tenant's in one slot. Owner: core/access. */
  tenantUsage(name: string, part: string): string {
    return `${this.prefix}:tenant-usage:{${name}}:${part}`;
  }

  /** What was asked for by utterances of a tenant that have not ended. Owner: core/access. */
  openAccounts(tenant: string): string {
    return `${this.prefix}:ledger:{${tenant}}:open`;
  }

  /** What a tenant has used in a month. Owner: core/access. */
  usageTotals(tenant: string, month: string): string {
    return `${this.prefix}:ledger:{${tenant}}:${month}`;
  }

  /** What a browser token is good for, by the token's hash. Owner: core/access. */
  browserToken(hash: string): string {
    return `${this.prefix}:browser-token:${hash}`;
  }

  /** A tenant's limits, origins and weight. Owner: core/access. */
  tenant(name: string): string {
    return `${this.prefix}:tenant:{${name}}`;
  }

  /** What a session's listeners get, under the hash of its id: a client chooses the id. Owner: core/broadcast. */
  broadcast(tag: string, part: string): string {
    return `${this.prefix}:broadcast:{${tag}}:${part}`;
  }

  /** In one slot with the utterance's streams. Owner: core/session. */
  utterance(utteranceId: string): string {
    return `${this.prefix}:utterance:{${utteranceId}}`;
  }

  /** All of one provider's concurrency in one slot. Owner: core/governor. */
  slots(provider: string, part: string): string {
    return `${this.prefix}:slots:{${provider}}:${part}`;
  }

  /** The circuit of one provider key. Owner: core/breaker. */
  circuit(name: string): string {
    return `${this.prefix}:circuit:{${name}}`;
  }

  /** How many workers follow a client's wish for a route. Owner: the worker's pool. */
  routeWish(wishId: string): string {
    return `${this.prefix}:route-wish:${wishId}`;
  }

  /** What became of a route that clients wished warm: a hash. Owner: the worker's pool. */
  routeWarmth(routeId: string): string {
    return `${this.prefix}:route-warmth:${routeId}`;
  }

  /** The channel on which every process is told of circuits that changed. Owner: core/breaker. */
  get circuitChanges(): string {
    return `${this.prefix}:circuit-changes`;
  }

  /** One entry of the audio cache: a hash. Owner: core/cache. */
  cached(key: string): string {
    return `${this.prefix}:cache:{${key}}`;
  }

  /** What the audio cache holds, in one slot; entries lie in others. Owner: core/cache. */
  cacheIndex(part: string): string {
    return `${this.prefix}:cache-index:{${this.prefix}-cache}:${part}`;
  }

  /** Which utterance is just being spoken for a key of the audio cache. Owner: core/cache. */
  flight(key: string): string {
    return `${this.prefix}:flight:{${key}}`;
  }

  /** The channel on which a process is woken; see redis/bell.ts. */
  bell(nodeId: string): string {
    return `${this.prefix}:bell:${nodeId}`;
  }
}
