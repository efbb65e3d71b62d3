import type { Logger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { BudgetObserver } from "./budget-observer.ts";

/** Connections beyond the bound that are still heard, so that each is told why, and probes are answered. */
export const SPARE_CONNECTIONS = 16;
/** Of the operators' port, beside those of clients; fewer where file descriptors are few. */
export const MAX_OPS_CONNECTIONS = 256;
const RETRY_AFTER_MS = 1_000;
/** Below this share of the bound, reaching it again is news again. */
const CALM_SHARE = 0.9;

export interface ConnectionsOptions {
  /** Clients or operators, for the log. */
  readonly of: "clients" | "operators";
  readonly maxConnections: number;
  readonly observer: BudgetObserver;
  readonly logger: Logger;
}

/**
 * Counts the connections of one port, whatever they are for: requests, sessions, those that still greet or wait to
 * resume, those that have said nothing yet. At the bound nothing new is begun: requests for speech and upgrades are
 * refused, and each answer closes its connection. What goes beyond that, too, is closed as soon as it is accepted, so
 * that this process never runs out of file descriptors: `accept` would then fail for ever, in a loop.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  #count = 0;
  #isTold = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** As many are there as may be, or more. */
  get isFull(): boolean {
    return this.#count > this.#options.maxConnections;
  }

  /** One was accepted. @returns whether it may stay; it counts until `closed` either way */
  opened(): boolean {
    this.#count++;
    if (!this.isFull) return true;
    this.#tell();
    if (this.#count <= this.#options.maxConnections + SPARE_CONNECTIONS) return true;
    this.#options.observer.budgetReached("connections", "closed");
    return false;
  }

  closed(): void {
    this.#count--;
    if (this.#count < this.#options.maxConnections * CALM_SHARE) this.#isTold = false;
  }

  /** @throws GatewayError `capacity.too_many_connections` */
  assertRoom(): void {
    if (!this.isFull) return;
    const { maxConnections: limit, observer } = this.#options;
    observer.budgetReached("connections", "refused");
    const facts = { budget: "connections", limit };
    throw new GatewayError("capacity.too_many_connections", undefined, {
      facts,
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  #tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const { of, maxConnections: limit, logger } = this.#options;
    logger.warn({ of, limit }, "this edge has as many connections as it may have; new ones are refused");
  }
}
