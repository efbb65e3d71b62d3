/** How long the parts of a stream wait for each other; milliseconds. Tests shorten them. */
export interface StreamSettings {
  /** An append, a read, a claim or an end is repeated for so long while Redis is away, then fails with `storage.*`. */
  readonly storageRetryMs: number;
  /** A sleeping reader and a waiting writer look again after so long, should a bell have been lost. */
  readonly rereadMs: number;
  /** An open reader shows this often that it lives. */
  readonly heartbeatMs: number;
  /** A reader not seen for so long no longer holds the writer back. Several heartbeats. */
  readonly readerStaleMs: number;
  /** A writer without room and without a living reader waits so long, then fails with `stream.reader_gone`. */
  readonly readerGoneMs: number;
  /** An owner that has not looked at its record for so long is taken for dead. Several looks. */
  readonly ownerGoneMs: number;
}

export const DEFAULT_STREAM_SETTINGS: StreamSettings = {
  storageRetryMs: 10_000,
  rereadMs: 1_000,
  heartbeatMs: 5_000,
  readerStaleMs: 16_000,
  readerGoneMs: 30_000,
  ownerGoneMs: 4_000,
};

/** What is removed `soon`, or by its last reader, stays at least so long; milliseconds. Well below a second. */
export const LEAVING_MS = 500;
/** Most entries of one read, whatever is asked for: with entries of 16 KiB a reply of a megabyte. */
export const MAX_ENTRIES_PER_READ = 64;
/** Readers of one stream at a time. A further one is refused with `capacity.overloaded`. */
export const MAX_READERS_PER_STREAM = 256;
