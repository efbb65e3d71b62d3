import { type Alignment, type Word, WordCutter } from "@tts-labs/core/audio/alignment";
import { GatewayError } from "@tts-labs/core/errors";
import { type LatencyParts, parseAudioEntry, samplesOf } from "@tts-labs/core/session/entries";
import { parseUtteranceResult, type UtteranceResult } from "@tts-labs/core/session/utterance-result";
import type { StreamReader, StreamStore } from "@tts-labs/core/stream/stream";
import { WorkerWatch, type WorkerWatchLimits } from "./worker-watch.ts";

export type UtteranceEvent =
  | {
      readonly kind: "chunk";
      readonly seq: number;
      /** A view into the read buffer: cut it at once. */
      readonly pcm: Uint8Array;
      readonly alignment?: Alignment;
      /** Those that this chunk's alignment completes. */
      readonly words: readonly Word[];
      readonly latencyMs?: LatencyParts;
    }
  | { readonly kind: "ended"; readonly result: UtteranceResult; readonly words: readonly Word[] };

export interface UtteranceReaderOptions extends WorkerWatchLimits {
  readonly streams: StreamStore;
  readonly utteranceId: string;
  readonly readerId: string;
  readonly ttlMs: number;
  readonly openedAtMs: number;
  readonly lastTextAtMs: () => number;
}

/**
 * Pulls an utterance's audio out of its stream, one entry per call: who does not call, does not take, and the
 * stream fills up to its bound. Samples must be dense; a gap is an error, never played over.
 *
 * Every wait ends: without any sign of a worker after `pickupTimeoutMs`, or after `stallTimeoutMs` of silence,
 * with `worker.unavailable`.
 */
export class UtteranceReader {
  readonly #options: UtteranceReaderOptions;
  readonly #reader: StreamReader;
  readonly #words = new WordCutter();
  #nextSample = 0;
  #hasStarted = false;

  constructor(options: UtteranceReaderOptions) {
    this.#options = options;
    const { streams, utteranceId, readerId, ttlMs } = options;
    this.#reader = streams.reader({ tag: utteranceId, name: "audio" }, { readerId, ttlMs });
  }

  /** @throws GatewayError `stream.lost`, `worker.unavailable`, `storage.*`, or the signal's reason */
  async next(signal: AbortSignal): Promise<UtteranceEvent> {
    const read = await this.#readInTime(signal);
    this.#hasStarted = true;
    if (read.kind === "lost") {
      throw new GatewayError("stream.lost", undefined, { facts: { reason: read.reason } });
    }
    if (read.kind === "ended") {
      const result = parseUtteranceResult(read.end.result);
      if (result.outcome.kind === "completed") this.#assertNext(result.samples);
      return { kind: "ended", result, words: this.#words.finish() };
    }
    const [entry] = read.entries;
    if (entry === undefined) throw new GatewayError("stream.lost", "The stream gave an empty answer.");
    const { firstSample, pcm, alignment, latencyMs } = parseAudioEntry(entry);
    this.#assertNext(firstSample);
    this.#nextSample += samplesOf({ firstSample, pcm });
    return {
      kind: "chunk",
      seq: entry.seq,
      pcm,
      words: alignment === undefined ? [] : this.#words.push(alignment),
      ...(alignment === undefined ? {} : { alignment }),
      ...(latencyMs === undefined ? {} : { latencyMs }),
    };
  }

  /** The samples of entries up to `seq` are on their way to the client: the worker gets room. */
  advance(seq: number): void {
    this.#reader.advance(seq);
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  #assertNext(sample: number): void {
    if (sample === this.#nextSample) return;
    throw new GatewayError(
      "stream.lost",
      `Sample ${this.#nextSample} was due, the stream goes on with ${sample}.`,
    );
  }

  async #readInTime(signal: AbortSignal): ReturnType<StreamReader["read"]> {
    const late = new AbortController();
    const forward = () => late.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener("abort", forward, { once: true });
    const watch = new WorkerWatch({ ...this.#options, isTaken: () => this.#isTaken() }, (error) =>
      late.abort(error),
    );
    watch.start(this.#hasStarted ? "known" : "expected");
    try {
      return await this.#reader.read(1, late.signal);
    } finally {
      watch.stop();
      signal.removeEventListener("abort", forward);
    }
  }

  async #isTaken(): Promise<boolean> {
    const { streams, utteranceId } = this.#options;
    return (await streams.inspect({ tag: utteranceId, name: "audio" })) !== undefined;
  }
}
