import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { BudgetObserver } from "./budget-observer.ts";
import type { IntakeRoles } from "./intake.ts";
import {
  type BudgetName,
  CONNECTION_LIMITS,
  type ConnectionLimits,
  EDGE_LIMITS,
  type EdgeLimits,
} from "./limits.ts";
import { UnsettledUtterances } from "./unsettled-utterances.ts";
import { WorkTurns } from "./work-turns.ts";

export interface BudgetLimits {
  readonly connection: ConnectionLimits;
  readonly edge: EdgeLimits;
}

export const DEFAULT_LIMITS: BudgetLimits = { connection: CONNECTION_LIMITS, edge: EDGE_LIMITS };

/** What all connections of one edge share. Made once. */
export class EdgeBudget {
  readonly limits: BudgetLimits;
  readonly turns: WorkTurns;
  readonly unsettled: UnsettledUtterances;
  readonly requestBodies: ByteBudget;
  readonly jsonAnswers: ByteBudget;
  readonly unreadResponses: ByteBudget;
  readonly #heldBytes: ByteBudget;
  readonly #observer: BudgetObserver;

  constructor(limits: BudgetLimits, observer: BudgetObserver) {
    const { edge, connection } = limits;
    this.limits = limits;
    this.#observer = observer;
    this.turns = new WorkTurns(edge.turnMs);
    this.unsettled = new UnsettledUtterances(
      {
        unsettledUtterances: edge.unsettledUtterances,
        fewUnsettled: edge.fewUnsettled,
        maxUnsettledUtterances: edge.maxUnsettledUtterances,
        ofSession: connection.unsettledUtterances,
      },
      observer,
    );
    this.requestBodies = new ByteBudget(edge.requestBodyBytes);
    this.jsonAnswers = new ByteBudget(edge.jsonAnswerBytes);
    this.unreadResponses = new ByteBudget(edge.unreadResponseBytes);
    this.#heldBytes = new ByteBudget(edge.heldBytes);
  }

  /** For each connection's intake. */
  get intake(): IntakeRoles {
    const { turns, limits } = this;
    return { limits: limits.connection, turns, heldBytes: this.#heldBytes, observer: this.#observer };
  }

  /** How much of what is shared is in use now, in the budget's own unit. */
  used(): ReadonlyMap<BudgetName, number> {
    return new Map<BudgetName, number>([
      ["unsettled-utterances", this.unsettled.count],
      ["held-messages", this.#heldBytes.takenBytes],
      ["request-bodies", this.requestBodies.takenBytes],
      ["json-answers", this.jsonAnswers.takenBytes],
      ["unread-responses", this.unreadResponses.takenBytes],
    ]);
  }
}
