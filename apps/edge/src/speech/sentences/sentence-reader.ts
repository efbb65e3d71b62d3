import { shiftAlignment } from "@tts-labs/core/audio/alignment";
import {
  type AudioEntry,
  encodeAudioEntry,
  parseAudioEntry,
  samplesOf,
} from "@tts-labs/core/session/entries";
import type { PassedParts } from "@tts-labs/core/session/session-store";
import { encodeUtteranceResult, parseUtteranceResult } from "@tts-labs/core/session/utterance-result";
import type {
  ReadResult,
  StreamEnd,
  StreamEntry,
  StreamPosition,
  StreamReader,
} from "@tts-labs/core/stream/stream";
import { BYTES_PER_SAMPLE, samplesToMs } from "@tts-labs/protocol/audio/pcm";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { Sentence } from "./sentence-text.ts";
import { type JoinedPcm, SpeechJoin } from "./speech-join.ts";

/** Entry numbers that each part has for its own; far more than 400 characters of speech come in. */
const SEQS_PER_PART = 1 << 15;
/** Names the one life of joined speech. */
const EPOCH = "sentences";
const NO_PCM: Uint8Array = new Uint8Array(0);
const BETWEEN: State = { kind: "between" };

/** The owner that has the sentences made, each as a part of its own. */
export interface SpokenParts {
  /**
   * That of this number, once the text has it; `undefined`: the text ended before.
   * @param firstSample on the utterance's clock
   */
  part(number: number, firstSample: number, signal: AbortSignal | undefined): Promise<SpokenPart | undefined>;
  /** The part given last was read to its end. */
  partRead(): void;
  /** Nobody asks for these again: one more than the last time. */
  partsPassed(passed: PassedParts): void;
}

export interface SpokenPart {
  readonly sentence: Sentence;
  readonly reader: StreamReader;
}

export interface SentenceReaderOptions {
  readonly parts: SpokenParts;
  readonly sampleRateHz: number;
  /** Bytes behind what was taken that can still be asked for, over all parts. */
  readonly replayBytes: number;
  /** The place to begin at. */
  readonly from: PassedParts;
}

/** Between two parts, in one, or at the end of all of them. */
type State =
  | { readonly kind: "between" }
  | { readonly kind: "reading"; readonly part: Reading }
  | { readonly kind: "ended"; readonly result: ReadResult }
  | { readonly kind: "failed"; readonly error: GatewayError };

interface Reading extends SpokenPart {
  hasBegun: boolean;
  lastSeq: number;
  endsInSpace: boolean;
}

/** Read to its end, and perhaps asked for again. */
interface Behind {
  readonly reader: StreamReader;
  readonly lastSeq: number;
  /** With this one and all before it. */
  readonly passed: PassedParts;
}

/**
 * An utterance's parts as one stream: samples, times, characters and entry numbers are those of the utterance, ends
 * and beginnings are joined. A part that fails is the end, after what came before it.
 */
export class SentenceReader implements StreamReader {
  readonly #options: SentenceReaderOptions;
  readonly #join: SpeechJoin;
  #state: State = BETWEEN;
  /** In order. */
  #behind: Behind[] = [];
  /** All that has been read to its end; the next part begins there. */
  #done: PassedParts;
  /** Start of the part whose samples are in the join. */
  #firstSample: number;
  /** What is given out begins there next. */
  #nextSample: number;
  #ready: StreamEntry[] = [];
  #seq = 0;

  constructor(options: SentenceReaderOptions) {
    this.#options = options;
    this.#join = new SpeechJoin(options);
    this.#done = options.from;
    this.#firstSample = this.#nextSample = options.from.samples;
  }

  get position(): StreamPosition | undefined {
    return this.#seq === 0 ? undefined : { epoch: EPOCH, seq: this.#seq };
  }

  async read(maxEntries: number, signal?: AbortSignal): Promise<ReadResult> {
    for (;;) {
      signal?.throwIfAborted();
      const entries = this.#ready.splice(0, maxEntries);
      if (entries.length > 0) return { kind: "entries", epoch: EPOCH, entries };
      const state = this.#state;
      if (state.kind === "failed") throw state.error;
      if (state.kind === "ended") return state.result;
      try {
        if (state.kind === "between") await this.#begin(signal);
        else await this.#readOn(state.part, maxEntries, signal);
      } catch (error) {
        signal?.throwIfAborted();
        this.#giveEnd();
        this.#state = { kind: "failed", error: toGatewayError(error) };
      }
    }
  }

  advance(seq: number): void {
    const { replayBytes } = this.#options;
    this.#readerOf(seq)?.advance(seq % SEQS_PER_PART);
    const behindSample = this.#nextSample - replayBytes / BYTES_PER_SAMPLE;
    this.#pass(({ passed }) => passed.samples <= behindSample);
  }

  forget(seq: number): void {
    this.#readerOf(seq)?.forget(seq % SEQS_PER_PART);
    this.#pass(({ passed }) => passed.parts <= partOf(seq));
  }

  async close(): Promise<void> {
    const readers = this.#state.kind === "reading" ? [...this.#behind, this.#state.part] : this.#behind;
    this.#behind = [];
    this.#state = BETWEEN;
    await Promise.all(readers.map(({ reader }) => reader.close()));
  }

