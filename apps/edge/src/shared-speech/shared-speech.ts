import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { StreamEntry, StreamReader, StreamStore } from "@tts-labs/core/stream/stream";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { Listener, type ReadTogether } from "./listener.ts";

/** The stream keeps its beginning, for those who join on other edges, until so much has been read… */
const HELD_BYTES = 384 * 1024;
/** …or its writer pauses for so long: it may be waiting for room. */
const HELD_PAUSE_MS = 300;
const ENTRIES_PER_READ = 64;

/** Which bound it was that speech outgrew: that of one entry of the cache, or that of the edge's memory. */
export type SharingBound = "entry" | "edge";

export interface SharedSpeechOptions {
  readonly streams: StreamStore;
  /** The utterance whose audio stream is read. */
  readonly utteranceId: string;
  readonly readerId: string;
  /** Of the stream's keys; so long it is read for one who may come back. */
  readonly ttlMs: number;
  /** Bytes behind the listeners that stay in the stream, for one that comes back on another edge. */
  readonly replayBytes: number;
  /** Longest audio that is kept whole. */
  readonly maxBytes: number;
  /** Budget of all that this edge shares. */
  readonly budget: ByteBudget;
  /** It is no longer kept whole: a client that comes now would miss its beginning. */
  readonly onOutgrown: (bound: SharingBound) => void;
  /** Everything has been read, or nothing more will be; until this has settled what is whole stays so. */
  readonly onOver: () => Promise<void>;
}

/**
 * One utterance's audio, read from its stream once for all on this edge that want it, the one that asked
 * first among them. Each is a listener of its own, and reads at its own pace from the first entry on:
 *
 *   whole ──longer than `maxBytes`, or no memory left, or kept──▶ passing
 *
 * - *Whole*, everything read stays here, so that a newcomer finds its beginning. The stream is released as
 *   the fastest listener takes it; once others listen on other edges, as fast as it comes. So no listener waits
 * for another, and one that listens alone holds the writer back as it would without us.
 * - *Passing*, no listener comes any more, and only what lies before the slowest listener is let go, here and in the
 *   stream: its bound is ours now, and no word is lost for want of memory.
 *
 * When the last listener is left for good, nothing more is read. One that may come back lets it be read on while it is
 * whole: the client then finds it in the cache.
 */
export class SharedSpeech implements ReadTogether {
  readonly utteranceId: string;
  readonly #options: SharedSpeechOptions;
  readonly #reader: StreamReader;
  readonly #abort = new AbortController();
  readonly #listeners = new Set<Listener>();
  /** From number `#dropped + 1` on. */
  #entries: StreamEntry[] = [];
  #dropped = 0;
  #readBytes = 0;
  #epoch = "";
  #isWhole = true;
  #isHeardElsewhere = false;
  /** Runs while a client that has left may come back for it. */
  #awaiting: NodeJS.Timeout | undefined;
  /** What the fastest listener has. */
  #fastestSeq = 0;
  /** The beginning has been held long enough; what is released stays so. */
  #mayRelease = false;
  #end: ReadTogether["end"];
  #error: GatewayError | undefined;

  constructor(options: SharedSpeechOptions) {
    this.#options = options;
    this.utteranceId = options.utteranceId;
    const { streams, utteranceId, readerId, ttlMs, replayBytes } = options;
    this.#reader = streams.reader({ tag: utteranceId, name: "audio" }, { readerId, ttlMs, replayBytes });
  }

