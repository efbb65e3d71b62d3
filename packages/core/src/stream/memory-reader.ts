import { GatewayError } from "@tts-labs/protocol/errors";
import { type Epoch, encodeEpoch, parseEpoch } from "./epoch.ts";
import type { MemoryRecord, ReaderHold } from "./memory-record.ts";
import type { MemoryStreams } from "./memory-streams.ts";
import { MAX_ENTRIES_PER_READ, MAX_READERS_PER_STREAM } from "./settings.ts";
import { Sleeper } from "./sleeper.ts";
import type { ReaderOptions, ReadResult, StreamPosition, StreamReader, StreamRef } from "./stream.ts";

export class MemoryReader implements StreamReader {
  readonly #streams: MemoryStreams;
  readonly #stream: StreamRef;
  readonly #options: ReaderOptions;
  readonly #sleeper = new Sleeper();
  readonly #hold: ReaderHold;
  /** The record in which the reader has its place. */
  #record: MemoryRecord | undefined;
  /** The incarnation it reads; `undefined` until it meets the stream. */
  #epoch: Epoch | undefined;
  #seq: number;
  #position: StreamPosition | undefined;
  #reading = false;
  #closed = false;

  constructor(streams: MemoryStreams, stream: StreamRef, options: ReaderOptions) {
    this.#streams = streams;
    this.#stream = stream;
    this.#options = options;
    const from = typeof options.from === "object" ? options.from : undefined;
    this.#seq = from?.seq ?? 0;
    this.#position = from;
    // What no stream ever called itself is refused as another life's.
    if (from !== undefined) this.#epoch = parseEpoch(from.epoch) ?? { life: "", fence: 1 };
    this.#hold = { seq: this.#seq, sleeper: this.#sleeper };
  }

  get position(): StreamPosition | undefined {
    return this.#position;
  }

  async read(maxEntries: number, signal?: AbortSignal): Promise<ReadResult> {
    if (this.#reading) throw new GatewayError("internal", "A reader reads one call at a time.");
    signal?.throwIfAborted();
    this.#reading = true;
    const onClose = () => this.#sleeper.ring();
    this.#streams.closed.addEventListener("abort", onClose);
    try {
      for (;;) {
        this.#streams.closed.throwIfAborted();
        if (this.#closed) throw new GatewayError("storage.unavailable", "The reader is closed.");
        this.#sleeper.forget();
        const result = this.#look(Math.min(maxEntries, MAX_ENTRIES_PER_READ));
        if (result?.kind === "lost") this.#streams.observer.lost(result.reason);
        if (result !== undefined) return result;
        await this.#sleeper.sleep(this.#streams.settings.rereadMs, signal);
      }
    } finally {
      this.#streams.closed.removeEventListener("abort", onClose);
      this.#reading = false;
    }
  }

  advance(seq: number): void {
    const given = Math.min(seq, this.#seq);
    const record = this.#record;
    if (record !== undefined) this.forget(record.behind(given, this.#options.replayBytes ?? 0));
  }

  forget(seq: number): void {
    if (this.#closed) return;
    this.#record?.release(this.#hold, Math.min(seq, this.#seq));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#sleeper.ring();
    const record = this.#record ?? this.#streams.record(this.#stream);
    if (record.holds.get(this.#options.readerId) !== this.#hold) return;
    record.holds.delete(this.#options.readerId);
    record.waiter?.ring();
    this.#streams.leftByReader(this.#stream, record);
  }

  #look(max: number): ReadResult | undefined {
    const record = this.#streams.record(this.#stream);
    if (!record.exists && this.#epoch !== undefined) return { kind: "lost", reason: "gone" };
    this.#streams.touch(this.#stream, this.#options.ttlMs);
    if (!record.exists) {
      this.#attach(record);
      return undefined;
    }
    if (this.#options.from === "oldest" && this.#epoch === undefined) {
      this.#epoch = { life: record.life, fence: record.fence };
      for (let fence = record.fence - 1; fence > 0 && record.trimmed.seq < record.sealOf(fence); fence -= 1) {
        this.#epoch = { life: record.life, fence };
      }
      this.#seq = record.trimmed.seq;
      this.#hold.seq = this.#seq;
    }
    const epoch = this.#epoch ?? { life: record.life, fence: 1 };
    const reason = record.refuse(epoch, this.#seq);
    if (reason !== undefined) return { kind: "lost", reason };
    this.#attach(record);
    const { fence, entries } = record.after(epoch.fence, this.#seq, max);
    this.#epoch = { life: record.life, fence };
    const last = entries.at(-1);
    if (last !== undefined) {
      this.#seq = last.seq;
      this.#position = { epoch: encodeEpoch(record.life, fence), seq: last.seq };
      return { kind: "entries", epoch: this.#position.epoch, entries };
    }
    return record.end?.lastSeq === this.#seq ? { kind: "ended", end: record.end } : undefined;
  }

  /** Takes the reader's place in the record; one that comes back under its name replaces itself. */
  #attach(record: MemoryRecord): void {
    if (this.#record === record) return;
    const { holds } = record;
    if (holds.size >= MAX_READERS_PER_STREAM && !holds.has(this.#options.readerId)) {
      throw new GatewayError("capacity.overloaded", "The stream has as many readers as it may have.");
    }
    holds.set(this.#options.readerId, this.#hold);
    this.#record = record;
  }
}
