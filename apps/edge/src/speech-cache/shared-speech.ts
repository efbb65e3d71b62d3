import { GatewayError, toGatewayError } from "@tts-labs/core/errors";
import type {
  ReadResult,
  StreamEntry,
  StreamPosition,
  StreamReader,
  StreamStore,
} from "@tts-labs/core/stream/stream";
import type { SpeechSource } from "./speech-source.ts";

/** The stream keeps its beginning, for those who join on other edges, until so much has been read… */
const HELD_BYTES = 384 * 1024;
/** …or its writer pauses for so long: it may be waiting for room. */
const HELD_PAUSE_MS = 300;
const ENTRIES_PER_READ = 64;

export interface SharedSpeechOptions {
  readonly streams: StreamStore;
  /** Whose audio stream is read. */
  readonly utteranceId: string;
  readonly readerId: string;
  /** Of the stream's keys; also the longest that one utterance is shared. */
  readonly ttlMs: number;
  /** Longest audio that is kept for those who come late. */
  readonly maxBytes: number;
  /** Everything has been read, or nothing more will be. Called once; must not throw. */
  readonly onOver: (speech: SharedSpeech) => void;
}

/**
 * One utterance's audio, read from its stream once for all on this edge who asked for the same: each of them
 * reads it here from the first entry on, at a pace of his own, so that nobody waits for anybody. The edge
 * holds at most `maxBytes` of it.
 */
export class SharedSpeech implements SpeechSource {
  readonly utteranceId: string;
  readonly #options: SharedSpeechOptions;
  readonly #abort = new AbortController();
  readonly #entries: StreamEntry[] = [];
  #epoch = "";
  #bytes = 0;
  #listeners = 0;
  /** Those who have read everything so far. */
  #sleepers: (() => void)[] = [];
  #end: Exclude<ReadResult, { kind: "entries" }> | undefined;
  #error: GatewayError | undefined;

  constructor(options: SharedSpeechOptions) {
    this.#options = options;
    this.utteranceId = options.utteranceId;
  }

  get listeners(): number {
    return this.#listeners;
  }

  get entries(): readonly StreamEntry[] {
    return this.#entries;
  }

  /** How the stream ended; `undefined` while it is read, and where it could not be read to its end. */
  get end(): Exclude<ReadResult, { kind: "entries" }> | undefined {
    return this.#end;
  }

  get isOver(): boolean {
    return this.#end !== undefined || this.#error !== undefined;
  }

  /** Call once. Never throws. */
  async run(): Promise<void> {
    const { streams, utteranceId, readerId, ttlMs, onOver } = this.#options;
    const reader = streams.reader({ tag: utteranceId, name: "audio" }, { readerId, ttlMs });
    const limit = setTimeout(() => this.close(new GatewayError("worker.unavailable")), ttlMs);
    try {
      this.#end = await this.#readAll(reader);
    } catch (error) {
      this.#error = toGatewayError(error);
    }
    clearTimeout(limit);
    this.#wake();
    onOver(this);
    await reader.close().catch(() => undefined);
  }

  /** Nobody wants it any more. May be called twice. */
  close(reason: GatewayError): void {
    this.#abort.abort(reason);
  }

  reader(): StreamReader {
    this.#listeners++;
    let next = 0;
    let closed = false;
    const position = (): StreamPosition | undefined =>
      next === 0 ? undefined : { epoch: this.#epoch, seq: this.#entries[next - 1]?.seq ?? 0 };
    return {
      get position() {
        return position();
      },
      read: async (maxEntries, signal) => {
        while (next >= this.#entries.length && !this.isOver) await this.#change(signal);
        signal?.throwIfAborted();
        const entries = this.#entries.slice(next, next + maxEntries);
        next += entries.length;
        if (entries.length > 0) return { kind: "entries", epoch: this.#epoch, entries };
        if (this.#end !== undefined) return this.#end;
        throw this.#error ?? new GatewayError("internal");
      },
      advance: () => {},
      forget: () => {},
      close: async () => {
        if (!closed) this.#listeners--;
        closed = true;
      },
    };
  }

  inspect(): ReturnType<StreamStore["inspect"]> {
    return this.#options.streams.inspect({ tag: this.utteranceId, name: "audio" });
  }

  async #readAll(reader: StreamReader): Promise<Exclude<ReadResult, { kind: "entries" }>> {
    let lastSeq = 0;
    let pause: NodeJS.Timeout | undefined;
    try {
      for (;;) {
        const read = await reader.read(ENTRIES_PER_READ, this.#abort.signal);
        clearTimeout(pause);
        if (read.kind !== "entries") return read;
        this.#epoch = read.epoch;
        for (const entry of read.entries) this.#keep(entry);
        lastSeq = read.entries.at(-1)?.seq ?? lastSeq;
        if (this.#bytes > HELD_BYTES) reader.advance(lastSeq);
        pause = setTimeout(() => reader.advance(lastSeq), HELD_PAUSE_MS);
        this.#wake();
      }
    } finally {
      clearTimeout(pause);
    }
  }

  #keep({ seq, head, body }: StreamEntry): void {
    this.#bytes += body.byteLength;
    if (this.#bytes > this.#options.maxBytes) {
      throw new GatewayError("stream.lost", "The speech has become too long to be shared.");
    }
    // A copy: the body may be a view into a larger buffer.
    this.#entries.push({ seq, head, body: body.slice() });
  }

  #wake(): void {
    const sleepers = this.#sleepers;
    this.#sleepers = [];
    for (const wake of sleepers) wake();
  }

  /** Until there is more to read. @throws the signal's reason */
  #change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#sleepers = this.#sleepers.filter((it) => it !== wake);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#sleepers.push(wake);
    });
  }
}
