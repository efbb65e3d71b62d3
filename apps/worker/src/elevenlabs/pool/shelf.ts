import { Backoff, type BackoffOptions } from "@tts-labs/core/async/backoff";
import { LazyTimer, monotonicMs } from "@tts-labs/core/async/lazy-timer";
import type { SocketOutcome } from "../connection-state.ts";
import type { ProviderObserver, RetiredReason } from "../observer.ts";
import type { Route } from "../route.ts";
import type { SingleUseSocket } from "../single-use-socket.ts";
import { Demand } from "./demand.ts";
import { WarmthWatch } from "./warmth-watch.ts";

export interface ShelfOptions {
  /** Warm sockets, or on the way to it, while the route is in use; more where it is used much. */
  readonly warmPerRoute: number;
  /** Off, in tests: `warmPerRoute` and no more, however much the route is used. */
  readonly followsDemand: boolean;
  /**
   * Oldest a warm socket may be when it is taken. Absent: by the idle limit that its route asks the provider for; it
   * is never older than that allows.
   */
  readonly maxIdleMs?: number;
  /** Between the beginnings of two connects; less where arrivals ask for more of them. */
  readonly staggerMs: number;
  /** How long after its last use a route is kept warm. */
  readonly keepRouteMs: number;
  /** After failures to connect, or of idle sockets. */
  readonly backoff: BackoffOptions;
  /** After a failure that will not pass by itself, such as a wrong key. */
  readonly permanentPauseMs: number;
}

export interface ShelfOwner {
  readonly observer: ProviderObserver;
  /** A new socket, or `undefined` where the pool is at its bound. */
  connect(shelf: Shelf): SingleUseSocket | undefined;
  /** The number of warm sockets has changed. */
  changed(): void;
  /** The shelf is empty and has not been used for a long time. */
  emptied(shelf: Shelf): void;
}

/**
 * The warm sockets of one route. A socket is put here by connecting and leaves once: taken, or retired, or
 * by its own failure; nothing is ever put back. One timer sees to it that the shelf is filled one socket at
 * a time, that old ones are replaced, and that an unused shelf empties. How many it holds follows demand;
 * what a lull makes too many is not replaced when it has grown old.
 */
export class Shelf {
  readonly route: Route;
  readonly key: string;
  readonly #options: ShelfOptions;
  readonly #owner: ShelfOwner;
  readonly #backoff: Backoff;
  readonly #demand = new Demand();
  readonly #timer = new LazyTimer(() => this.tend());
  /** Oldest first. */
  readonly #warm: SingleUseSocket[] = [];
  readonly #connecting = new Set<SingleUseSocket>();
  readonly #maxIdleMs: number;
  readonly #watch = new WarmthWatch();
  #usedAtMs = monotonicMs();
  #uses = 0;
  #expected = 0;
  #nextConnectAtMs = 0;
  #closed = false;

  constructor(route: Route, key: string, options: ShelfOptions, owner: ShelfOwner) {
    this.route = route;
    this.key = key;
    this.#options = options;
    this.#owner = owner;
    this.#backoff = new Backoff(options.backoff);
    this.#maxIdleMs = toMaxIdleMs(route, options.maxIdleMs);
  }

  get warm(): number {
    return this.#warm.length;
  }

  /** Warm and on the way. */
  get size(): number {
    return this.#warm.length + this.#connecting.size;
  }

  /** How often the route was used or asked for, older uses weighing less: what is used much keeps its place. */
  weight(nowMs: number): number {
    return this.#uses * Math.exp(-(nowMs - this.#usedAtMs) / this.#options.keepRouteMs);
  }

  /** The route is wanted now or soon; `uses` times more than was known. */
  touch(uses = 0): void {
    const nowMs = monotonicMs();
    this.#uses = this.weight(nowMs) + uses;
    this.#usedAtMs = nowMs;
  }

  /** Number of runs that will come as soon as they have a slot. */
  expect(count: number): void {
    this.#expected = count;
    this.touch();
    this.tend();
  }

  /** Checks out the youngest warm socket that is fit to speak, then fills the shelf up again. */
  take(): SingleUseSocket | undefined {
    this.touch(1);
    this.#demand.arrived(this.#usedAtMs);
    const taken = this.#takeYoungest();
    if (taken !== undefined) this.#backoff.reset();
    // Filling up waits a moment: the taker has something to say, and connecting the next socket takes longer than
    // saying it.
    this.#timer.wakeBy(monotonicMs());
    return taken;
  }

  /**
   * Waits until it has a socket that the provider has not refused.
   * @returns milliseconds that connecting took
   * @throws GatewayError what it was refused with, or the signal's reason
   */
  whenWarm(signal: AbortSignal): Promise<number> {
    return this.#watch.wait(this.#warm, signal);
  }

  /** Gives up one warm socket, the oldest, for the sake of another route. */
  evictOne(): boolean {
    const oldest = this.#warm[0];
    if (oldest === undefined) return false;
    this.#retire(oldest, "evicted");
    return true;
  }

