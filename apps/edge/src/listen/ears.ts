import type { BroadcastStore } from "@tts-labs/core/broadcast/broadcast";
import type { Logger } from "@tts-labs/core/logger";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { ListenObserver } from "./listen-observer.ts";
import type { Listener } from "./listener.ts";
import { SessionEars } from "./session-ears.ts";

/** Interval at which listeners that do not take what they are given are looked for. */
const LOOK_FOR_SLOW_MS = 500;

export interface EarsSettings {
  /** Listeners of one session on this edge. */
  readonly listenersPerSession: number;
  /** Listeners of this edge. */
  readonly maxListeners: number;
  readonly sampleRateHz: number;
  /** False: those that do not take what they are given are left alone, as tests do to show what that costs. */
  readonly cutsSlow: boolean;
}

export interface EarsOptions {
  readonly broadcasts: BroadcastStore;
  readonly settings: EarsSettings;
  readonly observer: ListenObserver;
  readonly logger: Logger;
}

/** Gives a message to all who follow the broadcast of this tag. */
export type Publish = (tag: string, body: Uint8Array, isBinary: boolean) => void;

/** All listeners of this edge, by broadcast. */
export class Ears {
  readonly #options: EarsOptions;
  #publish: Publish = () => {};
  readonly #sessions = new Map<string, SessionEars>();
  readonly #listeners = new Set<Listener>();
  readonly #looking: NodeJS.Timeout;
  #isDraining = false;

  constructor(options: EarsOptions) {
    this.#options = options;
    this.#looking = setInterval(() => this.#cutSlow(), LOOK_FOR_SLOW_MS);
    this.#looking.unref();
  }

  /** Call once, before any listener comes. */
  publishThrough(publish: Publish): void {
    this.#publish = publish;
  }

  /** Those let in, or about to be. */
  get all(): readonly Listener[] {
    return [...this.#listeners];
  }

  /** Sessions that are listened to here. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Whether one more may come. @throws GatewayError `draining`, `capacity.too_many_listeners` */
  admit(): void {
    if (this.#isDraining) throw new GatewayError("draining");
    const { maxListeners } = this.#options.settings;
    if (this.#listeners.size >= maxListeners) throw tooMany("This edge", maxListeners);
  }

  /** Lets a listener in once its token is known to be good, and refuses it otherwise. Never rejects. */
  async join(listener: Listener): Promise<void> {
    this.#listeners.add(listener);
    this.#options.observer.listeners(1);
    try {
      await this.#check(listener);
      if (this.#listeners.has(listener)) this.#seat(listener);
    } catch (error) {
      listener.refuse(toGatewayError(error));
    }
  }

  /** Its connection is closed. Call once for each that joined. */
  left(listener: Listener): void {
    const { observer } = this.#options;
    if (!this.#listeners.delete(listener)) return;
    observer.listeners(-1);
    observer.listenerEnded(listener.ending);
    const session = this.#sessions.get(listener.tag);
    session?.listeners.delete(listener);
    if (session?.listeners.size === 0) void this.#close(listener.tag, session);
  }

  /** The socket of a listener takes more again. */
  drained(listener: Listener): void {
    this.#sessions.get(listener.tag)?.drained(listener);
  }

  /** Takes no more of them. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Sends all away; they come back elsewhere. May be called twice. */
  async close(): Promise<void> {
    this.#isDraining = true;
    clearInterval(this.#looking);
    for (const listener of this.all) listener.disconnect(new GatewayError("draining"));
    await Promise.all([...this.#sessions].map(([tag, session]) => this.#close(tag, session)));
  }

  async #check({ sessionId, token }: Listener): Promise<void> {
    const verdict = await this.#options.broadcasts.admits(sessionId, token);
    if (verdict === "unknown") {
      const message = "There is no such session, or it lets nobody listen: it mints a token with `share`.";
      throw new GatewayError("session.unknown", message);
    }
    if (verdict === "refused") {
      throw new GatewayError("authentication.invalid", "The token is not one of this session's listeners.");
    }
  }

  #seat(listener: Listener): void {
    const { settings, observer, logger, broadcasts } = this.#options;
    const { tag } = listener;
    let session = this.#sessions.get(tag);
    if (session === undefined) {
      const opened = new SessionEars({
        reader: broadcasts.reader(tag),
        sampleRateHz: settings.sampleRateHz,
        publish: (body, isBinary) => this.#publish(tag, body, isBinary),
        observer,
        logger,
        onOver: () => this.#over(tag, opened),
      });
      session = opened;
      this.#sessions.set(tag, opened);
      void opened.run();
    }
    const { listenersPerSession } = settings;
    if (session.listeners.size >= listenersPerSession) throw tooMany("The session", listenersPerSession);
    session.add(listener);
  }

  #over(tag: string, session: SessionEars): void {
    for (const listener of [...session.listeners]) listener.end();
    void this.#close(tag, session);
  }

  async #close(tag: string, session: SessionEars): Promise<void> {
    if (this.#sessions.get(tag) === session) this.#sessions.delete(tag);
    await session.close();
  }

  #cutSlow(): void {
    if (!this.#options.settings.cutsSlow) return;
    for (const session of this.#sessions.values()) session.cutSlow();
  }
}

const tooMany = (whose: string, limit: number): GatewayError => {
  const message = `${whose} has ${limit} listeners, which is as many as it may have here.`;
  return new GatewayError("capacity.too_many_listeners", message, { facts: { limit }, retryAfterMs: 1_000 });
};
