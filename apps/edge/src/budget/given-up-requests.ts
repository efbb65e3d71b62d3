import { TokenBucket } from "@tts-labs/core/async/token-bucket";
import type { BudgetObserver } from "./budget-observer.ts";
import type { EdgeLimits } from "./limits.ts";

/** A request that is given up so soon after it came has been made for its cost, or by mistake; later, it was heard. */
const EARLY_MS = 1_000;
/** How long a request has to stay, while many are given up, before anything is done for it. */
const PROOF_MS = 50;

/** What is asked of a request here. */
export interface Abandonable {
  readonly isOpen: boolean;
  /** Calls at once where its client has gone already. */
  onGone(act: () => void): void;
}

/**
 * Requests cost much more to begin and take back than to send and give up: a client that does nothing else at line rate
 * would keep edge, Redis and worker busy. So a request begins two turns of the event loop after it has come, when an
 * abort that followed it directly has been read; and once many were given up early, each has to stay for `PROOF_MS`
 * first. One that is given up until then has cost nothing.
 *
 * uWebSockets.js does not say over which connection a request comes, so all requests of an edge are counted together.
 */
export class GivenUpRequests {
  readonly #burst: number;
  readonly #observer: BudgetObserver;
  /** Requests that may still be given up early. Its debt is at most the burst, so that trust comes back in seconds. */
  readonly #trust: TokenBucket;

  constructor(limits: EdgeLimits["givenUpRequests"], observer: BudgetObserver) {
    this.#burst = limits.burst;
    this.#trust = new TokenBucket(limits, performance.now());
    this.#observer = observer;
  }

  /** Requests given up early that count at present; 0 where there is no bound. */
  get count(): number {
    return Number.isFinite(this.#burst) ? this.#burst - this.#trust.tokens(performance.now()) : 0;
  }

  /** Resolves when `request` may begin, or has been given up: the caller looks. Never rejects. */
  async mayBegin(request: Abandonable): Promise<void> {
    const cameAtMs = performance.now();
    request.onGone(() => {
      if (performance.now() - cameAtMs < EARLY_MS) this.#givenUp();
    });
    await nextTurn();
    await nextTurn();
    if (!request.isOpen || this.#trust.tokens(performance.now()) > 0) return;
    this.#observer.budgetReached("given-up-requests", "paused");
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PROOF_MS);
      request.onGone(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #givenUp(): void {
    const nowMs = performance.now();
    if (this.#trust.tokens(nowMs) > -this.#burst) this.#trust.charge(1, nowMs);
  }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Whether the client of a connection is still there. One that leaves after it has asked for something gave nothing up. */
export class Presence implements Abandonable {
  #isGone = false;
  #acts: (() => void)[] = [];

  get isOpen(): boolean {
    return !this.#isGone;
  }

  onGone(act: () => void): void {
    if (this.#isGone) act();
    else this.#acts.push(act);
  }

  /** It has asked for something. */
  used(): void {
    this.#acts = [];
  }

  /** May be called twice. */
  left(): void {
    this.#isGone = true;
    for (const act of this.#acts.splice(0)) act();
  }
}
