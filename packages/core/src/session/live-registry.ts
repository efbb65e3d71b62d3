/** The languages that clients speak to an edge; a closed set, as metric labels are. */
export const DIALECTS = ["native", "synthesize", "elevenlabs", "openai", "vercel"] as const;
export type Dialect = (typeof DIALECTS)[number];

export const isDialect = (name: string | undefined): name is Dialect =>
  DIALECTS.some((dialect) => dialect === name);

/**
 * What is live, across all nodes: sessions and utterances with state, owner and age. Kept in Redis as
 * hashes with a TTL and two sorted sets (by expiry) that list them; a record that is not refreshed vanishes.
 * `GET /api/v1/live` reads it.
 */
export interface SessionRecord {
  readonly sessionId: string;
  readonly edgeId: string;
  /** "open" while a connection holds it, "detached" while it may be resumed. */
  readonly state: "open" | "detached";
  /** Rises with each connection of the session. */
  readonly connectionEpoch: number;
  readonly dialect: Dialect;
  readonly createdAtMs: number;
}

export interface UtteranceRecord {
  readonly utteranceId: string;
  readonly sessionId: string;
  readonly edgeId: string;
  readonly workerId?: string;
  readonly state: "queued" | "speaking" | "delivering";
  readonly createdAtMs: number;
  readonly voice: string;
  readonly model: string;
  /** Frames waiting at the edge and entries waiting in Redis, as of the last refresh. */
  readonly queuedFrames?: number;
}

export interface LivePage<T> {
  readonly total: number;
  readonly items: readonly T[];
  /** Pass as `cursor` for the next page; absent on the last. */
  readonly nextCursor?: string;
}

export interface LiveRegistry {
  /** Creates or refreshes; call again well inside `ttlMs`. */
  putSession(record: SessionRecord, ttlMs: number): Promise<void>;
  removeSession(sessionId: string): Promise<void>;
  putUtterance(record: UtteranceRecord, ttlMs: number): Promise<void>;
  /** Changes fields of an utterance that is still listed; does nothing for one that is not. */
  updateUtterance(
    utteranceId: string,
    change: Partial<Pick<UtteranceRecord, "workerId" | "state" | "queuedFrames">>,
  ): Promise<void>;
  removeUtterance(utteranceId: string): Promise<void>;
  listSessions(page: { readonly limit: number; readonly cursor?: string }): Promise<LivePage<SessionRecord>>;
  listUtterances(page: {
    readonly limit: number;
    readonly cursor?: string;
  }): Promise<LivePage<UtteranceRecord>>;
}