  /**
   * What a socket of this route, taken or not, has come to tells whether more should be opened ahead: not for
   * a while if none came about or idle ones fail, and for longer if the failure is for good.
   */
  learn(outcome: SocketOutcome): void {
    if (outcome.kind !== "failed" || outcome.aborted) return;
    const { error, phase } = outcome;
    if (phase !== "speaking") this.#watch.failed(error);
    if (error.retryable && phase === "speaking") return;
    const backoffMs = error.retryable ? this.#backoff.nextMs() : this.#options.permanentPauseMs;
    const waitMs = Math.max(backoffMs, error.retryAfterMs ?? 0);
    this.#nextConnectAtMs = Math.max(this.#nextConnectAtMs, monotonicMs() + waitMs);
  }

  /** Retires what is too old, opens what is missing, and asks to be woken for what comes next. */
  tend(): void {
    if (this.#closed) return;
    const nowMs = monotonicMs();
    const inUse = nowMs < this.#usedAtMs + this.#options.keepRouteMs;
    for (const socket of [...this.#warm]) {
      if (!inUse) this.#retire(socket, "unused");
      else if (nowMs >= this.#expiryOf(socket)) this.#retire(socket, "age");
    }
    const wanting = inUse && this.size < this.#wanted(nowMs);
    if (wanting && nowMs >= this.#nextConnectAtMs) this.#connectOne(nowMs);
    if (!inUse && this.size === 0) {
      this.#owner.emptied(this);
      return;
    }
    const [oldest] = this.#warm;
    if (oldest !== undefined) this.#timer.wakeBy(this.#expiryOf(oldest));
    if (!inUse) return;
    if (this.size < this.#wanted(nowMs)) this.#timer.wakeBy(this.#nextConnectAtMs);
    this.#timer.wakeBy(this.#usedAtMs + this.#options.keepRouteMs);
  }

  /** Retires everything. May be called twice. */
  close(reason: RetiredReason): void {
    this.#closed = true;
    this.#timer.cancel();
    this.#watch.close();
    for (const socket of [...this.#warm]) this.#retire(socket, reason);
    for (const socket of this.#connecting) socket.retire();
    this.#connecting.clear();
  }

  #takeYoungest(): SingleUseSocket | undefined {
    const nowMs = monotonicMs();
    for (let socket = this.#warm.pop(); socket !== undefined; socket = this.#warm.pop()) {
      this.#owner.changed();
      const tooOld = nowMs >= this.#expiryOf(socket);
      if (!tooOld && socket.checkOut()) return socket;
      this.#owner.observer.retired(tooOld ? "age" : "unhealthy");
      socket.retire();
    }
    return undefined;
  }

  #wanted(nowMs: number): number {
    const { warmPerRoute, followsDemand } = this.#options;
    if (warmPerRoute === 0 || !followsDemand) return warmPerRoute;
    return Math.max(warmPerRoute, this.#demand.sockets(nowMs), this.#expected);
  }

  #connectOne(nowMs: number): void {
    const { staggerMs, followsDemand } = this.#options;
    this.#nextConnectAtMs = nowMs + (followsDemand ? this.#demand.staggerMs(staggerMs, nowMs) : staggerMs);
    const socket = this.#owner.connect(this);
    if (socket === undefined) {
      this.#nextConnectAtMs = nowMs + this.#options.backoff.firstMs;
      return;
    }
    this.#connecting.add(socket);
    socket.opened.then(
      () => this.#onWarm(socket),
      () => {},
    );
    void socket.ended.then(() => this.#onEnded(socket));
  }

  #onWarm(socket: SingleUseSocket): void {
    if (!this.#connecting.delete(socket)) return;
    this.#demand.connected(monotonicMs() - socket.connectingSinceMs);
    this.#warm.push(socket);
    this.#watch.opened(socket);
    this.#owner.changed();
    this.tend();
  }

  /** The socket has ended by itself: taking or retiring one removes it from the shelf first. */
  #onEnded(socket: SingleUseSocket): void {
    const wasConnecting = this.#connecting.delete(socket);
    const place = this.#warm.indexOf(socket);
    if (place !== -1) {
      this.#warm.splice(place, 1);
      this.#owner.observer.retired("failed");
      this.#owner.changed();
    }
    if (wasConnecting || place !== -1) this.tend();
  }

  #retire(socket: SingleUseSocket, reason: RetiredReason): void {
    this.#warm.splice(this.#warm.indexOf(socket), 1);
    this.#owner.observer.retired(reason);
    this.#owner.changed();
    if (reason === "age") this.#backoff.reset();
    socket.retire();
  }

  #expiryOf(socket: SingleUseSocket): number {
    return (socket.openedAtMs ?? 0) + this.#maxIdleMs;
  }
}

/** Tried by others under the usual limit of 20 s: sockets of up to 17 s spoke, one of 19.8 s did not. */
const TRIED_IDLE_MS = 15_000;

/**
 * A third of the limit, or what was tried under the usual one. An age that is configured is held to nine tenths of
 * the limit: an older socket may be closed just as it is taken.
 */
function toMaxIdleMs({ inactivityTimeoutS }: Route, configuredMs: number | undefined): number {
  const limitMs = inactivityTimeoutS * 1_000;
  return configuredMs === undefined
    ? Math.max(limitMs / 3, Math.min(TRIED_IDLE_MS, limitMs * 0.75))
    : Math.min(configuredMs, limitMs * 0.9);
}
