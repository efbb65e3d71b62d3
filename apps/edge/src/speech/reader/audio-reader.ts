import { type Alignment, type Word, WordCutter } from "@tts-labs/core/audio/alignment";
import {
  type AudioEntry,
  type LatencyParts,
  parseAudioEntry,
  type Substitute,
  samplesOf,
} from "@tts-labs/core/session/entries";
import { parseUtteranceResult, type UtteranceResult } from "@tts-labs/core/session/utterance-result";
import type { StreamEntry, StreamReader } from "@tts-labs/core/stream/stream";
import { BYTES_PER_SAMPLE, samplesToMs } from "@tts-labs/protocol/audio/pcm";
import { GatewayError } from "@tts-labs/protocol/errors";

export type UtteranceEvent =
  | {
      readonly kind: "chunk";
      readonly seq: number;
      /** Number of the first sample of `pcm`. */
      readonly firstSample: number;
      /** What was given from `firstSample` on, samples and words, is replaced. */
      readonly splice: boolean;
      /** A view into the read buffer: cut it at once. */
      readonly pcm: Uint8Array;
      readonly alignment?: Alignment;
      /** Those that this chunk's alignment completes. */
      readonly words: readonly Word[];
      /** With the first words behind a splice: what was told to begin there or later is replaced. */
      readonly replacesFromMs?: number;
      /** The substitute that speaks it, if it is not the first choice. */
      readonly substitute?: Substitute;
      readonly latencyMs?: LatencyParts;
    }
  | {
      readonly kind: "ended";
      readonly result: UtteranceResult;
      readonly words: readonly Word[];
      readonly replacesFromMs?: number;
    };

/** How far a client has come in an utterance: everything before `sample` is with it. */
export interface ClientPosition {
  readonly sample: number;
  /** Entry of the last sample it has; tells samples before a splice from those after it. */
  readonly seq?: number;
}

export interface UtteranceReaderOptions {
  /** Closed with this one. */
  readonly reader: StreamReader;
  /** Puts a splice's sample among the words' times; without it the first of them behind the splice tells. */
  readonly sampleRateHz?: number;
  /** The place where a resumed client goes on. */
  readonly from?: ClientPosition;
  /** Samples the client has played, which will not be asked for again. */
  readonly playedSamples: () => number;
  /** Called with every entry, also with those before the client's position. */
  readonly onEntry: (entry: AudioEntry) => void;
}

interface Mark {
  readonly seq: number;
  /** The sample after it. */
  readonly endSample: number;
  /**
   * Entries up to here are not needed by a client that has all up to `seq`: later ones hold the beginning of a word that
   * it has not been told.
   */
  readonly forgettable: number;
}

/** Entries whose last sample is remembered, for reports of what was played; of older ones the newest stand in. */
const MAX_MARKS = 256;

/**
 * Pulls an utterance's audio out of its stream and gives one entry per call: a caller that does not call, does not take,
 * and the stream fills up to its bound. Samples must be dense; a gap is an error, never played over. A splice goes back,
 * never ahead; words are told anew from there on.
 */
export class UtteranceReader {
  readonly #options: UtteranceReaderOptions;
  readonly #reader: StreamReader;
  readonly #words = new WordCutter();
  /** A splice that no words have been told behind yet. */
  #replaces: { readonly fromMs: number; readonly seq: number } | undefined;
  /** Entry in which the word begins that is not complete yet. */
  #wordSeq: number | undefined;
  #nextSample = 0;
  #hasStarted = false;
  /** Samples before this are with the client. */
  #skipTo: number;
  /** Entries taken and perhaps not played yet, with the sample after each. */
  #marks: Mark[] = [];
  /** Entries that a look has brought and that were not asked for yet. */
  #found: StreamEntry[] = [];

  constructor(options: UtteranceReaderOptions) {
    this.#options = options;
    this.#reader = options.reader;
    this.#skipTo = options.from?.sample ?? 0;
  }

  /**
   * @param room entries that may be taken at once, where the stream has to be asked; at least one is
   * @throws GatewayError `stream.lost`, `session.position_gone`, `worker.unavailable`, `storage.*`, or the
   *   signal's reason
   */
  async next(signal: AbortSignal, room = 1): Promise<UtteranceEvent> {
    for (;;) {
      const entry = this.#found.shift();
      const event = entry === undefined ? await this.#look(signal, Math.max(1, room)) : this.#take(entry);
      if (event !== undefined) return event;
    }
  }

  /** The samples of entries up to `seq` are on their way to the client: the worker gets room. */
  advance(seq: number): void {
    this.#reader.advance(seq);
  }

  /** The client is known to have all entries up to `seq`. */
  confirmed(seq: number): void {
    const mark = this.#marks.findLast((it) => it.seq <= seq);
    if (mark !== undefined) this.#reader.forget(mark.forgettable);
  }

  close(): Promise<void> {
    this.#found = [];
    return this.#reader.close();
  }

