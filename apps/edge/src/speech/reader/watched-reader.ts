import { parseUtteranceResult, toOutcomeError } from "@tts-labs/core/session/utterance-result";
import type { ReadResult, StreamPosition, StreamReader } from "@tts-labs/core/stream/stream";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { SecondWitness } from "./second-witness.ts";
import { WorkerWatch, type WorkerWatchLimits } from "./worker-watch.ts";

/** Something to read, and who is watched meanwhile. */
export interface Watched {
  readonly reader: StreamReader;
  /** Whether a worker has it. */
  readonly isTaken: () => Promise<boolean>;
  /** Whether it has left it for want of text. */
  readonly isParked: () => Promise<boolean>;
  /** Makes sure that a worker makes what is waited for; absent where none is needed. */
  readonly witness?: SecondWitness;
}

export interface WatchedReaderOptions extends WorkerWatchLimits {
  readonly openedAtMs: number;
  readonly lastTextAtMs: () => number;
  /** What to read instead, where the first one failed before it gave anything; `undefined`: its failure stands. */
  readonly instead: (error: GatewayError) => Promise<Watched | undefined>;
}

/**
 * A reader whose every wait ends: without any sign of a worker after `pickupTimeoutMs`, or after `stallTimeoutMs`
 * of silence, with `worker.unavailable`.
 */
export class WatchedReader implements StreamReader {
  readonly #options: WatchedReaderOptions;
  #watched: Watched;
  #hasStarted = false;

  constructor(watched: Watched, options: WatchedReaderOptions) {
    this.#watched = watched;
    this.#options = options;
  }

  get position(): StreamPosition | undefined {
    return this.#watched.reader.position;
  }

  async read(maxEntries: number, signal?: AbortSignal): Promise<ReadResult> {
    for (;;) {
      try {
        const read = await this.#readInTime(maxEntries, signal);
        const failure = toFailure(read);
        if (read.kind === "entries") this.#hasStarted = true;
        if (failure === undefined || !(await this.#startAgain(failure, signal))) return read;
      } catch (error) {
        if (!(await this.#startAgain(toGatewayError(error), signal))) throw error;
      }
    }
  }

  advance(seq: number): void {
    this.#watched.reader.advance(seq);
  }

  forget(seq: number): void {
    this.#watched.reader.forget(seq);
  }

  close(): Promise<void> {
    return this.#watched.reader.close();
  }

  async #startAgain(error: GatewayError, signal: AbortSignal | undefined): Promise<boolean> {
    const { reader } = this.#watched;
    if (this.#hasStarted || signal?.aborted === true) return false;
    const next = await this.#options.instead(error).catch(() => undefined);
    if (next === undefined) return false;
    this.#watched = next;
    await reader.close().catch(() => undefined);
    return true;
  }

  async #readInTime(maxEntries: number, signal: AbortSignal | undefined): Promise<ReadResult> {
    const late = new AbortController();
    const forward = () => late.abort(signal?.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", forward, { once: true });
    const { reader, witness, isTaken, isParked } = this.#watched;
    const watch = new WorkerWatch({ ...this.#options, isTaken, isParked }, (error) => late.abort(error));
    watch.start(this.#hasStarted ? "known" : "expected");
    const unwatch = witness?.watch();
    try {
      return await reader.read(maxEntries, late.signal);
    } finally {
      watch.stop();
      unwatch?.();
      signal?.removeEventListener("abort", forward);
    }
  }
}

function toFailure(read: ReadResult): GatewayError | undefined {
  if (read.kind === "lost")
    return new GatewayError("stream.lost", undefined, { facts: { reason: read.reason } });
  return read.kind === "ended" ? toOutcomeError(parseUtteranceResult(read.end.result).outcome) : undefined;
}
