import type {
  NewSession,
  ResumeClaim,
  SessionHold,
  StoredSession,
} from "@tts-labs/core/session/session-store";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { Admission } from "../admission.ts";
import type { SessionServices, SessionSettings } from "../services.ts";
import {
  type RestoredSession,
  type ResumePosition,
  removeHeard,
  restoreUtterances,
} from "../speech/resume.ts";
import { type Detached, DetachedSession } from "../utterance/detached.ts";
import { Session } from "./session.ts";
import type { SessionOptions } from "./session-options.ts";

const SHORTEST_REFRESH_MS = 50;

export interface SessionRegistryOptions {
  readonly services: SessionServices;
  readonly settings: SessionSettings;
  /** Sessions of this edge; beyond it: `capacity.too_many_sessions`. */
  readonly maxSessions: number;
  /** Called for every new session, never for one that is resumed. */
  readonly admission: Pick<Admission, "assertRoom">;
}

export interface NewSessionOptions extends Omit<SessionOptions, "services" | "settings" | "onClosed"> {
  /** Of its speech; absent: the edge's own. A session that is resumed has the edge's own. */
  readonly sampleRateHz?: number;
}

/**
 * The one door through which sessions come into being, whatever the dialect, and the list of those that are.
 * Keeps their records in the live view fresh, three times per life of a record.
 */
export class SessionRegistry {
  readonly #options: SessionRegistryOptions;
  readonly #sessions = new Map<string, Session>();
  /** Those whose clients may come back, the longest away first; at most `maxSessions`, then that one is ended early. */
  readonly #detached = new Map<string, DetachedSession>();
  readonly #refreshTimer: NodeJS.Timeout;
  #draining = false;

  constructor(options: SessionRegistryOptions) {
    this.#options = options;
    const { liveTtlMs, resumeWindowMs } = options.settings;
    const shortestMs = resumeWindowMs > 0 ? Math.min(liveTtlMs, resumeWindowMs) : liveTtlMs;
    this.#refreshTimer = setInterval(() => this.#refresh(), Math.max(shortestMs / 3, SHORTEST_REFRESH_MS));
    this.#refreshTimer.unref();
  }

