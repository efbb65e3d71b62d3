import { GatewayError } from "@tts-labs/protocol/errors";
import type { BudgetObserver } from "./budget-observer.ts";
import type { ConnectionLimits, EdgeLimits } from "./limits.ts";

const RETRY_AFTER_MS = 1_000;
/** A beginning waits so long at most: what does not settle by then is held up by something else, such as Redis. */
const LONGEST_WAIT_MS = 1_000;

export interface UnsettledLimits
  extends Pick<
    EdgeLimits,
    "unsettledUtterances" | "fewUnsettled" | "calmUnsettled" | "maxUnsettledUtterances"
  > {
  /** Of one session. */
  readonly ofSession: ConnectionLimits["unsettledUtterances"];
}

/**
 * Counts the utterances of all sessions that have ended and still have work under way: text streams that get their
 * cancel, jobs taken back, streams released, records removed. While there are many, a session that has a few of them
 * must wait before it opens more, and one that has none goes on; so one that opens and cancels without end waits for
 * itself. Requests and new sessions, which have no past, wait in one line for what others have given up: one that is
 * given up in the line has cost nothing. The last bound is for all.
 */
export class UnsettledUtterances {
  readonly #limits: UnsettledLimits;
  readonly #observer: BudgetObserver;
  #count = 0;
  readonly #line = new Set<() => void>();
  #isReleasing = false;

  constructor(limits: UnsettledLimits, observer: BudgetObserver) {
    this.#limits = limits;
    this.#observer = observer;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether a session takes no more messages for now. `ended`: of its utterances, how many have work under way. */
  mustWait(ended: number, unfinished: number): boolean {
    const { unsettledUtterances, fewUnsettled, ofSession } = this.#limits;
    if (ended === 0) return false;
    return ended + unfinished >= ofSession || (this.#count >= unsettledUtterances && ended >= fewUnsettled);
  }

  /** @throws GatewayError `capacity.overloaded` with a time to wait */
  assertRoom(): void {
    const { maxUnsettledUtterances: limit } = this.#limits;
    if (this.#count < limit) return;
    this.#observer.budgetReached("unsettled-utterances", "refused");
    throw new GatewayError("capacity.overloaded", undefined, {
      facts: { budget: "unsettled-utterances", limit },
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  /** Resolves when what asks may begin: in order, at once where little is unsettled, after a second in any case. */
  mayBegin(): Promise<void> {
    if (this.#isCalm && this.#line.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const begin = () => {
        clearTimeout(timer);
        this.#line.delete(begin);
        resolve();
      };
      const timer = setTimeout(begin, LONGEST_WAIT_MS);
      this.#line.add(begin);
    });
  }

  /** Counts one that has ended until `settled`, which never rejects. */
  async until(settled: Promise<void>): Promise<void> {
    this.#count++;
    await settled;
    this.#count--;
    this.#release();
  }

  get #isCalm(): boolean {
    return this.#count < this.#limits.calmUnsettled;
  }

  /** Lets as many begin as may be given up again; more in the next turn, where these were not. */
  #release(): void {
    if (this.#isReleasing || !this.#isCalm || this.#line.size === 0) return;
    this.#isReleasing = true;
    let free = this.#limits.calmUnsettled - this.#count;
    for (const begin of this.#line) {
      begin();
      if (--free === 0) break;
    }
    setImmediate(() => {
      this.#isReleasing = false;
      this.#release();
    });
  }
}
