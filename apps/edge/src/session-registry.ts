import { GatewayError } from "@tts-labs/core/errors";
import type { SessionServices, SessionSettings } from "./services.ts";
import { Session, type SessionOptions } from "./session.ts";

export interface SessionRegistryOptions {
  readonly services: SessionServices;
  readonly settings: SessionSettings;
  /** Sessions of this edge; beyond it: `capacity.too_many_sessions`. */
  readonly maxSessions: number;
}

/**
 * The one door through which sessions come into being, whatever the dialect, and the list of those that are.
 * Keeps their records in the live view fresh, three times per life of a record.
 */
export class SessionRegistry {
  readonly #options: SessionRegistryOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #refreshTimer: NodeJS.Timeout;
  #draining = false;

  constructor(options: SessionRegistryOptions) {
    this.#options = options;
    this.#refreshTimer = setInterval(() => this.#refresh(), options.settings.liveTtlMs / 3);
    this.#refreshTimer.unref();
  }

  get isDraining(): boolean {
    return this.#draining;
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

  /** Whether one more may be opened now, of this id or a new one. @throws GatewayError `capacity.too_many_sessions`, `draining` */
  admit(sessionId?: string): void {
    if (this.#draining) throw new GatewayError("draining");
    const { maxSessions } = this.#options;
    if (this.#sessions.size < maxSessions) return;
    if (sessionId !== undefined && this.#sessions.has(sessionId)) return;
    throw new GatewayError("capacity.too_many_sessions", undefined, {
      facts: { limit: maxSessions },
      retryAfterMs: 1_000,
    });
  }

  /**
   * Opens a session; a connection that holds one of the same id on this edge is superseded.
   * @throws GatewayError as `admit`
   */
  open(options: Omit<SessionOptions, "services" | "settings" | "onClosed">): Session {
    this.admit(options.sessionId);
    this.#sessions.get(options.sessionId)?.disconnect(new GatewayError("session.superseded"));
    const { services, settings } = this.#options;
    const session: Session = new Session({
      ...options,
      services,
      settings,
      onClosed: () => {
        if (this.#sessions.get(session.sessionId) === session) this.#sessions.delete(session.sessionId);
        services.observer.sessionClosed(session.dialect);
      },
    });
    this.#sessions.set(session.sessionId, session);
    services.observer.sessionOpened(session.dialect);
    session.refresh();
    return session;
  }

  /** Takes no more sessions. */
  drain(): void {
    this.#draining = true;
  }

  /** Ends every session, telling its client to come back. May be called twice. */
  close(): void {
    this.#draining = true;
    clearInterval(this.#refreshTimer);
    for (const session of [...this.#sessions.values()]) session.disconnect(new GatewayError("draining"));
  }

  #refresh(): void {
    for (const session of this.#sessions.values()) session.refresh();
  }
}