  async #begin(signal: AbortSignal | undefined): Promise<void> {
    const { parts, samples, characters } = this.#done;
    const part = await this.#options.parts.part(parts, samples, signal);
    if (part === undefined) {
      this.#giveEnd();
      this.#end({ outcome: { kind: "completed" }, samples, characters });
      return;
    }
    if (parts > 0) this.#giveJoined(this.#join.next());
    this.#firstSample = samples;
    const reading = { ...part, hasBegun: false, lastSeq: parts * SEQS_PER_PART, endsInSpace: false };
    this.#state = { kind: "reading", part: reading };
    if (parts > this.#options.from.parts && part.sentence.spaceBefore) this.#giveSpace();
  }

  async #readOn(reading: Reading, maxEntries: number, signal: AbortSignal | undefined): Promise<void> {
    const read = await reading.reader.read(maxEntries, signal);
    if (read.kind === "lost") this.#state = { kind: "ended", result: read };
    else if (read.kind === "ended") this.#onEnded(reading, read.end);
    else for (const stored of read.entries) this.#take(reading, stored);
  }

  #take(reading: Reading, stored: StreamEntry): void {
    const { sentence } = reading;
    const { latencyMs, alignment, resume, ...entry } = parseAudioEntry(stored);
    const { firstSample, pcm } = this.#join.take(entry.firstSample, entry.pcm);
    // Those of the cache have none: so that a text can be cut at what was heard when its beginning was not seen.
    const begin = !reading.hasBegun && entry.firstSample === 0 ? { char: 0, sample: 0 } : undefined;
    const place = resume ?? begin;
    reading.hasBegun = true;
    reading.lastSeq = sentence.number * SEQS_PER_PART + stored.seq;
    this.#seq = reading.lastSeq;
    if (alignment !== undefined) reading.endsInSpace = alignment.chars.at(-1)?.trim() === "";
    const offsetMs = samplesToMs(this.#firstSample, this.#options.sampleRateHz);
    this.#give({
      ...entry,
      firstSample: this.#firstSample + firstSample,
      pcm,
      ...(alignment && { alignment: shiftAlignment(alignment, offsetMs) }),
      ...(place && {
        resume: { ...place, char: sentence.char + place.char, sample: this.#firstSample + place.sample },
      }),
      // The first part's latency alone is a part of the time to the first audio.
      ...(latencyMs && sentence.number === 0 && { latencyMs }),
    });
  }

  #onEnded(reading: Reading, end: StreamEnd): void {
    const { sentence, reader, lastSeq } = reading;
    const result = parseUtteranceResult(end.result);
    if (result.outcome.kind !== "completed") {
      this.#giveEnd();
      this.#end({ outcome: result.outcome, samples: this.#nextSample, characters: this.#done.characters });
      return;
    }
    if (reading.hasBegun && this.#join.nextSample !== result.samples) {
      throw new GatewayError("stream.lost", "A sentence is shorter than it should be.");
    }
    this.#done = {
      parts: sentence.number + 1,
      samples: this.#firstSample + result.samples,
      characters: this.#done.characters + result.characters,
    };
    if (sentence.spaceAfter && !reading.endsInSpace && reading.hasBegun) this.#giveSpace();
    this.#behind.push({ reader, lastSeq: lastSeq % SEQS_PER_PART, passed: this.#done });
    this.#state = BETWEEN;
    this.#options.parts.partRead();
  }

  /** Nothing follows what is held. */
  #giveEnd(): void {
    this.#giveJoined(this.#join.finish());
  }

  #giveJoined({ firstSample, pcm }: JoinedPcm): void {
    if (pcm.byteLength > 0) this.#give({ firstSample: this.#firstSample + firstSample, pcm });
  }

  /** The white space between two sentences, which no part has: without it their words would be one. */
  #giveSpace(): void {
    const atMs = samplesToMs(this.#done.samples, this.#options.sampleRateHz);
    const alignment = { chars: [" "], startMs: [atMs], durationMs: [0] };
    this.#give({ firstSample: this.#nextSample, pcm: NO_PCM, alignment });
  }

  #give(entry: AudioEntry): void {
    this.#nextSample = entry.firstSample + samplesOf(entry);
    this.#ready.push({ seq: this.#seq, ...encodeAudioEntry(entry) });
  }

  #end(result: Parameters<typeof encodeUtteranceResult>[0]): void {
    const end = { lastSeq: this.#seq, result: encodeUtteranceResult(result) };
    this.#state = { kind: "ended", result: { kind: "ended", end } };
  }

  #readerOf(seq: number): StreamReader | undefined {
    const number = partOf(seq);
    const state = this.#state;
    if (state.kind === "reading" && state.part.sentence.number === number) return state.part.reader;
    return this.#behind.find(({ passed }) => passed.parts === number + 1)?.reader;
  }

  #pass(isPassed: (behind: Behind) => boolean): void {
    for (let [oldest] = this.#behind; oldest !== undefined && isPassed(oldest); [oldest] = this.#behind) {
      this.#behind.shift();
      oldest.reader.forget(oldest.lastSeq);
      // Its streams are let go with it; what can't be told to Redis now expires there.
      oldest.reader.close().catch(() => undefined);
      this.#options.parts.partsPassed(oldest.passed);
    }
  }
}

const partOf = (seq: number): number => Math.floor(seq / SEQS_PER_PART);
