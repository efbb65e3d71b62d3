import { TokenBucket } from "@tts-labs/core/async/token-bucket";
import type { BudgetName, ConnectionLimits } from "./limits.ts";

/** A budget that comes back with time. */
export type RateName = "messages" | "bytes" | "openings" | "errors";

/** The rates of one connection: what it has spent, and when it may go on. Reads no clock. */
export class MessageMeter {
  readonly #messages: TokenBucket;
  readonly #bytes: TokenBucket;
  readonly #openings: TokenBucket;
  readonly #errors: TokenBucket;
  readonly #prewarms: TokenBucket;
  readonly #limits: ConnectionLimits;

  constructor(limits: ConnectionLimits, nowMs: number) {
    this.#limits = limits;
    this.#messages = new TokenBucket(limits.messages, nowMs);
    this.#bytes = new TokenBucket(limits.bytes, nowMs);
    this.#openings = new TokenBucket(limits.openings, nowMs);
    this.#errors = new TokenBucket(limits.errors, nowMs);
    this.#prewarms = new TokenBucket(limits.prewarms, nowMs);
  }

  /** The budget that has to be waited for before the next message; `undefined`: it may be taken now. */
  exhausted(nowMs: number): RateName | undefined {
    if (this.#messages.waitMs(1, nowMs) > 0) return "messages";
    if (this.#bytes.waitMs(1, nowMs) > 0) return "bytes";
    if (this.#openings.waitMs(1, nowMs) > 0) return "openings";
    return this.#errors.waitMs(1, nowMs) > 0 ? "errors" : undefined;
  }

  waitMs(name: RateName, nowMs: number): number {
    return this.#bucket(name).waitMs(1, nowMs);
  }

  message(bytes: number, nowMs: number): void {
    this.#messages.charge(1, nowMs);
    this.#bytes.charge(bytes, nowMs);
  }

  /** A ping or a pong, which was answered already. @returns whether that is still within the debt a client may have */
  controlFrame(nowMs: number): boolean {
    this.#messages.charge(1, nowMs);
    return this.#messages.tokens(nowMs) >= -this.#limits.messages.burst;
  }

  opening(nowMs: number): void {
    this.#openings.charge(1, nowMs);
  }

  error(nowMs: number): void {
    this.#errors.charge(1, nowMs);
  }

  /** @returns milliseconds to wait; 0: it may be done now, and is charged */
  prewarm(nowMs: number): number {
    return this.#prewarms.tryTake(1, nowMs) ? 0 : this.#prewarms.waitMs(1, nowMs);
  }

  #bucket(name: RateName): TokenBucket {
    switch (name) {
      case "messages":
        return this.#messages;
      case "bytes":
        return this.#bytes;
      case "openings":
        return this.#openings;
      case "errors":
        return this.#errors;
    }
  }
}

export const isRate = (name: BudgetName): name is RateName =>
  name === "messages" || name === "bytes" || name === "openings" || name === "errors";
