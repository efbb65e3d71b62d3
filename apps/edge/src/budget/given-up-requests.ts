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
  readonly #limits: EdgeLimits["givenUpRequests"];
  readonly #observer: BudgetObserver;
  /** Count of utterances given up early: it falls with time and is at most twice the burst, so that trust comes back in seconds. */
  #level = 0;
  #levelAtMs = performance.now();

  constructor(limits: EdgeLimits["givenUpRequests"], observer: BudgetObserver) {
    this.#limits = limits;
    this.#observer = observer;
  }

  /** How many count at present. */
  get count(): number {
    const nowMs = performance.now();
    const { perSecond } = this.#limits;
    this.#level = Math.max(0, this.#level - ((nowMs - this.#levelAtMs) / 1_000) * perSecond);
    this.#levelAtMs = nowMs;
    return this.#level;
  }

  /** Resolves when `request` may begin, or has been given up: the caller looks. Never rejects. */
  async mayBegin(request: Abandonable): Promise<void> {
    const cameAtMs = performance.now();
    request.onGone(() => {
      if (performance.now() - cameAtMs < EARLY_MS) this.#givenUp();
    });
    await nextTurn();
    await nextTurn();
    if (!request.isOpen || this.count < this.#limits.burst) return;
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
    this.#level = Math.min(this.count + 1, 2 * this.#limits.burst);
  }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
