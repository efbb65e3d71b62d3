/**
 * The stream: an ordered, bounded, fenced log with readers that sleep.
 *
 * Used in both directions of an utterance: `text` (edge writes, worker reads) and `audio` (worker writes,
 * edges read). There are two stores behind these roles, over Redis and in memory; one contract test holds both.
 *
 * - *Order.* Entries have dense numbers (`seq`, from 1) that go on across incarnations.
 * - *Fence.* `claim` opens a new incarnation with a higher fence and seals the one before where it stands:
 *   what a stale writer appends after that is never read, and the writer learns `lease.lost`.
 * - *Bound.* A writer may have at most `maxBytes` stored that readers have not released by `advance`.
 *   `append` waits for room. Nothing is dropped.
 * - *Position* = epoch + seq. A reader whose position the stream no longer holds is told so; it never waits for ever.
 * - *End.* Durable state with an opaque result; a reader meets it after the last entry.
 */

/** Names a stream. All keys of one `tag` live in one Redis Cluster slot. */
export interface StreamRef {
  readonly tag: string;
  readonly name: "text" | "audio";
}

/** What a writer appends: a short head (JSON, the owner's business) and bytes, at most `MAX_ENTRY_BYTES` of them. */
export interface EntryData {
  readonly head: string;
  readonly body: Uint8Array;
}

export interface StreamEntry extends EntryData {
  readonly seq: number;
  /** A possible view into a larger read buffer: use it at once, or copy it. */
  readonly body: Uint8Array;
}

/** How a stream ended. `result` is what the writer gave to `end`. */
export interface StreamEnd {
  readonly lastSeq: number;
  readonly result: string;
}

/** A place in a stream. `seq` is the last entry already held; 0 before the first. */
export interface StreamPosition {
  readonly epoch: string;
  readonly seq: number;
}

export interface ClaimOptions {
  /** The writer's node id, for people who look. */
  readonly owner: string;
  /** Bound on stored bytes (heads and bodies) that no reader has released. */
  readonly maxBytes: number;
  /** Life of the stream's keys, refreshed rarely while it is written or read. */
  readonly ttlMs: number;
  /** Go on after this entry instead of after the last one found; entries beyond it are sealed away. */
  readonly afterSeq?: number;
  /**
   * A claim is refused with `lease.lost` where an earlier one had a higher rank: of several owners that claim at once
   * the one with the highest rank has the stream in the end, in whatever order they come. Without a rank a claim always
   * succeeds.
   */
  readonly rank?: number;
  /** Stored with the claim, in the same round trip; whether there is room is not asked. */
  readonly first?: readonly EntryData[];
}

export interface ReaderOptions {
  /** Names the reader among those of the same stream; a reader that comes back under its name replaces itself. */
  readonly readerId: string;
  /**
   * Where to go on; default: from the first entry of whatever epoch is found. `oldest`: from the first entry
   * that is still held, whatever was trimmed before it.
   */
  readonly from?: StreamPosition | "oldest";
  /**
   * Bytes right behind what `advance` names that stay held all the same, so that a reader of the same name may
   * come back for them; never more than half of the writer's bound, so that it always has room. Default 0.
   */
  readonly replayBytes?: number;
  readonly ttlMs: number;
}

export type ReadResult =
  /** At least one entry, dense and in order. */
  | { readonly kind: "entries"; readonly epoch: string; readonly entries: readonly StreamEntry[] }
  /** Everything has been read. */
  | { readonly kind: "ended"; readonly end: StreamEnd }
  /** The position is not held: another epoch, trimmed, beyond the tail, or the stream has expired. */
  | { readonly kind: "lost"; readonly reason: "epoch" | "trimmed" | "beyond-tail" | "gone" };

