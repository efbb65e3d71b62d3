import { isSameHash, parseApiKey } from "@tts-labs/core/access/api-key";
import type { BrowserTokens, TokenClaims, TokenPurpose } from "@tts-labs/core/access/browser-tokens";
import type { KeyStore, Role } from "@tts-labs/core/access/key-store";
import type { Logger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import { type Caller, OPEN_CALLER } from "./caller.ts";
import type { Credentials } from "./credentials.ts";
import { KnownCallers } from "./known-callers.ts";

export interface AccessRoles {
  /** Absent where access is open. */
  readonly store?: Pick<KeyStore, "find" | "policy" | "epoch">;
  /** Absent: no tokens are taken. */
  readonly tokens?: Pick<BrowserTokens, "mint" | "spend">;
  readonly logger: Logger;
  /** How often changes of keys are looked for. */
  readonly lookEveryMs?: number;
}

/** What is asked for. */
export interface Purpose {
  /** Speech, or what operators may see. */
  readonly role: Role;
  /** The tokens that are good for it; absent: none is, a key has to be shown. */
  readonly token?: TokenPurpose;
}

/** A revoked key is refused, and its sessions are closed, within this and the time that Redis takes to answer. */
const LOOK_EVERY_MS = 500;
/** Keys looked up at once; beyond it requests are refused, so that wrong keys can't fill the connection to Redis. */
const MAX_LOOKUPS = 256;
/** Stands in for the hash of a key that is not known, so that both ways are the same. */
const NO_HASH = "0".repeat(64);

/**
 * The one door that every dialect goes through. It answers with a caller, without which no session can be opened, or
 * with a typed refusal. An unknown key and a wrong one take the same way and are told the same.
 *
 *   open access ──▶ everybody is `OPEN_CALLER`
 *   a key seen here lately ──▶ its caller, without a question to Redis
 *   another ──▶ looked up by its id, compared by its hash
 *
 * What is known here is looked up again when the access epoch in Redis has changed. `onLost` is then told of the keys
 * that are valid no longer, so that their sessions can be closed.
 */
export class Access {
  readonly #roles: AccessRoles;
  readonly #known = new KnownCallers();
  readonly #timer: NodeJS.Timeout | undefined;
  #onLost: (keyIds: ReadonlySet<string>) => void = () => {};
  #inUse: () => ReadonlySet<string> = () => new Set();
  #epoch: string | undefined;
  #lookups = 0;
  #isLooking = false;

  constructor(roles: AccessRoles) {
    this.#roles = roles;
    if (roles.store === undefined) return;
    this.#timer = setInterval(() => void this.#look(), roles.lookEveryMs ?? LOOK_EVERY_MS);
    this.#timer.unref();
  }

  get isOpen(): boolean {
    return this.#roles.store === undefined;
  }

  /** @param inUse keys with which sessions are open  @param onLost is told of those of them that are no longer valid */
  watch(inUse: () => ReadonlySet<string>, onLost: (keyIds: ReadonlySet<string>) => void): void {
    this.#inUse = inUse;
    this.#onLost = onLost;
  }

  /** @throws GatewayError `authentication.*`, `capacity.overloaded`, `storage.*` */
  async authenticate(credentials: Credentials, purpose: Purpose): Promise<Caller> {
    if (this.isOpen) return OPEN_CALLER;
    const { key, token, origin } = credentials;
    if (key === "" && token !== "") return this.#spend(token, origin, purpose);
    const caller = await this.#identify(credentials);
    assertRole(caller, purpose.role);
    assertOrigin(caller, origin);
    return caller;
  }

  /**
   * Makes a token of the caller's, good for one use. @throws GatewayError `protocol.wrong_state` where access is open,
   * `authentication.origin_refused`, `storage.*`
   */
  async mint(caller: Caller, wish: Pick<TokenClaims, "purpose" | "origin">, ttlMs: number): Promise<string> {
    const { tokens } = this.#roles;
    const { keyId, tenant } = caller;
    if (tokens === undefined || keyId === undefined) {
      throw new GatewayError("protocol.wrong_state", "This edge is open: no token is needed, nor taken.");
    }
    assertOrigin(caller, wish.origin ?? "");
    return tokens.mint({ tenant, keyId, ...wish }, ttlMs);
  }

  /** May be called twice. */
  close(): void {
    clearInterval(this.#timer);
    this.#known.clear();
  }

  /** A token is spent by being shown, also where it is not good for what is asked. */
  async #spend(token: string, origin: string, purpose: Purpose): Promise<Caller> {
    const { store, tokens } = this.#roles;
    const claims = await this.#bounded(async () => tokens?.spend(token));
    if (claims === undefined || store === undefined) throw wrongToken();
    const record = await store.find(claims.keyId);
    if (record === undefined) throw wrongToken();
    if (purpose.token !== claims.purpose || purpose.role !== "client") {
      throw new GatewayError("authentication.forbidden", `The token is good for ${claims.purpose} only.`);
    }
    if (claims.origin !== undefined && claims.origin !== origin.toLowerCase()) {
      throw new GatewayError("authentication.origin_refused", "The token is another page's.");
    }
    const { tenant, keyId } = claims;
    const caller: Caller = { tenant, keyId, role: "client", policy: await store.policy(tenant) };
    assertOrigin(caller, origin);
    return caller;
  }

  async #identify({ key }: Credentials): Promise<Caller> {
    if (key === "") throw new GatewayError("authentication.missing", MISSING);
    const shown = parseApiKey(key);
    if (shown === undefined) throw wrongKey();
    return this.#known.get(shown.hash) ?? (await this.#lookUp(shown.id, shown.hash));
  }

  async #lookUp(id: string, hash: string): Promise<Caller> {
    const { store } = this.#roles;
    if (store === undefined) return OPEN_CALLER;
    return this.#bounded(async () => {
      const generation = this.#known.generation;
      const record = await store.find(id);
      const isRight = isSameHash(record?.hash ?? NO_HASH, hash);
      if (record === undefined || !isRight) throw wrongKey();
      const { tenant, role, expiresInMs } = record;
      const caller = { tenant, keyId: id, role, policy: await store.policy(tenant) };
      this.#known.put(hash, caller, generation, expiresInMs);
      return caller;
    });
  }

  async #bounded<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#lookups >= MAX_LOOKUPS) {
      throw new GatewayError("capacity.overloaded", "Too many credentials are being looked up at once.", {
        facts: { limit: MAX_LOOKUPS },
        retryAfterMs: 1_000,
      });
    }
    this.#lookups++;
    try {
      return await ask();
    } finally {
      this.#lookups--;
    }
  }

  /** Never rejects. While Redis is away, what is known stays known until it is too old. */
  async #look(): Promise<void> {
    const { store, logger } = this.#roles;
    if (store === undefined || this.#isLooking) return;
    this.#isLooking = true;
    try {
      const epoch = await store.epoch();
      const isNews = epoch !== this.#epoch;
      if (isNews) this.#known.clear();
      // Keys expire without a change of the epoch, so those in use are asked for once a round of their own.
      if (isNews || this.#known.isDueForCheck()) await this.#checkInUse(store);
      this.#epoch = epoch;
    } catch (err) {
      logger.debug({ err }, "keys could not be looked up");
    } finally {
      this.#isLooking = false;
    }
  }

  async #checkInUse(store: Pick<KeyStore, "find">): Promise<void> {
    const ids = [...this.#inUse()];
    const found = await Promise.all(ids.map((id) => store.find(id)));
    const lost = ids.filter((_, i) => found[i] === undefined);
    if (lost.length > 0) this.#onLost(new Set(lost));
  }
}

const MISSING =
  "Show an API key in the header Authorization (Bearer), xi-api-key or x-api-key, or a token in the query's token.";

const wrongKey = () =>
  new GatewayError("authentication.invalid", "The API key is not valid: it is wrong, revoked or expired.");

const wrongToken = () =>
  new GatewayError("authentication.invalid", "The token is not valid: it is wrong, spent or expired.");

function assertRole({ role }: Caller, asked: Role): void {
  if (role === asked) return;
  const message =
    asked === "client"
      ? "The key is an operator's: speech needs a client's key."
      : "The key is a client's: this needs an operator's key.";
  throw new GatewayError("authentication.forbidden", message);
}

function assertOrigin({ policy: { origins } }: Caller, origin: string): void {
  if (origin === "" || origins.length === 0 || origins.includes(origin.toLowerCase())) return;
  throw new GatewayError(
    "authentication.origin_refused",
    "The key's tenant does not list the page's origin.",
  );
}
