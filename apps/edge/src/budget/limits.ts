import type { TokenRate } from "@tts-labs/core/async/token-bucket";

/** The bounds on what is asked of the edge, as metrics and errors name them. */
export type BudgetName =
  | "messages"
  | "bytes"
  | "openings"
  | "errors"
  | "prewarms"
  | "unsettled-utterances"
  | "unread-answers"
  | "held-messages"
  | "connections"
  | "requests"
  | "given-up-requests"
  | "request-bodies"
  | "json-answers"
  | "unread-responses"
  | "unread-sockets"
  | "encoders";

/** What one connection may cost. docs/budgets.md has the reasons for the numbers. */
export interface ConnectionLimits {
  /** Messages and control frames. */
  readonly messages: TokenRate;
  readonly bytes: TokenRate;
  /** Utterances opened, the cancelled ones included. */
  readonly openings: TokenRate;
  /** Messages that did not fit the state of the session, and malformed ones. */
  readonly errors: TokenRate;
  readonly prewarms: TokenRate;
  /** Messages, and bytes of them, that wait to be taken; beyond it the connection is closed. */
  readonly heldMessages: number;
  readonly heldBytes: number;
  /** Messages that may come in one turn of the event loop, which ends only when uWS has read what there is. */
  readonly messagesPerTurn: number;
  /** Utterances, unfinished or not, that still have work under way. */
  readonly unsettledUtterances: number;
  /** Answers that the client has not read, beyond which no more of its messages are taken. */
  readonly unreadAnswers: number;
}

/** What all connections of one edge may cost together. */
export interface EdgeLimits {
  /** Ended utterances with work under way, above which each connection may have `fewUnsettled` of them, */
  readonly unsettledUtterances: number;
  readonly fewUnsettled: number;
  /** above which requests and sessions are begun in order, one as another has settled, */
  readonly calmUnsettled: number;
  /** and above which no new ones are opened. */
  readonly maxUnsettledUtterances: number;
  readonly heldBytes: number;
  /** Requests given up early, above which each has to stay for a moment before it begins. */
  readonly givenUpRequests: TokenRate;
  readonly requestBodyBytes: number;
  /** Audio in responses that was written and not read. */
  readonly unreadResponseBytes: number;
  /** What was given to WebSockets and not read; beyond it only those that hold nothing are given more. */
  readonly unreadSocketBytes: number;
  /** Time of each turn of the event loop that may be spent on what clients send. */
  readonly turnMs: number;
}

const KIB = 1_024;
const MIB = 1_024 * KIB;

export const CONNECTION_LIMITS: ConnectionLimits = {
  messages: { perSecond: 5_000, burst: 8_000 },
  bytes: { perSecond: 512 * KIB, burst: 4 * MIB },
  openings: { perSecond: 50, burst: 100 },
  errors: { perSecond: 20, burst: 200 },
  prewarms: { perSecond: 2, burst: 64 },
  heldMessages: 32_768,
  heldBytes: 1.25 * MIB,
  messagesPerTurn: 16_384,
  unsettledUtterances: 32,
  unreadAnswers: 128,
};

export const EDGE_LIMITS: EdgeLimits = {
  unsettledUtterances: 1_000,
  fewUnsettled: 2,
  calmUnsettled: 64,
  maxUnsettledUtterances: 5_000,
  heldBytes: 64 * MIB,
  givenUpRequests: { perSecond: 20, burst: 50 },
  requestBodyBytes: 32 * MIB,
  unreadResponseBytes: 64 * MIB,
  unreadSocketBytes: 64 * MIB,
  turnMs: 4,
};
