import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { Logger } from "@tts-labs/core/logger";
import type { BudgetObserver } from "./budget-observer.ts";
import { Connections } from "./connections.ts";
import { GivenUpRequests } from "./given-up-requests.ts";
import type { IntakeRoles } from "./intake.ts";
import {
  type BudgetName,
  CONNECTION_LIMITS,
  type ConnectionLimits,
  EDGE_LIMITS,
  type EdgeLimits,
} from "./limits.ts";
import type { ConnectionBounds } from "./open-files.ts";
import { RequestGate } from "./request-gate.ts";
import { UnsettledUtterances } from "./unsettled-utterances.ts";
import { WorkTurns } from "./work-turns.ts";

export interface BudgetLimits {
  readonly connection: ConnectionLimits;
  readonly edge: EdgeLimits;
}

export const DEFAULT_LIMITS: BudgetLimits = { connection: CONNECTION_LIMITS, edge: EDGE_LIMITS };

export interface EdgeBudgetRoles {
  readonly limits: BudgetLimits;
  readonly maxConnections: ConnectionBounds;
  readonly jsonAnswerBytes: number;
  readonly observer: BudgetObserver;
  readonly logger: Logger;
}

/** What all connections of one edge share. Made once. */
export class EdgeBudget {
  readonly limits: BudgetLimits;
  readonly turns: WorkTurns;
  /** Of the clients' port. */
  readonly connections: Connections;
  readonly clientGate: RequestGate;
  readonly opsGate: RequestGate;
  readonly unsettled: UnsettledUtterances;
  readonly givenUp: GivenUpRequests;
  readonly requestBodies: ByteBudget;
  readonly jsonAnswers: ByteBudget;
  readonly unreadResponses: ByteBudget;
  readonly #unreadSocketBytes: ByteBudget;
  readonly #heldBytes: ByteBudget;
  readonly #observer: BudgetObserver;

  constructor({ limits, maxConnections, jsonAnswerBytes, observer, logger }: EdgeBudgetRoles) {
    const { edge, connection } = limits;
    this.connections = new Connections({
      of: "clients",
      maxConnections: maxConnections.clients,
      observer,
      logger,
    });
    this.limits = limits;
    this.#observer = observer;
    this.turns = new WorkTurns(edge.turnMs);
    const { turns, connections } = this;
    this.clientGate = new RequestGate({ connections, turns, observer });
    this.opsGate = new RequestGate({
      connections: new Connections({
        of: "operators",
        maxConnections: maxConnections.operators,
        observer,
        logger,
      }),
      turns,
      observer,
    });
    this.unsettled = new UnsettledUtterances(
      {
        unsettledUtterances: edge.unsettledUtterances,
        fewUnsettled: edge.fewUnsettled,
        calmUnsettled: edge.calmUnsettled,
        maxUnsettledUtterances: edge.maxUnsettledUtterances,
        ofSession: connection.unsettledUtterances,
      },
      observer,
    );
    this.givenUp = new GivenUpRequests(edge.givenUpRequests, observer);
    this.requestBodies = new ByteBudget(edge.requestBodyBytes);
    this.jsonAnswers = new ByteBudget(jsonAnswerBytes);
    this.unreadResponses = new ByteBudget(edge.unreadResponseBytes);
    this.#unreadSocketBytes = new ByteBudget(edge.unreadSocketBytes);
    this.#heldBytes = new ByteBudget(edge.heldBytes);
  }

  /** For each connection's intake. */
  get intake(): IntakeRoles {
    const { turns, limits } = this;
    return { limits: limits.connection, turns, heldBytes: this.#heldBytes, observer: this.#observer };
  }

  /** For all WebSockets. */
  get unreadSockets(): { readonly bytes: ByteBudget; readonly paused: () => void } {
    const paused = () => this.#observer.budgetReached("unread-sockets", "paused");
    return { bytes: this.#unreadSocketBytes, paused };
  }

  /** How much of what is shared is in use now, in the budget's own unit. */
  used(): ReadonlyMap<BudgetName, number> {
    return new Map<BudgetName, number>([
      ["connections", this.connections.count],
      ["unsettled-utterances", this.unsettled.count],
      ["held-messages", this.#heldBytes.takenBytes],
      ["given-up-requests", Math.ceil(this.givenUp.count)],
      ["request-bodies", this.requestBodies.takenBytes],
      ["json-answers", this.jsonAnswers.takenBytes],
      ["unread-responses", this.unreadResponses.takenBytes],
      ["unread-sockets", this.#unreadSocketBytes.takenBytes],
    ]);
  }
}
