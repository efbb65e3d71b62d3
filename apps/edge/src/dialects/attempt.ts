import { createHash } from "node:crypto";
import type { IdempotencyStore } from "@tts-labs/core/session/idempotency-store";
import type { UtteranceEnd } from "@tts-labs/core/session/utterance-end";
import { GatewayError } from "@tts-labs/protocol/errors";
import { scopedId } from "../access/caller.ts";
import type { BackgroundWork } from "../background-work.ts";
import type { HttpExchange } from "../http/exchange.ts";

/** Characters of an `Idempotency-Key`. */
const MAX_NAME = 255;

export interface AttemptRoles {
  readonly store: IdempotencyStore;
  readonly background: BackgroundWork;
}

/**
 * One request that names itself by `Idempotency-Key`. The first is spoken to its end even where its client goes away,
 * so that the speech is there for the next; a repeat is given that speech and never has it made again.
 */
export class Attempt {
  /** What the request before has come to; absent: there was none. */
  readonly repeatOf: "running" | "done" | undefined;
  readonly #roles: AttemptRoles;
  readonly #name: string;
  readonly #fingerprint: string;
  #isOpen = true;

  private constructor(roles: AttemptRoles, name: string, fingerprint: string, repeatOf?: "running" | "done") {
    this.#roles = roles;
    this.#name = name;
    this.#fingerprint = fingerprint;
    this.repeatOf = repeatOf;
  }

  /**
   * @returns `undefined` where the request has no name
   * @throws GatewayError `protocol.invalid_message`, `protocol.idempotency_conflict`, `storage.*`
   */
  static async begin(
    exchange: HttpExchange,
    body: Uint8Array,
    roles: AttemptRoles,
  ): Promise<Attempt | undefined> {
    const { idempotencyKey, caller, method, path, query, accept } = exchange;
    if (idempotencyKey === "") return undefined;
    if (idempotencyKey.length > MAX_NAME) {
      throw new GatewayError(
        "protocol.invalid_message",
        `The Idempotency-Key is longer than ${MAX_NAME} characters.`,
      );
    }
    const name = hashOf(scopedId(caller, idempotencyKey));
    const fingerprint = hashOf(JSON.stringify([method, path, query, accept]), body);
    const found = await roles.store.begin(name, fingerprint);
    if (found === "other") throw new GatewayError("protocol.idempotency_conflict");
    return new Attempt(roles, name, fingerprint, found === "first" ? undefined : found);
  }

  /** It is the first, and has not ended. */
  get isPending(): boolean {
    return this.#isOpen && this.repeatOf === undefined;
  }

  /** May be called twice. */
  ended(end: UtteranceEnd): void {
    if (end.kind !== "completed") this.failed();
    else this.#settle("request remembered", (store) => store.done(this.#name, this.#fingerprint));
  }

  /** It has come to nothing: the next is the first again. May be called twice, and after `ended`. */
  failed(): void {
    this.#settle("request forgotten", (store) => store.release(this.#name));
  }

  #settle(what: string, act: (store: IdempotencyStore) => Promise<void>): void {
    if (!this.isPending) return;
    this.#isOpen = false;
    this.#roles.background.add(what, act(this.#roles.store));
  }
}

const hashOf = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("base64url");
};
