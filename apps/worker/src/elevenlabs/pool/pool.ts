import { monotonicMs } from "@tts-labs/core/async/lazy-timer";
import type { Logger } from "@tts-labs/core/logger";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { ProviderObserver } from "../observer.ts";
import { type Route, routeKey } from "../route.ts";
import type { SingleUseSocket } from "../single-use-socket.ts";
import { Shelf, type ShelfOptions } from "./shelf.ts";
import { UsedRoutes } from "./used-routes.ts";

export interface PoolOptions extends ShelfOptions {
  /** Routes kept warm at once; beyond it the one used least is let go, unless the new one is used even less. */
  readonly maxRoutes: number;
  /** Routes whose use is remembered, so that a second one is known for it. */
  readonly maxRemembered: number;
  /** Warm sockets of all routes, and those on the way. */
  readonly maxSockets: number;
}

/**
 * Nothing is left of a route 60 s after its last use. Open sockets cost nothing at the provider: only generating
 * counts (docs/elevenlabs.md 4.3).
 */
export const DEFAULT_POOL: PoolOptions = {
  warmPerRoute: 3,
  followsDemand: true,
  staggerMs: 100,
  keepRouteMs: 50_000,
  backoff: { firstMs: 500, maxMs: 30_000 },
  permanentPauseMs: 60_000,
  maxRoutes: 32,
  maxRemembered: 1_024,
  maxSockets: 96,
};

export interface Opened {
  readonly socket: SingleUseSocket;
  readonly warm: boolean;
}

export interface PoolParts {
  readonly options: PoolOptions;
  readonly connect: (route: Route) => SingleUseSocket;
  /** Whether sockets may be opened ahead with a key; a provider that is to be left alone gets none. */
  readonly mayWarm?: (keyId: string) => boolean;
  readonly observer: ProviderObserver;
  readonly logger: Logger;
}

/**
 * Single-use sockets, opened ahead of need. A socket is handed out at most once and never comes back; taking
 * one makes its shelf open the next. Sockets in use are known here too, so that `close` ends everything.
 *
 * A route gets a shelf when it is used for the second time, or when asked for by `prewarm`: one utterance with
 * settings that are never used again costs one connection. When all places are taken, a new route gets one only
 * from a route that is used less, so that many odd routes cannot push out those in steady use.
 */
export class SocketPool {
  readonly #parts: PoolParts;
  /** By route key, the longest unused first. */
  readonly #shelves = new Map<string, Shelf>();
  readonly #used: UsedRoutes;
  readonly #sockets = new Set<SingleUseSocket>();
  #closed = false;

  constructor(parts: PoolParts) {
    this.#parts = parts;
    this.#used = new UsedRoutes(parts.options.maxRemembered, parts.options.keepRouteMs);
  }