  /** The stream's end, or `undefined` where entries were found. */
  async #look(signal: AbortSignal, room: number): Promise<UtteranceEvent | undefined> {
    const read = await this.#reader.read(room, signal);
    this.#forgetPlayed();
    if (read.kind === "lost") throw this.#toLoss(read.reason);
    if (read.kind === "entries") {
      if (read.entries.length === 0)
        throw new GatewayError("stream.lost", "The stream gave an empty answer.");
      this.#found = [...read.entries];
      return undefined;
    }
    const result = parseUtteranceResult(read.end.result);
    this.#assertEnd(result);
    const words = this.#words.finish();
    return { kind: "ended", result, words, ...this.#takeReplaced(words) };
  }

  /** `undefined` where the client has all of it. */
  #take(stored: StreamEntry): UtteranceEvent | undefined {
    const entry = parseAudioEntry(stored);
    const { firstSample, pcm, alignment, substitute, latencyMs } = entry;
    const { from, onEntry } = this.#options;
    // The first one of a resumed client is the oldest one held.
    if (from !== undefined && !this.#hasStarted && firstSample <= from.sample) this.#nextSample = firstSample;
    else if (from !== undefined && !this.#hasStarted) throw this.#toLoss("trimmed");
    this.#hasStarted = true;
    const splice = entry.splice === true && firstSample <= this.#nextSample;
    if (splice) this.#spliceAt(entry, stored.seq);
    this.#assertNext(firstSample);
    this.#nextSample += samplesOf(entry);
    onEntry(entry);
    const words = alignment === undefined ? [] : this.#words.push(alignment);
    const replaced = this.#takeReplaced(words);
    this.#mark(stored.seq, alignment);
    const held = Math.max(0, this.#skipTo - firstSample);
    // Of an entry before its last one the client has everything, or a splice has replaced the rest.
    if (stored.seq < (from?.seq ?? 0) || (held > 0 && this.#nextSample <= this.#skipTo)) {
      this.#reader.advance(stored.seq);
      return undefined;
    }
    return {
      kind: "chunk",
      seq: stored.seq,
      words,
      ...replaced,
      firstSample: firstSample + held,
      splice: splice && held === 0,
      pcm: held > 0 ? pcm.subarray(held * BYTES_PER_SAMPLE) : pcm,
      // It came before the samples that the client has.
      ...(alignment === undefined || held > 0 ? {} : { alignment }),
      ...(substitute === undefined ? {} : { substitute }),
      ...(latencyMs === undefined ? {} : { latencyMs }),
    };
  }

  #assertEnd({ outcome, samples }: UtteranceResult): void {
    const { from } = this.#options;
    // Everything was played, and nothing is held any more.
    if (from !== undefined && !this.#hasStarted && from.sample === samples) return;
    if (from !== undefined && (!this.#hasStarted || this.#nextSample < this.#skipTo))
      throw this.#toLoss("trimmed");
    if (outcome.kind === "completed") this.#assertNext(samples);
  }

  /** A client that has samples of what is replaced is given all of the new. */
  #spliceAt({ firstSample: sample, alignment }: AudioEntry, seq: number): void {
    const { sampleRateHz } = this.#options;
    const ms = sampleRateHz === undefined ? (alignment?.startMs[0] ?? 0) : samplesToMs(sample, sampleRateHz);
    this.#nextSample = sample;
    this.#words.splice(ms);
    this.#replaces = { fromMs: Math.min(ms, this.#replaces?.fromMs ?? ms), seq: this.#replaces?.seq ?? seq };
    if (seq > (this.#options.from?.seq ?? 0)) this.#skipTo = Math.min(this.#skipTo, sample);
  }

  #takeReplaced(words: readonly Word[]): { readonly replacesFromMs?: number } {
    const replaces = this.#replaces;
    if (words.length === 0 || replaces === undefined) return {};
    this.#replaces = undefined;
    return { replacesFromMs: replaces.fromMs };
  }

  #mark(seq: number, alignment: Alignment | undefined): void {
    const since = this.#words.heldSinceMs;
    if (since === undefined) this.#wordSeq = undefined;
    else if (this.#wordSeq === undefined || since >= (alignment?.startMs[0] ?? Number.POSITIVE_INFINITY)) {
      this.#wordSeq = seq;
    }
    const needed = Math.min(this.#wordSeq ?? seq + 1, this.#replaces?.seq ?? seq + 1);
    this.#marks.push({ seq, endSample: this.#nextSample, forgettable: needed - 1 });
    if (this.#marks.length > MAX_MARKS) this.#marks.shift();
  }

  #forgetPlayed(): void {
    const played = this.#options.playedSamples();
    const count = this.#marks.findLastIndex(({ endSample }) => endSample <= played) + 1;
    const last = this.#marks.splice(0, count).at(-1);
    if (last !== undefined) this.#reader.forget(last.forgettable);
  }

  /** Before anything was sent the position is at fault; after that the stream is. */
  #toLoss(reason: string): GatewayError {
    const isPosition = this.#options.from !== undefined && this.#nextSample <= this.#skipTo;
    return new GatewayError(isPosition ? "session.position_gone" : "stream.lost", undefined, {
      facts: { reason },
    });
  }

  #assertNext(sample: number): void {
    if (sample === this.#nextSample) return;
    throw new GatewayError(
      "stream.lost",
      `Sample ${this.#nextSample} was due, the stream goes on with ${sample}.`,
    );
  }
}
