import { monotonicMs } from "../async/lazy-timer.ts";
import type { Turn } from "./slots-record.ts";

export interface Ticket {
  /** Unique in the fleet; also the name under which its owner is woken. */
  readonly name: string;
  readonly sinceMs: number;
}

export interface WaitingTicketOptions {
  readonly name: string;
  /** For how long its utterance had waited when this was made. */
  readonly ageMs: number;
  readonly turn: Turn;
  readonly grant: (key: number) => void;
  readonly refuse: (reason: Error) => void;
}

/** One who waits for a slot. */
export class WaitingTicket implements Ticket {
  readonly name: string;
  readonly sinceMs = monotonicMs();
  readonly grant: (key: number) => void;
  readonly refuse: (reason: Error) => void;
  readonly turn: Turn;
  readonly #ageMs: number;

  constructor({ name, ageMs, turn, grant, refuse }: WaitingTicketOptions) {
    this.name = name;
    this.turn = turn;
    this.grant = grant;
    this.refuse = refuse;
    this.#ageMs = ageMs;
  }

  get ticket(): string {
    return this.name;
  }

  get ageMs(): number {
    return this.#ageMs + monotonicMs() - this.sinceMs;
  }
}

/** One who has a slot of the key at place `key`. */
export class HeldTicket implements Ticket {
  readonly name: string;
  readonly sinceMs = monotonicMs();
  #key: number;
  #moving: ((hasMoved: boolean) => void)[] = [];

  constructor(name: string, key: number) {
    this.name = name;
    this.#key = key;
  }

  get ticket(): string {
    return this.name;
  }

  get key(): number {
    return this.#key;
  }

  get wantsToMove(): boolean {
    return this.#moving.length > 0;
  }

  move(): Promise<boolean> {
    return new Promise((resolve) => this.#moving.push(resolve));
  }

  /** What came of wanting to move: the key it has now. */
  moved({ key }: { readonly key: number }): void {
    const hasMoved = key !== this.#key;
    this.#key = key;
    for (const settle of this.#moving.splice(0)) settle(hasMoved);
  }
}