  /** How many routes it knows: used lately, and kept warm. Both are bounded. */
  get remembered(): { readonly used: number; readonly warm: number } {
    return { used: this.#used.size, warm: this.#shelves.size };
  }

  /**
   * A socket ready for text: warm if there is one, else fresh.
   * @throws GatewayError `provider.*`, `draining` after `close`; or the signal's reason
   */
  async open(route: Route, signal: AbortSignal): Promise<Opened> {
    signal.throwIfAborted();
    const warm = this.#shelfOfUsed(route)?.take();
    if (warm !== undefined) {
      this.#parts.observer.checkedOut("hit");
      return { socket: warm, warm: true };
    }
    this.#parts.observer.checkedOut("miss");
    return { socket: await this.#openFresh(route, signal), warm: false };
  }

  /** Like `open`, but never a warm one, and a patient one: for who has failed before. */
  async openFresh(route: Route, signal: AbortSignal): Promise<Opened> {
    signal.throwIfAborted();
    this.#shelves.get(routeKey(route))?.touch();
    this.#parts.observer.checkedOut("fresh");
    const socket = await this.#openFresh(route, signal);
    socket.bePatient();
    return { socket, warm: false };
  }

  /** The route will be wanted soon. */
  prewarm(route: Route): void {
    if (this.#closed) return;
    const isKnown = this.#shelves.has(routeKey(route));
    const shelf = this.#shelfFor(route, 1);
    if (isKnown) shelf?.touch(1);
    shelf?.tend();
  }

  /**
   * Makes the route warm, and waits for it.
   * @returns milliseconds that connecting took
   * @throws GatewayError `capacity.overloaded` where the pool has no place for it, `provider.*`, or the signal's reason
   */
  whenWarm(route: Route, signal: AbortSignal): Promise<number> {
    this.prewarm(route);
    const shelf = this.#parts.options.warmPerRoute === 0 ? undefined : this.#shelves.get(routeKey(route));
    return shelf === undefined ? Promise.reject(noPlace()) : shelf.whenWarm(signal);
  }

  /** Number of runs that wait to use the route. Holds until it is called again. */
  expect(route: Route, count: number): void {
    if (!this.#closed) this.#shelves.get(routeKey(route))?.expect(count);
  }

  /** Ends every socket, also those in use, and waits until they are gone. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const shelf of this.#shelves.values()) shelf.close("closing");
    this.#shelves.clear();
    const sockets = [...this.#sockets];
    for (const socket of sockets) {
      if (socket.state.kind !== "ended") socket.abort(new GatewayError("draining"));
    }
    await Promise.all(sockets.map((socket) => socket.closed));
  }

  async #openFresh(route: Route, signal: AbortSignal): Promise<SingleUseSocket> {
    const socket = this.#connect(route);
    const onAbort = () => socket.abort(toGatewayError(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await socket.opened;
      if (socket.claim()) return socket;
      // It failed in the very read that opened it, as with a wrong key.
      const outcome = await socket.ended;
      throw outcome.kind === "failed" ? outcome.error : new GatewayError("provider.truncated");
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #connect(route: Route): SingleUseSocket {
    if (this.#closed) throw new GatewayError("draining");
    const key = routeKey(route);
    const socket = this.#parts.connect(route);
    this.#sockets.add(socket);
    void socket.closed.then(() => this.#sockets.delete(socket));
    void socket.ended.then((outcome) => {
      this.#shelves.get(key)?.learn(outcome);
      if (outcome.kind !== "failed" || outcome.aborted) return;
      const { code, retryable, facts } = outcome.error;
      if (retryable && facts["providerReason"] === undefined) return;
      const what = retryable ? "provider ended a socket with a reason" : "provider refuses a route";
      this.#parts.logger.warn({ route: key, code, ...facts }, what);
    });
    return socket;
  }

  /** The shelf of a route that is being used; none on its first use. */
  #shelfOfUsed(route: Route): Shelf | undefined {
    if (this.#closed) throw new GatewayError("draining");
    const { count, crowded } = this.#used.use(routeKey(route), monotonicMs());
    if (crowded) this.#parts.observer.full("remembered");
    // The shelf counts the use that is coming.
    return this.#shelfFor(route, count - 1);
  }

  /** @param uses known of the route; without one there is no new shelf, and with too few perhaps no place for it */
  #shelfFor(route: Route, uses: number): Shelf | undefined {
    const key = routeKey(route);
    const known = this.#shelves.get(key);
    if (known === undefined && (uses < 1 || !this.#makePlace(uses))) return undefined;
    const shelf = known ?? this.#newShelf(route, key);
    if (known === undefined) shelf.touch(uses);
    this.#shelves.delete(key);
    this.#shelves.set(key, shelf);
    return shelf;
  }

  #makePlace(uses: number): boolean {
    if (this.#shelves.size < this.#parts.options.maxRoutes) return true;
    this.#parts.observer.full("routes");
    const nowMs = monotonicMs();
    const least = this.#leastUsed(nowMs, () => true);
    if (least === undefined || least.weight(nowMs) > uses) return false;
    this.#shelves.delete(least.key);
    least.close("evicted");
    return true;
  }

  /** Among routes used equally often, the one that has been unused longest. */
  #leastUsed(nowMs: number, among: (shelf: Shelf) => boolean): Shelf | undefined {
    let least: Shelf | undefined;
    for (const shelf of this.#shelves.values()) {
      if (among(shelf) && (least === undefined || shelf.weight(nowMs) < least.weight(nowMs))) least = shelf;
    }
    return least;
  }

  #newShelf(route: Route, key: string): Shelf {
    return new Shelf(route, key, this.#parts.options, {
      observer: this.#parts.observer,
      connect: (shelf) =>
        this.#mayWarm(route) && this.#hasRoomFor(shelf) ? this.#connect(route) : undefined,
      changed: () => this.#parts.observer.warm(this.#count((shelf) => shelf.warm)),
      emptied: (shelf) => {
        shelf.close("unused");
        if (this.#shelves.get(key) === shelf) this.#shelves.delete(key);
      },
    });
  }

  #mayWarm({ keyId }: Route): boolean {
    return this.#parts.mayWarm?.(keyId) ?? true;
  }

  /** A route may have the place of a socket of one that is used less. */
  #hasRoomFor(wanting: Shelf): boolean {
    if (this.#count((shelf) => shelf.size) < this.#parts.options.maxSockets) return true;
    this.#parts.observer.full("sockets");
    const nowMs = monotonicMs();
    const least = this.#leastUsed(nowMs, (shelf) => shelf !== wanting && shelf.warm > 0);
    return least !== undefined && least.weight(nowMs) <= wanting.weight(nowMs) && least.evictOne();
  }

  #count(of: (shelf: Shelf) => number): number {
    let count = 0;
    for (const shelf of this.#shelves.values()) count += of(shelf);
    return count;
  }
}

const noPlace = () =>
  new GatewayError(
    "capacity.overloaded",
    "This worker keeps no further route warm: its pool has no place for it.",
  );
