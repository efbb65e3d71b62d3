import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "@tts-labs/protocol/errors";

/** A session as its edge's leaving sees it. */
export interface Departing {
  readonly unfinished: number;
  /** Another edge can go on with it where this one stops, so nothing is lost by leaving in mid-utterance. */
  readonly isResumable: boolean;
  /** Tells the client to come back in so long; it will reach another edge. */
  announceDraining(reconnectInMs: number): void;
  /** Closes its connection with 4001; the session itself stays where it can be resumed. */
  disconnect(reason: GatewayError): void;
}

export interface DrainSettings {
  /** From "not ready" to the last new connection: as long as a balancer needs to see it. */
  readonly drainSettleMs: number;
  /** Period over which clients are told to come back. */
  readonly drainSpreadMs: number;
  /** From then on everything that is left is cut off. */
  readonly drainLimitMs: number;
}

export interface DrainRoles {
  readonly settings: DrainSettings;
  /** No new connections, and no new sessions on those there are. */
  readonly refuse: () => void;
  readonly sessions: () => readonly Departing[];
}

/** A client that was told leaves by itself; one that does not is sent away so long after its time. */
const GRACE_MS = 500;
/** How often those whose time has come are looked at. */
const LOOK_EVERY_MS = 25;
/** For close frames and last messages to leave the sockets, before these are closed. */
const FLUSH_MS = 100;

/**
 * How an edge leaves:
 *
 *   serving ──▶ settling ──▶ moving ──▶ left
 *
 * *Settling*: not ready, yet serving as before, new clients included, until the balancer has seen it. *Moving*:
 * no new connections; every client is told when to come back, evenly spread, so that the others are not met by
 * all at once. Most come back elsewhere in time, which supersedes their session here. A client that does not is sent
 * away with 4001: at once where another edge can go on, else when nothing is unfinished any more. At the limit, or when
 * hurried, *left*: closing the edge then sends the rest away.
 */
export class Drain {
  readonly #roles: DrainRoles;
  #state: "serving" | "settling" | "moving" | "left" = "serving";
  #leaving: Promise<void> | undefined;

  constructor(roles: DrainRoles) {
    this.#roles = roles;
  }

  get hasBegun(): boolean {
    return this.#state !== "serving";
  }

  /** Resolves when all have left, at the limit, or soon after `hurry` is aborted. May be called twice. */
  leave(hurry: AbortSignal): Promise<void> {
    this.#leaving ??= this.#leave(hurry);
    return this.#leaving;
  }

  async #leave(hurry: AbortSignal): Promise<void> {
    const { settings, refuse, sessions } = this.#roles;
    this.#state = "settling";
    await pause(settings.drainSettleMs, hurry);
    this.#state = "moving";
    refuse();
    const leaving = this.#tell(sessions(), settings.drainSpreadMs);
    const limitAtMs = performance.now() + settings.drainLimitMs;
    while (sessions().length > 0 && performance.now() < limitAtMs && !hurry.aborted) {
      await pause(LOOK_EVERY_MS, hurry);
      sendAway(leaving, sessions());
    }
    if (leaving.size > 0) await pause(FLUSH_MS, hurry);
    this.#state = "left";
  }

  /** When each is to be sent away. */
  #tell(sessions: readonly Departing[], spreadMs: number): Map<Departing, number> {
    const nowMs = performance.now();
    return new Map(
      sessions.map((session, index) => {
        const reconnectInMs = Math.round((spreadMs * index) / sessions.length);
        session.announceDraining(reconnectInMs);
        return [session, nowMs + reconnectInMs + GRACE_MS];
      }),
    );
  }
}

function sendAway(leaving: ReadonlyMap<Departing, number>, left: readonly Departing[]): void {
  const nowMs = performance.now();
  for (const session of left) {
    const isDue = nowMs >= (leaving.get(session) ?? 0);
    if (isDue && (session.isResumable || session.unfinished === 0)) {
      session.disconnect(new GatewayError("draining"));
    }
  }
}

/** Ends early, without an error, when hurried. */
async function pause(ms: number, hurry: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: hurry }).catch(() => undefined);
}
