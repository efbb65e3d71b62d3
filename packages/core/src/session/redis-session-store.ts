import { createHash, timingSafeEqual } from "node:crypto";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { Logger } from "../logger.ts";
import { openBell } from "../redis/bell.ts";
import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { retryStorage } from "../redis/retry.ts";
import { settleWithin } from "../redis/settle-within.ts";
import { ownClock, type SharedClock } from "../redis/shared-clock.ts";
import { type Held, RedisSessionHold, type RedisSessions, sessionScripts } from "./redis-session-hold.ts";
import { ABOUT, bornAs, parseFields, parseSession, toSessionFields } from "./session-fields.ts";
import type {
  NewSession,
  ProvenSession,
  ResumeClaim,
  SessionHold,
  SessionStore,
  StoredSession,
} from "./session-store.ts";

export interface SessionStoreOptions {
  readonly redis: RedisConnection;
  /** Opened for `subscriber`; may be shared with others. */
  readonly subscriber: RedisConnection;
  readonly keys: Keys;
  /** Names this process. */
  readonly nodeId: string;
  readonly logger: Logger;
  /** Life of a session that is not refreshed: how long it may be resumed after its edge has died. */
  readonly windowMs: number;
  readonly storageRetryMs?: number;
  /** Default: this process is alone. */
  readonly clock?: SharedClock;
}

const STORAGE_RETRY_MS = 5_000;

/** Hears its bell from its return on. @throws GatewayError `storage.*` */
export async function openSessionStore(options: SessionStoreOptions): Promise<SessionStore> {
  const { redis, subscriber, keys, logger, windowMs, storageRetryMs = STORAGE_RETRY_MS } = options;
  // A channel beside the streams': their bell's names and these must not be mixed up.
  const nodeId = `${options.nodeId}-sessions`;
  const bell = await retryStorage(storageRetryMs, undefined, () =>
    openBell({ redis, subscriber, keys, nodeId, logger }),
  );
  const closing = new AbortController();
  const { clock = ownClock } = options;
  const sessions = { redis, bell, logger, windowMs, storageRetryMs, clock, closed: closing.signal };
  return new RedisSessionStore(sessions, keys, closing);
}

/**
 * Sessions in Redis: one hash each, so one slot each, changed by two scripts that know the holder. The new
 * holder of a session rings the one before; should the bell be lost, that one learns it at its next change or
 * refresh.
 */
class RedisSessionStore implements SessionStore {
  readonly #sessions: RedisSessions;
  readonly #keys: Keys;
  readonly #closing: AbortController;

  constructor(sessions: RedisSessions, keys: Keys, closing: AbortController) {
    this.#sessions = sessions;
    this.#keys = keys;
    this.#closing = closing;
  }

  async open(session: NewSession, onSuperseded: () => void): Promise<SessionHold> {
    const { sessionId, resumeToken } = session;
    const { clock } = this.#sessions;
    const fields = toSessionFields({ ...session, createdAtMs: clock.toShared(session.createdAtMs) });
    const tokenHash = hashOf(resumeToken);
    const held = { key: this.#keys.heldSession(sessionId), tokenHash, fields, onSuperseded };
    const { hold } = await this.#take("open", held, [...fields].flat());
    return hold;
  }

  async resume(
    claim: ResumeClaim,
    onSuperseded: () => void,
  ): Promise<{ readonly session: StoredSession; readonly hold: SessionHold }> {
    const { sessionId, resumeToken, nextToken } = claim;
    const fields = new Map<string, string>();
    const tokenHash = hashOf(nextToken);
    const held = { key: this.#keys.heldSession(sessionId), tokenHash, fields, onSuperseded };
    const { hold, found } = await this.#take("resume", held, [hashOf(resumeToken)]);
    for (const [name, value] of parseFields(found)) fields.set(name, value);
    const session = toLocal(parseSession(sessionId, fields), this.#sessions.clock);
    hold.found(session.utterances.filter((it) => it.end !== undefined).map((it) => it.number));
    return { session, hold };
  }

  async prove(sessionId: string, resumeToken: string): Promise<ProvenSession> {
    const { redis, bell, storageRetryMs, closed } = this.#sessions;
    const [holder, about, ...tokens] = await retryStorage(storageRetryMs, closed, () =>
      settleWithin(redis.hmget(this.#keys.heldSession(sessionId), "holder", ABOUT, "token", "previous")),
    );
    if (holder === undefined || holder === null) throw new GatewayError("session.unknown");
    const shown = Buffer.from(hashOf(resumeToken));
    const isEqual = (stored: string | null) =>
      stored?.length === shown.length && timingSafeEqual(Buffer.from(stored), shown);
    if (tokens.filter(isEqual).length > 0) return { ...bornAs(about), ring: () => bell.ring([holder]) };
    throw new GatewayError("authentication.invalid", "The resume token is not this session's.");
  }

  async close(): Promise<void> {
    this.#closing.abort(new GatewayError("storage.unavailable", "The sessions are closed."));
    await this.#sessions.bell.close();
  }

  async #take(
    mode: "open" | "resume",
    held: Held,
    rest: readonly string[],
  ): Promise<{ readonly hold: RedisSessionHold; readonly found: readonly string[] }> {
    const { redis, bell, windowMs, storageRetryMs, closed } = this.#sessions;
    const hold = new RedisSessionHold(this.#sessions, held);
    try {
      const [status, epoch, before = "", ...found] = await retryStorage(storageRetryMs, closed, () =>
        sessionScripts.hold.run(redis, [held.key], [mode, held.tokenHash, hold.member, windowMs, ...rest]),
      );
      if (status === "taken") throw new GatewayError("session.held");
      if (status === "unknown") throw new GatewayError("session.unknown");
      if (status === "refused") {
        throw new GatewayError("authentication.invalid", "The resume token is not this session's.");
      }
      hold.epoch = Number(epoch);
      if (before !== "" && before !== hold.member) bell.ring([before]);
      return { hold, found };
    } catch (error) {
      hold.letGo();
      throw error;
    }
  }
}

/** Its times as this process would have taken them. */
const toLocal = (session: StoredSession, clock: SharedClock): StoredSession => ({
  ...session,
  createdAtMs: clock.toLocal(session.createdAtMs),
  utterances: session.utterances.map((it) => ({ ...it, createdAtMs: clock.toLocal(it.createdAtMs) })),
});

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");
