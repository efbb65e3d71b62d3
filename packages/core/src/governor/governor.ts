import { GatewayError } from "@tts-labs/protocol/errors";
import { monotonicMs } from "../async/lazy-timer.ts";
import { settleable } from "../async/settleable.ts";
import type { Logger } from "../logger.ts";
import type { Bell } from "../redis/bell.ts";
import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { type GovernorObserver, silentObserver } from "./observer.ts";
import { type KeySlots, NO_TENANT, type Place, SlotsRecord, type Told, type Turn } from "./slots-record.ts";
import { HeldTicket, type Ticket, WaitingTicket } from "./ticket.ts";

/** The right to have the provider generate one utterance, until it is released. */
export interface SlotLease {
  /** The provider key it counts for; `move` may change it. */
  readonly keyId: string;
  /** To another key, where one has a free slot now. Never waits for one. */
  move(): Promise<boolean>;
  /** Safe to call twice. */
  release(): void;
}

export interface GovernorSettings {
  /** A lease that is not renewed for so long is given to others: its holder is dead. */
  readonly leaseMs: number;
  /** Interval of renewals, and of the looks of waiting tickets in case a bell is lost. */
  readonly renewEveryMs: number;
  /** Longest wait for a slot; then `capacity.slot_timeout`. */
  readonly waitMs: number;
}

/** A dead holder's slot is granted anew within 1.9 s: its lease, and the next look of a waiting process. */
export const DEFAULT_GOVERNOR: GovernorSettings = { leaseMs: 1_500, renewEveryMs: 400, waitMs: 30_000 };

export interface GovernorOptions {
  readonly redis: RedisConnection;
  /** Wakes those who were granted a slot, here or elsewhere. */
  readonly bell: Bell;
  readonly keys: Keys;
  readonly provider: string;
  readonly keySlots: readonly KeySlots[];
  readonly settings?: Partial<GovernorSettings>;
  /** Whether slots of a key may be handed out; a key whose circuit is open would waste them. */
  readonly mayServe?: (keyId: string) => boolean;
  readonly logger: Logger;
  readonly observer?: GovernorObserver;
}

const LONGEST_AGE_MS = 60_000;
/** The wait given to an utterance that timed out: at least a second, at most half a minute. */
const RETRY_AFTER_MS = { least: 1_000, most: 30_000 };

/**
 * The provider's concurrency, shared by all processes: never more leases than slots; tenants take turns by their
 * weights, and of one tenant the first to come is served first.
 *
 * There is one call, the *exchange* (redis/lua/govern.lua): a process tells what it gives back, holds and
 * wants, and free slots go to those of the whole fleet whose utterances came first. So a process that gives a slot back
 * hands it on, in that one call, and rings the bell of whom it went to; that one asks and is told its key. At most one
 * exchange of a process is under way, and the next tells everything that came up meanwhile, so the cost is per
 * exchange, not per ticket.
 *
 * Every `renewEveryMs` all tickets are told anew: this renews leases, keeps waiting tickets in their place, and
 * finds what a lost bell or a lost answer would have told. A process that dies stops telling; its leases and
 * tickets expire, by the server's clock. While Redis is away nothing is granted, and a holder of a slot goes on.
 */
export class SlotGovernor {
  readonly #options: GovernorOptions;
  readonly #settings: GovernorSettings;
  readonly #record: SlotsRecord;
  readonly #observer: GovernorObserver;
  /** Bounded by the runs of this process: each has one. */
  readonly #waiting = new Map<string, WaitingTicket>();
  readonly #held = new Map<string, HeldTicket>();
  /** To be told in the next exchange. */
  readonly #wanted = new Set<string>();
  readonly #dropped = new Set<string>();
  #renewing: NodeJS.Timeout | undefined;
  #exchanging: Promise<void> | undefined;
  #renewalDue = false;
  #epoch: string | undefined;
  #queued = 0;
  /** Exponential mean; until one is known, that of a short sentence. */
  #meanHeldMs = 1_000;
  #closed = false;

  constructor(options: GovernorOptions) {
    this.#options = options;
    this.#settings = { ...DEFAULT_GOVERNOR, ...options.settings };
    this.#record = new SlotsRecord({ ...options, leaseMs: this.#settings.leaseMs });
    this.#observer = options.observer ?? silentObserver;
  }

