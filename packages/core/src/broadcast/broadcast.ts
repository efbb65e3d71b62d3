/**
 * What a session speaks, for any number of listeners on any edge: a log in Redis, written by the edge that holds the
 * session while it speaks, and read once by every edge that has listeners. It exists from the session's first
 * listener token on.
 *
 * - *Bound.* The log keeps the newest `BROADCAST_MAX_BYTES`; the writer never waits for a reader, so no listener
 *   can hold the session back. A reader that is overtaken sees it by the frames' sample numbers.
 * - *Fence.* Entries of a holder whose session was resumed elsewhere are refused by their epoch.
 * - *Tokens* are stored as their SHA-256.
 * - *End.* An entry when the session ends; where its edge dies and no client resumes it, the log's TTL.
 */

/** Newest audio and messages that are kept for listeners: some four minutes at 24 kHz. */
export const BROADCAST_MAX_BYTES: number = 12 * 1024 * 1024;
/** Listener tokens of one session; beyond it: `capacity.too_many_listeners`. */
export const MAX_LISTENER_TOKENS = 64;

/** One entry as the writer gives it. `body` is what listeners get, byte for byte. */
export type Heard =
  | {
      readonly kind: "frame";
      readonly utterance: number;
      readonly firstSample: number;
      readonly samples: number;
      readonly body: Uint8Array;
    }
  | { readonly kind: "message"; readonly utterance: number; readonly body: string }
  /** Nothing more of the utterance follows. */
  | { readonly kind: "ended"; readonly utterance: number; readonly body: string }
  /** The utterance was cancelled: readers skip what they have not given out of it. */
  | { readonly kind: "cancelled"; readonly utterance: number; readonly body: string }
  /** The session has ended. */
  | { readonly kind: "over"; readonly utterance: number; readonly body: string };

/** An entry as it is read. */
export interface HeardEntry {
  /** Place in the log. */
  readonly id: string;
  /** Redis' time at which it was stored. */
  readonly storedAtMs: number;
  readonly kind: Heard["kind"];
  readonly utterance: number;
  /** Of a frame; else 0. */
  readonly firstSample: number;
  readonly samples: number;
  readonly body: Buffer;
}

/** Up to where listeners have been given a session's audio. */
export interface BroadcastPlace {
  readonly utterance: number;
  readonly sample: number;
}

export interface BroadcastWriter {
  /** Never waits; while Redis is away the newest are kept up to a bound, and older ones are dropped. */
  push(entry: Heard): void;
  /** What was pushed is sent. Never rejects. */
  close(): Promise<void>;
}

export interface HeardNews {
  readonly entries: readonly HeardEntry[];
  /** Numbers of utterances that were cancelled lately. */
  readonly cancelled: ReadonlySet<number>;
  /** Of the audio; absent: the edges' own. */
  readonly sampleRateHz?: number;
  /** Redis' time. */
  readonly nowMs: number;
  /** `gone`: nothing is known of it any more. */
  readonly state: "live" | "over" | "gone";
}

export interface BroadcastReader {
  /** The next entries, without waiting for any. One call at a time. @throws GatewayError `storage.*` */
  read(maxEntries: number): Promise<HeardNews>;
  /** Resolves when there may be more, at the latest after `limitMs`. */
  wait(limitMs: number): Promise<void>;
  /** Takes the reader off. May be called twice. */
  close(): Promise<void>;
}

/** A session's id is its client's choice, and may be used again: its birth tells two sessions of one id apart. */
export interface BroadcastSession {
  readonly sessionId: string;
  /** As its listeners name it. */
  readonly publicId: string;
  /** Of its audio; absent: the edges' own. */
  readonly sampleRateHz?: number | undefined;
  readonly birth: string;
}

export interface BroadcastStore {
  /**
   * Mints a token that lets listeners in. @throws GatewayError `capacity.too_many_listeners`, `storage.*`
   */
  allow(session: BroadcastSession): Promise<string>;
  /** `unknown`: the session has no broadcast. @throws GatewayError `storage.*` */
  admits(publicId: string, token: string): Promise<"admitted" | "refused" | "unknown">;
  /** Where it stands; `undefined` where the session has none. @throws GatewayError `storage.*` */
  find(session: BroadcastSession): Promise<BroadcastPlace | undefined>;
  /** Keeps it for another window. Never rejects. */
  refresh(sessionId: string): Promise<void>;
  writer(sessionId: string, epoch: number): BroadcastWriter;
  /** @param tag as its tokens name it (`tagOfToken`) */
  reader(tag: string): BroadcastReader;
  /** May be called twice. */
  close(): Promise<void>;
}

export interface BroadcastObserver {
  /** Entries that did not reach Redis. */
  entriesDropped(count: number): void;
  /** Change of the number of logs that are read. */
  readers(delta: number): void;
}