export interface StreamWriter {
  readonly epoch: string;
  readonly fence: number;
  /** Number of the last entry stored. */
  readonly lastSeq: number;
  /**
   * Stores the entries in order, in one round trip; waits for room first. One call at a time.
   * Idempotent inside: an answer that was lost is resolved by asking the stream's tail.
   * @returns number of the last of them
   * @throws GatewayError `lease.lost`, `storage.*`, or the signal's reason
   */
  append(entries: readonly EntryData[], signal?: AbortSignal): Promise<number>;
  /** Bytes that may be appended now without waiting, as far as the writer knows. */
  readonly freeBytes: number;
  /**
   * Looks at the record, and shows that its owner lives. @throws GatewayError `lease.lost` when a higher fence exists.
   */
  assertCurrent(): Promise<void>;
  /**
   * Leaves the stream until there is more in another one of the same tag: stores `head` as the last entry, whether or
   * not there is room, and notes how far the other was read (`StreamInfo.parkedAfter`). In one step, so that nothing is
   * missed: a writer that appends to the other one and then looks finds this one parked. A claim ends it.
   * @returns false, and nothing is stored, where there is more already
   * @throws GatewayError `lease.lost`, `stream.lost`, `storage.*`
   */
  park(head: string, until: StreamRef, readSeq: number): Promise<boolean>;
  /** Makes the end durable and wakes readers. Safe to repeat. @throws GatewayError `lease.lost`, `storage.*` */
  end(result: string): Promise<void>;
  /** Releases what the writer holds; does not end the stream. May be called twice. */
  close(): void;
}

export interface StreamReader {
  /** Position of the last entry given out. */
  readonly position: StreamPosition | undefined;
  /**
   * Up to `maxEntries` next entries; sleeps until there is something to say. One call at a time.
   * @throws GatewayError `storage.*`, or the signal's reason
   */
  read(maxEntries: number, signal?: AbortSignal): Promise<ReadResult>;
  /**
   * Releases entries up to and including `seq`: they may be trimmed and the writer gets room. Cheap to call
   * often: it reaches Redis only once a fair share of the bound has gathered, or the writer waits.
   */
  advance(seq: number): void;
  /** As `advance`, without regard to `replayBytes`: no client will come back for these. */
  forget(seq: number): void;
  /** Takes the reader off the stream, so that it no longer holds the writer back. May be called twice. */
  close(): Promise<void>;
}

/** What is known of a stream without reading it; for takeover, the live view and tests. */
export interface StreamInfo {
  readonly epoch: string;
  readonly fence: number;
  readonly owner: string;
  readonly lastSeq: number;
  /** Stored bytes, not yet trimmed. */
  readonly storedBytes: number;
  /** The owner has looked at its record (`assertCurrent`) not long ago. */
  readonly ownerAlive: boolean;
  readonly end: StreamEnd | undefined;
  /** Its owner has left until there is more than this in another stream; see `StreamWriter.park`. */
  readonly parkedAfter?: number;
}

/** When a stream leaves the store. */
export type Removal =
  /** At once; where others still read it, when the last of them closes. */
  | "now"
  /** When the last of those who read it closes. One who is about to begin has `LEAVING_MS` to do so. */
  | "last-reader"
  /** After `LEAVING_MS`, even while it is read or written: its owner was told to stop, and has time to find out. */
  | "soon";

/** One per process. */
export interface StreamStore {
  claim(stream: StreamRef, options: ClaimOptions): Promise<StreamWriter>;
  /** The same, but a stream that has ended is left as it is: `undefined`. */
  claimUnlessEnded(stream: StreamRef, options: ClaimOptions): Promise<StreamWriter | undefined>;
  reader(stream: StreamRef, options: ReaderOptions): StreamReader;
  /** `undefined` where there is no such stream. */
  inspect(stream: StreamRef): Promise<StreamInfo | undefined>;
  /**
   * The last entry stored, also where all readers have released it: a new owner reads there where to go on.
   * `undefined` where there is none, or Redis has lost it.
   */
  last(stream: StreamRef): Promise<StreamEntry | undefined>;
  /** Lets the stream's keys go after `ttlMs`, 0 at once. */
  expire(stream: StreamRef, ttlMs: number): Promise<void>;
  /**
   * Nobody asks for the stream again. What a writer or reader does to it later makes nothing anew: they learn that
   * it is gone. A later claim makes another one.
   * @param readerId of the caller's own reader, which does not count
   */
  remove(stream: StreamRef, when: Removal, readerId?: string): Promise<void>;
  /**
   * Wakes every sleeper with `storage.unavailable`; may be called twice. Does not close the Redis connections given to
   * it.
   */
  close(): Promise<void>;
}
