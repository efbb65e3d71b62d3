import type {
  ReadResult,
  StreamEntry,
  StreamInfo,
  StreamPosition,
  StreamReader,
} from "@tts-labs/core/stream/stream";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { HeldSource } from "./sources.ts";

/** What a listener reads from. */
export interface ReadTogether {
  readonly epoch: string;
  readonly end: Exclude<ReadResult, { kind: "entries" }> | undefined;
  readonly error: GatewayError | undefined;
  /** Entries after the first `count`. */
  after(count: number, max: number): readonly StreamEntry[];
  inspect(): Promise<StreamInfo | undefined>;
}

export interface ListenerEvents {
  /** `takenSeq` has risen to this. */
  readonly onAdvance: (seq: number) => void;
  /** `forgottenSeq` has risen. */
  readonly onForget: () => void;
  /** Called once. `mayComeBack`: not for good. */
  readonly onLeft: (mayComeBack: boolean) => void;
}

/** One listener's place in shared speech, kept until it is closed: it may be long until its turn to read. */
export class Listener implements HeldSource {
  readonly #speech: ReadTogether;
  readonly #events: ListenerEvents;
  #takenSeq = 0;
  #forgottenSeq = 0;
  #readCount = 0;
  #position: StreamPosition | undefined;
  #isClosed = false;
  /** Of the reader that has read everything so far. */
  #wake: (() => void) | undefined;

  constructor(speech: ReadTogether, events: ListenerEvents) {
    this.#speech = speech;
    this.#events = events;
  }

  /** Up to here the client has it. */
  get takenSeq(): number {
    return this.#takenSeq;
  }

  /** Nobody comes back here for what lies up to this. */
  get forgottenSeq(): number {
    return this.#forgottenSeq;
  }

  /** Entries given to the reader. */
  get readCount(): number {
    return this.#readCount;
  }

  /** Once. */
  reader(): StreamReader {
    const position = () => this.#position;
    return {
      get position() {
        return position();
      },
      read: (maxEntries, signal) => this.#read(maxEntries, signal),
      advance: (seq) => {
        if (seq <= this.#takenSeq) return;
        this.#takenSeq = seq;
        this.#events.onAdvance(seq);
      },
      forget: (seq) => {
        if (seq <= this.#forgottenSeq) return;
        this.#forgottenSeq = seq;
        this.#events.onForget();
      },
      close: async () => {},
    };
  }

  inspect(): Promise<StreamInfo | undefined> {
    return this.#speech.inspect();
  }

  close(): void {
    this.#leave(false);
  }

  leave(): void {
    this.#leave(true);
  }

  /** More is there to read, or will never be. */
  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #leave(mayComeBack: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events.onLeft(mayComeBack);
    this.wake();
  }

  async #read(maxEntries: number, signal: AbortSignal | undefined): Promise<ReadResult> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#isClosed) throw new GatewayError("internal", "The listener has left.");
      const entries = this.#speech.after(this.#readCount, maxEntries);
      const last = entries.at(-1);
      if (last !== undefined) {
        const { epoch } = this.#speech;
        this.#readCount += entries.length;
        this.#position = { epoch, seq: last.seq };
        return { kind: "entries", epoch, entries };
      }
      const { end, error } = this.#speech;
      if (end !== undefined) return end;
      if (error !== undefined) throw error;
      await this.#change(signal);
    }
  }

  /** @throws the signal's reason */
  #change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#wake = undefined;
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#wake = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
    });
  }
}
