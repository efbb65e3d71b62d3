import { GatewayError } from "@tts-labs/protocol/errors";
import { MemoryReader } from "./memory-reader.ts";
import { MemoryRecord } from "./memory-record.ts";
import type { MemoryStreams } from "./memory-streams.ts";
import { MemoryWriter } from "./memory-writer.ts";
import { type StreamObserver, silentObserver } from "./observer.ts";
import { DEFAULT_STREAM_SETTINGS, LEAVING_MS, type StreamSettings } from "./settings.ts";
import type {
  ClaimOptions,
  ReaderOptions,
  Removal,
  StreamEntry,
  StreamInfo,
  StreamRef,
  StreamStore,
} from "./stream.ts";

/** Streams of one process, for tests: the contract of `stream.ts` without Redis. */
export function openMemoryStreams(
  options: { readonly settings?: Partial<StreamSettings>; readonly observer?: StreamObserver } = {},
): StreamStore {
  return new MemoryStreamStore(
    { ...DEFAULT_STREAM_SETTINGS, ...options.settings },
    options.observer ?? silentObserver,
  );
}

class MemoryStreamStore implements StreamStore, MemoryStreams {
  readonly settings: StreamSettings;
  readonly observer: StreamObserver;
  readonly #records = new Map<string, MemoryRecord>();
  /** When a stream goes, and the timer that sees to it. */
  readonly #expiries = new Map<string, { readonly atMs: number; readonly timer: NodeJS.Timeout }>();
  readonly #closing = new AbortController();

  constructor(settings: StreamSettings, observer: StreamObserver) {
    this.settings = settings;
    this.observer = observer;
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  async claim(stream: StreamRef, options: ClaimOptions): Promise<MemoryWriter> {
    this.closed.throwIfAborted();
    const record = this.record(stream);
    const fence = record.claim(options);
    this.touch(stream, options.ttlMs);
    const { first, ...rest } = options;
    const writer = new MemoryWriter(this, stream, record, fence, rest);
    if (first !== undefined) writer.store(first);
    return writer;
  }

  async claimUnlessEnded(stream: StreamRef, options: ClaimOptions): Promise<MemoryWriter | undefined> {
    const { end, leaving } = this.record(stream);
    return end === undefined && leaving !== "soon" ? this.claim(stream, options) : undefined;
  }

  reader(stream: StreamRef, options: ReaderOptions): MemoryReader {
    return new MemoryReader(this, stream, options);
  }

  async inspect(stream: StreamRef): Promise<StreamInfo | undefined> {
    const record = this.#records.get(nameOf(stream));
    if (record === undefined || !record.exists) return undefined;
    return {
      epoch: `${record.life}.${record.fence}`,
      fence: record.fence,
      owner: record.owner,
      lastSeq: record.tail.seq,
      storedBytes: record.storedBytes,
      ownerAlive: performance.now() < record.ownerAliveUntilMs,
      end: record.end,
      ...(record.parkedAfter === undefined ? {} : { parkedAfter: record.parkedAfter }),
    };
  }

  async last(stream: StreamRef): Promise<StreamEntry | undefined> {
    return this.#records.get(nameOf(stream))?.last;
  }

  async expire(stream: StreamRef, ttlMs: number): Promise<void> {
    this.#expireAt(stream, performance.now() + ttlMs);
  }

  async remove(stream: StreamRef, when: Removal, readerId?: string): Promise<void> {
    const record = this.#records.get(nameOf(stream));
    if (record === undefined) return;
    const isRead = [...record.holds.keys()].some((name) => name !== readerId);
    if (when === "now" && !isRead) {
      this.#expireAt(stream, 0);
      return;
    }
    record.leaving = when === "soon" ? "soon" : "last-reader";
    if (when === "soon" || !isRead) this.#expireAt(stream, performance.now() + LEAVING_MS);
  }

  async close(): Promise<void> {
    this.#closing.abort(new GatewayError("storage.unavailable", "The streams are closed."));
    for (const { timer } of this.#expiries.values()) clearTimeout(timer);
    this.#expiries.clear();
    this.#records.clear();
  }

  record(stream: StreamRef): MemoryRecord {
    const name = nameOf(stream);
    const found = this.#records.get(name);
    if (found !== undefined) return found;
    const made = new MemoryRecord();
    this.#records.set(name, made);
    return made;
  }

  leftByReader(stream: StreamRef, record: MemoryRecord): void {
    const isGone = record.leaving === "last-reader" && record.holds.size === 0;
    if (isGone && this.#records.get(nameOf(stream)) === record) this.#expireAt(stream, 0);
  }

  touch(stream: StreamRef, ttlMs: number): void {
    if (this.#records.get(nameOf(stream))?.leaving === "soon") return;
    const atMs = performance.now() + ttlMs;
    // A refresh that gains less than a tenth is not worth a timer.
    if (atMs - (this.#expiries.get(nameOf(stream))?.atMs ?? 0) > ttlMs / 10) this.#expireAt(stream, atMs);
  }

  #expireAt(stream: StreamRef, atMs: number): void {
    const name = nameOf(stream);
    clearTimeout(this.#expiries.get(name)?.timer);
    this.#expiries.delete(name);
    if (this.closed.aborted) return;
    const go = () => {
      this.#expiries.delete(name);
      const record = this.#records.get(name);
      this.#records.delete(name);
      record?.ringReaders();
      record?.waiter?.ring();
    };
    const inMs = atMs - performance.now();
    if (inMs <= 0) go();
    else this.#expiries.set(name, { atMs, timer: setTimeout(go, inMs).unref() });
  }
}

const nameOf = (stream: StreamRef): string => `${stream.tag}/${stream.name}`;
