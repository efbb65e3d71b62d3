import { GatewayError } from "@tts-labs/core/errors";
import type { BudgetObserver } from "./budget-observer.ts";
import type { ConnectionLimits, EdgeLimits } from "./limits.ts";

const RETRY_AFTER_MS = 1_000;

export interface UnsettledLimits
  extends Pick<EdgeLimits, "unsettledUtterances" | "fewUnsettled" | "maxUnsettledUtterances"> {
  /** Of one session. */
  readonly ofSession: ConnectionLimits["unsettledUtterances"];
}

/**
 * Counts the utterances of all sessions that have ended and still have work under way: text streams that get their
 * cancel, jobs taken back, streams released, records removed. While there are many, a session that has a few of them
 * must wait before it opens more, and one that has none goes on; so one that opens and cancels without end waits for
 * itself. The last bound is for all.
 */
export class UnsettledUtterances {
  readonly #limits: UnsettledLimits;
  readonly #observer: BudgetObserver;
  #count = 0;

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

  /** Counts one that has ended until `settled`, which never rejects. */
  async until(settled: Promise<void>): Promise<void> {
    this.#count++;
    await settled;
    this.#count--;
  }
}