  get maxSessions(): number {
    return this.#options.maxSessions;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  get detached(): number {
    return this.#detached.size;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Those open now. */
  get all(): readonly Session[] {
    return [...this.#sessions.values()];
  }

  get utterances(): number {
    let sum = 0;
    for (const session of this.#sessions.values()) sum += session.unfinished;
    return sum;
  }

  /**
   * Whether one more may be opened now, of this id or a new one. What other edges hold only the store knows.
   * @throws GatewayError `capacity.too_many_sessions`, `capacity.overloaded`, `draining`, `session.held`
   */
  admit(kind: "new" | "resumed", sessionId?: string): void {
    if (this.#draining) throw new GatewayError("draining");
    if (kind === "new") this.#assertFree(sessionId);
    if (kind === "new") this.#options.admission.assertRoom();
    const { maxSessions } = this.#options;
    if (this.#sessions.size < maxSessions) return;
    if (sessionId !== undefined && this.#sessions.has(sessionId)) return;
    throw new GatewayError("capacity.too_many_sessions", undefined, {
      facts: { limit: maxSessions },
      retryAfterMs: 1_000,
    });
  }

  /**
   * Takes hold of the session's id among all edges, also where sessions end with their connections.
   * @throws GatewayError `session.held`, `storage.*`
   */
  async hold(session: NewSession, onSuperseded: () => void): Promise<SessionHold> {
    await this.#options.services.unsettled.mayBegin();
    return this.#options.services.sessions.open(session, onSuperseded);
  }

  /**
   * Takes a session over, from this edge or another, with what its client is still missing.
   * @throws GatewayError as `admit`, `session.unknown`, `authentication.invalid`, `session.position_gone`, `storage.*`
   */
  async resume(
    claim: ResumeClaim,
    position: ResumePosition,
    onSuperseded: () => void,
  ): Promise<{
    readonly session: StoredSession;
    readonly hold: SessionHold;
    readonly restored: RestoredSession;
  }> {
    const { services, settings } = this.#options;
    this.admit("resumed", claim.sessionId);
    if (settings.resumeWindowMs <= 0) throw new GatewayError("session.unknown");
    const { session, hold } = await services.sessions.resume(claim, onSuperseded);
    try {
      const roles = { ...services, streamTtlMs: settings.streamTtlMs, rank: hold.epoch };
      const utterances = await restoreUtterances(session, position, roles);
      services.background.add("heard speech removed", removeHeard(session, utterances, services.streams));
      const nextNumber = Math.max(0, ...session.utterances.map(({ number }) => number)) + 1;
      return { session, hold, restored: { createdAtMs: session.createdAtMs, nextNumber, utterances } };
    } catch (error) {
      hold.letGo();
      throw error;
    }
  }

  /**
   * Opens a session; where it is resumed, a connection that holds it on this edge is superseded.
   * @throws GatewayError as `admit`, `session.superseded` where a later connection has it by now
   */
  open(options: NewSessionOptions): Session {
    this.admit(options.restored === undefined ? "new" : "resumed", options.sessionId);
    if (options.restored !== undefined) this.#supersede(options);
    const { services } = this.#options;
    const { sampleRateHz, ...asked } = options;
    const settings = atRate(this.#options.settings, sampleRateHz);
    const session: Session = new Session({
      ...asked,
      services,
      settings,
      onClosed: (detached) => {
        if (detached !== undefined) this.#keep(detached);
        if (this.#sessions.get(session.sessionId) === session) this.#sessions.delete(session.sessionId);
        services.observer.sessionClosed(session.dialect);
      },
    });
    this.#sessions.set(session.sessionId, session);
    services.observer.sessionOpened(session.dialect);
    session.refresh();
    return session;
  }

  /** Of the callers of all sessions, also of those that wait for their clients. */
  get keysInUse(): ReadonlySet<string> {
    const ids = new Set<string>();
    for (const { caller } of this.#sessions.values()) if (caller.keyId !== undefined) ids.add(caller.keyId);
    for (const { keyId } of this.#detached.values()) if (keyId !== undefined) ids.add(keyId);
    return ids;
  }

  /** These keys are valid no longer: what was opened with them ends for good. */
  revoke(keyIds: ReadonlySet<string>): void {
    const isLost = (keyId: string | undefined) => keyId !== undefined && keyIds.has(keyId);
    for (const session of [...this.#sessions.values()]) {
      if (isLost(session.caller.keyId)) session.disconnect(new GatewayError("authentication.revoked"));
    }
    for (const detached of [...this.#detached.values()]) if (isLost(detached.keyId)) detached.expire();
  }

  /** Takes no more sessions. */
  drain(): void {
    this.#draining = true;
  }

  /** Somebody has taken over a session that was last held here: its connection is closed, or no longer awaited. */
  superseded(sessionId: string, session: Session | undefined): void {
    if (session !== undefined && this.#sessions.get(sessionId) === session) {
      session.disconnect(new GatewayError("session.superseded"));
    } else this.#detached.get(sessionId)?.letGo();
  }

  /** Leaves every session, telling its client to come back, here or elsewhere. May be called twice. */
  close(): void {
    this.#draining = true;
    clearInterval(this.#refreshTimer);
    for (const session of [...this.#sessions.values()]) session.disconnect(new GatewayError("draining"));
    for (const detached of [...this.#detached.values()]) detached.letGo();
  }

  /**
   * @throws GatewayError `session.superseded` where the one that is there, or was, came later than the one to be opened
   */
  #supersede({ sessionId, hold }: Pick<SessionOptions, "sessionId" | "hold">): void {
    const there = this.#sessions.get(sessionId);
    const detached = this.#detached.get(sessionId);
    const epoch = Math.max(there?.epoch ?? 0, detached?.epoch ?? 0);
    // Of several that resume at once, one that was slow here may open after the one that has the session.
    if (hold !== undefined && (!hold.isCurrent || hold.epoch < epoch)) {
      throw new GatewayError("session.superseded");
    }
    there?.disconnect(new GatewayError("session.superseded"));
    detached?.letGo();
  }

  #assertFree(sessionId: string | undefined): void {
    if (sessionId === undefined) return;
    if (this.#sessions.has(sessionId) || this.#detached.has(sessionId))
      throw new GatewayError("session.held");
  }

  #keep(left: Detached): void {
    const { services, settings, maxSessions } = this.#options;
    const release = services.limiter.detach(left.caller, left.record.sessionId);
    const detached: DetachedSession = new DetachedSession({
      ...left,
      services,
      settings,
      onGone: () => {
        release();
        if (this.#detached.get(detached.sessionId) === detached) this.#detached.delete(detached.sessionId);
      },
    });
    this.#detached.set(detached.sessionId, detached);
    const [longest] = this.#detached.values();
    if (this.#detached.size > maxSessions) longest?.expire();
  }

  #refresh(): void {
    for (const session of this.#sessions.values()) session.refresh();
    for (const detached of this.#detached.values()) detached.refresh();
  }
}

function atRate(settings: SessionSettings, sampleRateHz: number | undefined): SessionSettings {
  const { defaults } = settings;
  if (sampleRateHz === undefined || sampleRateHz === defaults.sampleRateHz) return settings;
  const own = {
    get voice() {
      return defaults.voice;
    },
    model: defaults.model,
    sampleRateHz,
    ...(defaults.language === undefined ? {} : { language: defaults.language }),
    ...(defaults.natural === undefined ? {} : { natural: defaults.natural }),
  };
  return { ...settings, defaults: own };
}