  /** Those who want it, whether or not they have begun to read. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** All of it so far; empty where it is kept whole no longer. */
  get entries(): readonly StreamEntry[] {
    return this.#isWhole ? this.#entries : [];
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** How the stream ended; `undefined` while it is read, and where it could not be read to its end. */
  get end(): ReadTogether["end"] {
    return this.#end;
  }

  get error(): GatewayError | undefined {
    return this.#error;
  }

  get isOver(): boolean {
    return this.#end !== undefined || this.#error !== undefined;
  }

  /** A listener that comes now hears all of it. */
  get isJoinable(): boolean {
    return this.#isWhole && !this.#abort.signal.aborted;
  }

  /** Call once. @throws what `onOver` throws */
  async run(): Promise<void> {
    try {
      this.#end = await this.#readAll();
    } catch (error) {
      this.#error = toGatewayError(error);
    }
    clearTimeout(this.#awaiting);
    for (const listener of this.#listeners) listener.wake();
    try {
      await Promise.all([this.#reader.close().catch(() => undefined), this.#options.onOver()]);
    } finally {
      this.#isWhole = false;
      this.#drop();
    }
  }

  /** Nothing more is read. May be called twice. */
  close(reason: GatewayError): void {
    this.#abort.abort(reason);
  }

  /** For one listener, while it is joinable: it hears all of it from its beginning, however late it reads. */
  listener(): Listener {
    const listener = new Listener(this, {
      onAdvance: (seq) => {
        this.#fastestSeq = Math.max(this.#fastestSeq, seq);
        this.#release();
      },
      onForget: () => this.#release(),
      onLeft: (mayComeBack) => this.#leave(listener, mayComeBack),
    });
    this.#listeners.add(listener);
    return listener;
  }

  after(count: number, max: number): readonly StreamEntry[] {
    const from = count - this.#dropped;
    return this.#entries.slice(from, from + max);
  }

  get isHeardElsewhere(): boolean {
    return this.#isHeardElsewhere;
  }

  /** Others listen on other edges: they don't wait for those here. */
  heardElsewhere(): void {
    this.#isHeardElsewhere = true;
    this.#release();
  }

  inspect(): ReturnType<StreamStore["inspect"]> {
    return this.#options.streams.inspect({ tag: this.utteranceId, name: "audio" });
  }

  async #readAll(): Promise<NonNullable<ReadTogether["end"]>> {
    let pause: NodeJS.Timeout | undefined;
    const onPause = () => {
      this.#mayRelease = true;
      this.#release();
    };
    try {
      for (;;) {
        const read = await this.#reader.read(ENTRIES_PER_READ, this.#abort.signal);
        clearTimeout(pause);
        if (read.kind !== "entries") return read;
        this.#epoch = read.epoch;
        for (const entry of read.entries) this.#keep(entry);
        if (this.#readBytes > HELD_BYTES) this.#mayRelease = true;
        this.#release();
        pause = setTimeout(onPause, HELD_PAUSE_MS);
        for (const listener of this.#listeners) listener.wake();
      }
    } finally {
      clearTimeout(pause);
    }
  }

  #keep({ seq, head, body }: StreamEntry): void {
    const { maxBytes, budget } = this.#options;
    const bytes = body.byteLength;
    this.#readBytes += bytes;
    if (this.#isWhole && this.#readBytes > maxBytes) this.#outgrow("entry");
    if (this.#isWhole && !budget.tryTake(bytes)) this.#outgrow("edge");
    // What passes is within the stream's own bound.
    if (!this.#isWhole) budget.take(bytes);
    // A copy: the body may be a view into a larger buffer.
    this.#entries.push({ seq, head, body: body.slice() });
  }

  #outgrow(bound: SharingBound): void {
    this.#isWhole = false;
    this.#mayRelease = true;
    this.#options.onOutgrown(bound);
    this.#closeUnheard();
    this.#drop();
  }

  /** Gives the writer room. */
  #release(): void {
    if (!this.#mayRelease || this.isOver) return;
    if (!this.#isWhole && this.#listeners.size > 0) {
      this.#reader.advance(Math.min(...[...this.#listeners].map((listener) => listener.takenSeq)));
      this.#drop();
    } else if (this.#isWhole) {
      this.#reader.advance(this.#isHeardElsewhere ? (this.#entries.at(-1)?.seq ?? 0) : this.#fastestSeq);
    }
    if (this.#listeners.size > 0) {
      this.#reader.forget(Math.min(...[...this.#listeners].map((listener) => listener.forgottenSeq)));
    }
  }

  /** Lets go of what all have read, once no further listener can come. */
  #drop(): void {
    if (this.#isWhole) return;
    const read = [...this.#listeners].map((listener) => listener.readCount);
    const count = Math.min(...read, this.#dropped + this.#entries.length) - this.#dropped;
    const dropped = this.#entries.splice(0, count);
    this.#dropped += dropped.length;
    this.#options.budget.giveBack(dropped.reduce((sum, { body }) => sum + body.byteLength, 0));
  }

  #leave(listener: Listener, mayComeBack: boolean): void {
    this.#listeners.delete(listener);
    if (mayComeBack && !this.isOver) {
      this.#awaiting ??= setTimeout(() => this.#giveUp(), this.#options.ttlMs);
    }
    this.#closeUnheard();
    this.#release();
    this.#drop();
  }

  #giveUp(): void {
    this.#awaiting = undefined;
    this.#closeUnheard();
  }

  #closeUnheard(): void {
    const isWanted = this.#listeners.size > 0 || (this.#awaiting !== undefined && this.#isWhole);
    if (!isWanted) this.close(new GatewayError("cancelled.by_client"));
  }
}
