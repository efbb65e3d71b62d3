import type { BudgetObserver } from "./budget-observer.ts";
import type { Connections } from "./connections.ts";
import type { WorkTurns } from "./work-turns.ts";

/** What the gate needs to know of a request, and to do with it. */
export interface GatedRequest {
  readonly isOpen: boolean;
  onGone(act: () => void): void;
  closeAfterAnswer(): void;
}

export interface RequestGateRoles {
  /** Of the port. */
  readonly connections: Connections;
  /** Of the process. */
  readonly turns: WorkTurns;
  readonly observer: BudgetObserver;
}

/**
 * What all HTTP requests of one port pass. uWebSockets.js does not say over which connection a request has come, so
 * they are bounded together: by the turns of the event loop that they share with all messages.
 */
export class RequestGate {
  readonly connections: Connections;
  readonly #turns: WorkTurns;
  readonly #observer: BudgetObserver;

  constructor({ connections, turns, observer }: RequestGateRoles) {
    this.connections = connections;
    this.#turns = turns;
    this.#observer = observer;
  }

  /** A request has come. */
  enter(request: GatedRequest): void {
    if (this.connections.isFull) request.closeAfterAnswer();
  }

  /**
   * Does what answers it, in this turn or a later one. uWS closes a connection that brings its next request before the
   * answer, so a client that sends requests without waiting is cut as soon as it is too fast.
   */
  run(request: GatedRequest, act: () => void): void {
    if (!this.#turns.hasRoom) {
      this.#observer.budgetReached("requests", "paused");
      request.onGone(() => this.#observer.budgetReached("requests", "closed"));
    }
    void this.#turns.run(() => {
      if (request.isOpen) act();
    });
  }
}
