import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { BudgetObserver } from "./budget-observer.ts";
import { HeldMessages } from "./held-messages.ts";
import type { BudgetName, ConnectionLimits } from "./limits.ts";
import { isRate, MessageMeter } from "./message-meter.ts";
import type { TurnTaker, WorkTurns } from "./work-turns.ts";

/** Messages of one connection that are taken before another has its turn. */
const MESSAGES_PER_TURN = 16;
/** What ends by itself, and says no word when it does, is looked at again after this. */
const LOOK_AGAIN_MS = 20;

/** Why no message is taken, where it is not a rate. */
export type Obstacle = "unsettled-utterances" | "unread-answers" | "held-messages";

export interface IntakeRoles {
  readonly limits: ConnectionLimits;
  readonly turns: WorkTurns;
  /** Messages held by all connections. */
  readonly heldBytes: ByteBudget;
  readonly observer: BudgetObserver;
}

export interface IntakeOptions extends IntakeRoles {
  /** Parses and obeys one message. The bytes are valid during the call. */
  readonly take: (message: Uint8Array, isBinary: boolean) => void;
  /** What else the next message has to wait for, `held-messages` where it is only for the connection to be ready. */
  readonly obstacle: () => Obstacle | undefined;
  /** More was sent than may be held: the connection is to be closed. */
  readonly onOver: (error: GatewayError) => void;
}

/**
 * The one place that a client's messages pass before they are parsed. A message is taken at once while the connection's
 * budgets and the turn of the event loop have room. Else it is held, unparsed, with all that follow, and they are taken
 * in order as the budgets come back: uWebSockets.js can't stop reading from a WebSocket, so this is what pausing looks
 * like. A client that goes on until no more can be held is closed, with the name of the budget.
 *
 *   offer ──▶ taken
 *     └─────▶ held ──budget back, turn──▶ taken
 *               └───no room───▶ closed
 */
export class Intake implements TurnTaker {
  readonly #options: IntakeOptions;
  readonly #meter: MessageMeter;
  readonly #held: HeldMessages;
  /** The turn of the event loop in which the last message came, and how many have come in it. */
  #turn = -1;
  #cameInTurn = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#meter = new MessageMeter(options.limits, performance.now());
    this.#held = new HeldMessages(options.limits.heldMessages, options.limits.heldBytes, options.heldBytes);
  }

  /** The bytes belong to the caller again once this returns. */
  offer(message: Uint8Array, isBinary: boolean): void {
    if (this.#isClosed) return;
    const { turns } = this.#options;
    if (this.#isTooMuchForOneTurn()) {
      this.#close("messages");
      return;
    }
    if (!this.#held.isEmpty) {
      this.#hold(message, isBinary);
      return;
    }
    const nowMs = performance.now();
    const blocked = this.#blockedBy(nowMs);
    if (blocked === undefined && turns.hasRoom) {
      this.#take(message, isBinary, nowMs);
      turns.spent(performance.now() - nowMs);
      return;
    }
    if (!this.#hold(message, isBinary)) return;
    if (blocked === undefined) turns.queue(this);
    else this.#pause(blocked, nowMs);
  }

  /** The client has sent a ping or a pong, which can be neither held nor left unanswered. */
  controlFrame(): void {
    if (this.#isClosed) return;
    const isPaid = this.#meter.controlFrame(performance.now());
    if (this.#isTooMuchForOneTurn() || !isPaid) this.#close("messages");
  }

  /** A message has opened an utterance: the next waits until the budget of openings is paid back. */
  opened(): void {
    this.#meter.opening(performance.now());
  }

  /** A message was answered with an error. */
  failed(): void {
    this.#meter.error(performance.now());
  }

  /** @throws GatewayError `capacity.rate_limited` */
  assertPrewarm(): void {
    const retryAfterMs = this.#meter.prewarm(performance.now());
    if (retryAfterMs === 0) return;
    this.#options.observer.budgetReached("prewarms", "refused");
    throw rateLimited("prewarms", retryAfterMs);
  }

  /** What was in the way may be gone. */
  wake(): void {
    if (!this.#isClosed && !this.#held.isEmpty) this.#options.turns.queue(this);
  }

  takeTurn(): boolean {
    for (let i = 0; i < MESSAGES_PER_TURN; i++) {
      if (this.#isClosed || this.#held.isEmpty) return false;
      const nowMs = performance.now();
      const blocked = this.#blockedBy(nowMs);
      if (blocked !== undefined) {
        this.#waitFor(blocked, nowMs);
        return false;
      }
      this.#held.shift((message, isBinary) => this.#take(message, isBinary, nowMs));
    }
    return !this.#isClosed && !this.#held.isEmpty;
  }

  /** Throws away what is held. May be called twice. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#options.turns.remove(this);
    this.#held.clear();
  }

  /** uWS goes on reading from a socket that is never empty: timers, Redis and other sockets would wait until it is. */
  #isTooMuchForOneTurn(): boolean {
    const turn = this.#options.turns.number();
    if (turn !== this.#turn) this.#cameInTurn = 0;
    this.#turn = turn;
    return ++this.#cameInTurn > this.#options.limits.messagesPerTurn;
  }

  #take(message: Uint8Array, isBinary: boolean, nowMs: number): void {
    this.#meter.message(message.byteLength, nowMs);
    this.#options.take(message, isBinary);
  }

  #blockedBy(nowMs: number): BudgetName | undefined {
    return this.#options.obstacle() ?? this.#meter.exhausted(nowMs);
  }

  #hold(message: Uint8Array, isBinary: boolean): boolean {
    if (this.#held.push(message, isBinary)) return true;
    this.#close(this.#blockedBy(performance.now()) ?? "held-messages");
    return false;
  }

  #pause(name: BudgetName, nowMs: number): void {
    if (name !== "held-messages") this.#options.observer.budgetReached(name, "paused");
    this.#waitFor(name, nowMs);
  }

  #waitFor(name: BudgetName, nowMs: number): void {
    const waitMs = isRate(name) ? this.#meter.waitMs(name, nowMs) : LOOK_AGAIN_MS;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), waitMs);
  }

  #close(name: BudgetName): void {
    const retryAfterMs = isRate(name) ? this.#meter.waitMs(name, performance.now()) : LOOK_AGAIN_MS;
    this.close();
    this.#options.observer.budgetReached(name, "closed");
    this.#options.onOver(
      name === "unread-answers"
        ? new GatewayError("capacity.slow_client", "The client sends messages and does not read the answers.")
        : rateLimited(name, retryAfterMs),
    );
  }
}

const MEANINGS: Readonly<Partial<Record<BudgetName, string>>> = {
  messages: "too many messages per second",
  bytes: "too many bytes per second",
  openings: "too many utterances opened per second",
  errors: "too many messages per second that could not be obeyed",
  prewarms: "too many prewarm messages per second",
  "unsettled-utterances": "too many utterances opened and given up before their work was settled",
  "held-messages": "too much sent before it could be taken",
};

function rateLimited(budget: BudgetName, retryAfterMs: number): GatewayError {
  const meaning = MEANINGS[budget] ?? budget;
  const message = `Sent faster than one connection may: ${meaning}. Wait ${retryAfterMs} ms.`;
  return new GatewayError("capacity.rate_limited", message, { facts: { budget }, retryAfterMs });
}
