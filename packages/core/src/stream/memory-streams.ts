import type { MemoryRecord } from "./memory-record.ts";
import type { StreamObserver } from "./observer.ts";
import type { StreamSettings } from "./settings.ts";
import type { StreamRef } from "./stream.ts";

/** What a memory store's writers and readers share. */
export interface MemoryStreams {
  readonly settings: StreamSettings;
  readonly observer: StreamObserver;
  readonly closed: AbortSignal;
  /** The stream's record as it is now, made if need be. It may be replaced when the stream expires. */
  record(stream: StreamRef): MemoryRecord;
  /** A reader has given its place up: a stream that is leaving goes with its last one. */
  leftByReader(stream: StreamRef, record: MemoryRecord): void;
  /** Puts off the stream's expiry to at least `ttlMs` from now. */
  touch(stream: StreamRef, ttlMs: number): void;
}
