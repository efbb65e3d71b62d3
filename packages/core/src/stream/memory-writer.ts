import { GatewayError } from "@tts-labs/protocol/errors";
import { sizeOf } from "./entry-size.ts";
import { encodeEpoch } from "./epoch.ts";
import type { MemoryRecord, StoredEntry } from "./memory-record.ts";
import type { MemoryStreams } from "./memory-streams.ts";
import { Sleeper } from "./sleeper.ts";
import type { ClaimOptions, EntryData, StreamRef, StreamWriter } from "./stream.ts";

export class MemoryWriter implements StreamWriter {
  readonly epoch: string;
  readonly fence: number;
  readonly #streams: MemoryStreams;
  readonly #stream: StreamRef;
  readonly #record: MemoryRecord;
  readonly #options: ClaimOptions;
  readonly #room = new Sleeper();
  #lastSeq: number;
  #appending = false;
  #closed = false;

  constructor(
    streams: MemoryStreams,
    stream: StreamRef,
    record: MemoryRecord,
    fence: number,
    options: ClaimOptions,
  ) {
    this.#streams = streams;
    this.#stream = stream;
    this.#record = record;
    this.#options = options;
    this.#lastSeq = record.tail.seq;
    this.fence = fence;
    this.epoch = encodeEpoch(record.life, fence);
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get freeBytes(): number {
    return Math.max(0, this.#options.maxBytes - this.#record.unreleasedBytes);
  }

  async append(entries: readonly EntryData[], signal?: AbortSignal): Promise<number> {
    if (this.#appending) throw new GatewayError("internal", "A writer appends one call at a time.");
    signal?.throwIfAborted();
    const bytes = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    this.#appending = true;
    try {
      this.#assertCurrent();
      await this.#waitForRoom(bytes, signal);
      this.store(entries);
      return this.#lastSeq;
    } finally {
      this.#appending = false;
    }
  }

  /** Whether or not there is room. */
  store(entries: readonly EntryData[]): void {
    let { seq, endBytes } = this.#record.tail;
    const before = endBytes;
    this.#record.append(
      entries.map((entry): StoredEntry => {
        seq += 1;
        endBytes += sizeOf(entry);
        return { seq, endBytes, head: entry.head, body: entry.body.slice() };
      }),
    );
    this.#lastSeq = seq;
    this.#streams.touch(this.#stream, this.#options.ttlMs);
    this.#streams.observer.appended(entries.length, endBytes - before);
  }

  async assertCurrent(): Promise<void> {
    this.#assertCurrent();
    this.#record.ownerAliveUntilMs = performance.now() + this.#streams.settings.ownerGoneMs;
  }

  async park(head: string, until: StreamRef, readSeq: number): Promise<boolean> {
    this.#assertCurrent();
    if (this.#appending || this.#streams.record(until).tail.seq > readSeq) return false;
    this.store([{ head, body: new Uint8Array(0) }]);
    this.#record.parkedAfter = readSeq;
    return true;
  }

  async end(result: string): Promise<void> {
    this.#assertCurrent();
    this.#record.end ??= { lastSeq: this.#lastSeq, result };
    this.#record.ringReaders();
  }

  close(): void {
    this.#closed = true;
    this.#room.ring();
  }

  #assertCurrent(): void {
    this.#streams.closed.throwIfAborted();
    if (this.#closed) throw new GatewayError("internal", "The writer is closed.");
    const now = this.#streams.record(this.#stream);
    if (now !== this.#record) throw new GatewayError(now.exists ? "lease.lost" : "stream.lost");
    if (this.#record.fence !== this.fence) throw new GatewayError("lease.lost");
  }

  async #waitForRoom(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const { settings, observer } = this.#streams;
    const beganAtMs = performance.now();
    let lastReaderAtMs = beganAtMs;
    let waited = false;
    try {
      while (!this.#hasRoom(bytes)) {
        waited = true;
        const nowMs = performance.now();
        if (this.#record.holds.size > 0) lastReaderAtMs = nowMs;
        if (nowMs - lastReaderAtMs >= settings.readerGoneMs) throw new GatewayError("stream.reader_gone");
        this.#record.waiter = this.#room;
        await this.#room.sleep(Math.min(settings.rereadMs, settings.readerGoneMs), signal);
        this.#assertCurrent();
      }
    } finally {
      if (waited) observer.waitedForRoom(performance.now() - beganAtMs);
      if (this.#record.waiter === this.#room) this.#record.waiter = undefined;
    }
  }

  /** An append larger than the whole bound has room once everything is released. */
  #hasRoom(bytes: number): boolean {
    const unreleased = this.#record.unreleasedBytes;
    return unreleased === 0 || unreleased + bytes <= this.#options.maxBytes;
  }
}