  /**
   * @param ageMs for how long the utterance has waited already, elsewhere: what is taken over, or was picked up late,
   * does not begin again at the end of the queue. At most a minute is believed, as clocks may differ.
   * @param turn of the tenant that it is for
   * @throws GatewayError `capacity.slot_timeout` with the wait to expect, `draining`; or the signal's reason
   */
  async acquire(signal: AbortSignal, ageMs = 0, turn: Turn = NO_TENANT): Promise<SlotLease> {
    signal.throwIfAborted();
    if (this.#closed) throw new GatewayError("draining");
    const { promise, resolve, reject } = settleable<SlotLease>();
    const name = this.#options.bell.enlist({ ring: () => this.#ask(name) });
    const giveUp = (reason: Error) => {
      this.#forget(ticket);
      this.#options.bell.dismiss(name);
      reject(reason);
    };
    const onAbort = () => giveUp(signal.reason);
    const deadline = setTimeout(() => {
      this.#observer.timedOut();
      giveUp(this.#toTimeout());
    }, this.#settings.waitMs);
    const believedMs = Math.min(Math.max(0, ageMs), LONGEST_AGE_MS);
    const grant = (key: number) => resolve(this.#hold(ticket, key));
    const ticket: WaitingTicket = new WaitingTicket({ name, ageMs: believedMs, turn, grant, refuse: giveUp });
    this.#waiting.set(name, ticket);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#ask(name);
    try {
      return await promise;
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Those who wait are turned away, what is held is given back. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const ticket of this.#waiting.values()) ticket.refuse(new GatewayError("draining"));
    for (const ticket of this.#held.values()) this.#forget(ticket);
    clearInterval(this.#renewing);
    this.#renewing = undefined;
    await this.#exchanging;
    if (this.#dropped.size > 0) await this.#tellOnce();
  }

  #hold(waiting: WaitingTicket, key: number): SlotLease {
    const ticket = new HeldTicket(waiting.name, key);
    this.#waiting.delete(ticket.name);
    this.#options.bell.dismiss(ticket.name);
    this.#held.set(ticket.name, ticket);
    this.#observer.granted(monotonicMs() - waiting.sinceMs);
    this.#count();
    const { keySlots } = this.#options;
    return {
      get keyId() {
        return keySlots[ticket.key]?.keyId ?? "";
      },
      move: () => {
        if (!this.#held.has(ticket.name) || keySlots.length < 2) return Promise.resolve(false);
        const moved = ticket.move();
        this.#tell();
        return moved;
      },
      release: () => {
        if (!this.#held.has(ticket.name)) return;
        this.#meanHeldMs += (monotonicMs() - ticket.sinceMs - this.#meanHeldMs) / 16;
        this.#forget(ticket);
        this.#tell();
      },
    };
  }

  #forget(ticket: Ticket): void {
    if (ticket instanceof HeldTicket) ticket.moved(ticket);
    this.#waiting.delete(ticket.name);
    this.#held.delete(ticket.name);
    this.#wanted.delete(ticket.name);
    this.#dropped.add(ticket.name);
    this.#count();
  }

  #ask(name: string): void {
    if (!this.#waiting.has(name)) return;
    this.#wanted.add(name);
    this.#count();
    this.#tell();
  }

  #tell(): void {
    if (!this.#closed) this.#renewing ??= setInterval(() => this.#renew(), this.#settings.renewEveryMs);
    this.#exchanging ??= this.#exchange();
  }

  #renew(): void {
    if (this.#waiting.size + this.#held.size + this.#dropped.size === 0) {
      clearInterval(this.#renewing);
      this.#renewing = undefined;
      this.#epoch = undefined;
      return;
    }
    for (const name of this.#waiting.keys()) this.#wanted.add(name);
    this.#renewalDue = true;
    this.#exchanging ??= this.#exchange();
  }

  async #exchange(): Promise<void> {
    // What comes up in one turn of the event loop is told together.
    await new Promise((resolve) => setImmediate(resolve));
    while ((await this.#tellOnce()) && this.#hasNews());
    this.#exchanging = undefined;
  }

  #hasNews(): boolean {
    if (this.#renewalDue || this.#wanted.size > 0 || this.#dropped.size > 0) return true;
    for (const ticket of this.#held.values()) if (ticket.wantsToMove) return true;
    return false;
  }

  /** Whether it was told. What was not is told again at the next renewal. */
  async #tellOnce(): Promise<boolean> {
    const dropped = [...this.#dropped];
    const wanted = [...this.#wanted].flatMap((name) => this.#waiting.get(name) ?? []);
    const held = [...this.#held.values()];
    const renewed = this.#renewalDue ? held.filter((ticket) => !ticket.wantsToMove) : [];
    this.#wanted.clear();
    this.#renewalDue = false;
    try {
      const told = await this.#record.exchange({
        epoch: this.#epoch,
        dropped,
        held: renewed,
        wanted,
        moving: held.filter((ticket) => ticket.wantsToMove),
        mayServe: this.#options.mayServe ?? (() => true),
      });
      for (const name of dropped) this.#dropped.delete(name);
      this.#take(told);
      return true;
    } catch (err) {
      for (const ticket of held) ticket.moved(ticket);
      this.#options.logger.debug({ err }, "provider slots not exchanged");
      return false;
    }
  }

  #take({ epoch, queued, lostLeases, granted, moved }: Told): void {
    this.#epoch = epoch;
    this.#queued = queued;
    if (lostLeases > 0) this.#onLost(lostLeases);
    for (const place of moved) this.#held.get(place.ticket)?.moved(place);
    for (const place of granted) this.#onGranted(place);
  }

  #onGranted(place: Place): void {
    const ticket = this.#waiting.get(place.ticket);
    if (ticket !== undefined) ticket.grant(place.key);
    else if (!this.#held.has(place.ticket)) this.#options.bell.ring([place.ticket]);
  }

  #onLost(count: number): void {
    this.#observer.lostLeases(count);
    this.#options.logger.warn({ count }, "leases of provider slots had expired");
  }

  #toTimeout(): GatewayError {
    const slots = this.#options.keySlots.reduce((sum, key) => sum + key.slots, 0);
    const expectedMs = (this.#queued / Math.max(1, slots)) * this.#meanHeldMs;
    const retryAfterMs = Math.round(
      Math.min(Math.max(expectedMs, RETRY_AFTER_MS.least), RETRY_AFTER_MS.most),
    );
    return new GatewayError("capacity.slot_timeout", undefined, {
      retryAfterMs,
      facts: { waitedMs: this.#settings.waitMs, queued: this.#queued },
    });
  }

  #count(): void {
    this.#observer.counts(this.#held.size, this.#waiting.size);
  }
}
