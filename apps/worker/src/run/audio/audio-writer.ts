import { type ResumePoint, WordTracker } from "@tts-labs/core/audio/word-tracker";
import {
  type AudioEntry,
  encodeAudioEntry,
  type LatencyParts,
  type Substitute,
  samplesOf,
} from "@tts-labs/core/session/entries";
import type { StreamRef, StreamWriter } from "@tts-labs/core/stream/stream";
import { BYTES_PER_SAMPLE, samplesToMs } from "@tts-labs/protocol/audio/pcm";
import { GatewayError } from "@tts-labs/protocol/errors";
import { MAX_ENTRY_BYTES, MAX_ENTRY_CHARACTERS } from "@tts-labs/protocol/limits";
import type { SynthesisAudio } from "../../synthesizer.ts";
import type { StartingPoint } from "./takeover.ts";
import { TimedCharacters, untimedMarks } from "./timed-characters.ts";

/** Most that one append carries: some 1.4 s of speech at 24 kHz. */
const MAX_APPEND_BYTES = 64 * 1024;
const NO_PCM: Uint8Array = new Uint8Array(0);
/** A character with its two times, as JSON. */
const BYTES_PER_CHARACTER = 16;

export interface AudioWriterObserver {
  appended(samples: number): void;
}

export interface AudioWriterOptions {
  readonly writer: StreamWriter;
  readonly sampleRateHz: number;
  /** The utterance's whole text as far as it is known. */
  readonly text: () => string;
  /** What earlier workers have left. */
  readonly start: StartingPoint;
  /** Longest wait for a reader to make room; then `stream.reader_gone`. */
  readonly readerTimeoutMs: number;
  /** Asked when the utterance's first sample is about to be appended. */
  readonly latency: () => LatencyParts;
  /** Told at once: `write` and `finish` would say so only when they are called next. */
  readonly onFailure: (error: unknown) => void;
  readonly observer: AudioWriterObserver;
}

interface Pending {
  readonly firstSample: number;
  readonly pcm: Uint8Array[];
  bytes: number;
  /** On the utterance's clock. */
  readonly timed: TimedCharacters;
  readonly splice: boolean;
}

/** What one provider socket speaks: its place in the utterance, and how often that has been continued by then. */
export interface SpokenPart {
  readonly from: ResumePoint;
  /** What is stored from there on is replaced. */
  readonly splice: boolean;
  readonly continuations: number;
  /** Who speaks it, if not the first choice. */
  readonly substitute?: Substitute | undefined;
}

/**
 * Puts provider audio into the audio stream. One append is in flight at a time; what comes meanwhile is
 * gathered into entries of at most `MAX_ENTRY_BYTES` and `MAX_ENTRY_CHARACTERS`, numbered by their first sample, so
 * that small pieces travel together exactly when the stream is the slower side, and the first one never waits. `write` returns once there is room for more: who
 * awaits it pulls the provider no faster than the readers read.
 *
 * A provider socket's audio and times begin at 0; here they are put on the utterance's clock. Every entry says
 * where to go on after it, for whoever has to.
 */
export class AudioWriter {
  readonly #options: AudioWriterOptions;
  readonly #pending: Pending[] = [];
  #part: SpokenPart;
  #words: WordTracker;
  /** Sample after the last one taken over. */
  #acceptedEnd = 0;
  #appendedEnd: number;
  #resume: ResumePoint | undefined;
  /** The next entry is the first of its part, and replaces what is there. */
  #splices = false;
  /** Marks of the word before this part that nothing has given times: a caption would lack them. */
  #marks = "";
  #pumping: Promise<void> | undefined;
  #lastAudioAtMs = performance.now();
  /** Of the run. */
  #signal: AbortSignal = new AbortController().signal;

  constructor(options: AudioWriterOptions) {
    this.#options = options;
    const { endSample, resume: from, continuations, spokenBy: substitute } = options.start;
    this.#appendedEnd = endSample;
    this.#part = { from, splice: false, continuations, substitute };
    this.#words = this.#trackWords();
  }

  /** Samples known to be stored, as the utterance's clock counts them: without those that were replaced. */
  get appendedSamples(): number {
    return this.#appendedEnd;
  }

  /** Where to go on after what is stored; `undefined` while nothing has been stored here. */
  get resume(): ResumePoint | undefined {
    return this.#resume;
  }

  /** What is written from now on. Everything written before must have been finished. */
  begin(part: SpokenPart): void {
    this.#lastAudioAtMs = performance.now();
    this.#part = part;
    this.#acceptedEnd = part.from.sample;
    this.#splices = part.splice;
    this.#marks = part.splice ? untimedMarks(this.#options.text(), part.from) : "";
    this.#words = this.#trackWords();
  }

  /** All has been spoken before the last mark was given its time. @throws as `write` does */
  async complete(from: ResumePoint, signal: AbortSignal): Promise<void> {
    const marks = untimedMarks(this.#options.text(), from);
    if (marks === "") return;
    this.#acceptedEnd = this.#appendedEnd;
    this.#openEntry(0).timed.addMarks(marks, samplesToMs(from.sample, this.#options.sampleRateHz));
    await this.finish(signal);
  }

  /** @throws GatewayError `stream.reader_gone`, `lease.lost`, `storage.*`, or the signal's reason */
  async write(audio: SynthesisAudio, signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    this.#lastAudioAtMs = performance.now();
    this.#accept(audio);
    this.#pump(signal);
    while (this.#pendingBytes() >= MAX_ENTRY_BYTES && this.#pumping !== undefined) await this.#pumping;
  }

  /** Everything taken over is stored. @throws as `write` does */
  async finish(signal: AbortSignal): Promise<void> {
    this.#pump(signal);
    await this.#pumping;
  }

  /** Waits for an append in flight, whatever becomes of it, and drops the rest. */
  async discard(): Promise<void> {
    this.#pending.length = 0;
    await this.#pumping?.catch(() => {});
  }

  /** Since audio last came, was stored, or was asked for. */
  get quietMs(): number {
    const isBusy = this.#pumping !== undefined || this.#pending.length > 0;
    return isBusy ? 0 : performance.now() - this.#lastAudioAtMs;
  }

  /**
   * Leaves until there is more text than was read. Audio that comes meanwhile waits, and is dropped where it was left.
   * @returns false where there is more text already @throws as `StreamWriter.park`
   */
  async park(text: StreamRef, readSeq: number): Promise<boolean> {
    if (this.#pumping !== undefined) return false;
    const { writer } = this.#options;
    const { head } = encodeAudioEntry({ ...this.#farewell, parked: true });
    const parking = writer.park(head, text, readSeq);
    // What comes meanwhile must not be appended beside it.
    this.#pumping = parking.then(
      () => {},
      () => {},
    );
    const isParked = await parking;
    this.#pumping = undefined;
    if (!isParked) this.#pump(this.#signal);
    return isParked;
  }

  /** Says in the stream that this worker leaves of its own accord. @throws as `StreamWriter.append` */
  async handOver(signal: AbortSignal): Promise<void> {
    await this.#options.writer.append([encodeAudioEntry(this.#farewell)], signal);
  }

  get #farewell(): AudioEntry {
    const { start } = this.#options;
    return {
      firstSample: this.#appendedEnd,
      pcm: NO_PCM,
      resume: this.#resume ?? start.resume,
      ...this.#history,
      handovers: start.handovers + 1,
      handedOver: true,
    };
  }

  #accept(audio: SynthesisAudio): void {
    this.#acceptTimes(audio);
    let rest: Uint8Array = audio.pcm;
    while (rest.byteLength > 0) {
      const last = this.#openEntry(rest.byteLength);
      const piece = rest.subarray(0, MAX_ENTRY_BYTES - last.bytes);
      last.pcm.push(piece);
      last.bytes += piece.byteLength;
      this.#acceptedEnd += piece.byteLength / BYTES_PER_SAMPLE;
      rest = rest.subarray(piece.byteLength);
    }
  }

  /** Times go before the samples that they came with, in as many entries as they need. */
  #acceptTimes({ pcm, alignment }: SynthesisAudio): void {
    const partMs = samplesToMs(this.#part.from.sample, this.#options.sampleRateHz);
    if (this.#marks !== "") this.#openEntry(pcm.byteLength).timed.addMarks(this.#marks, partMs);
    this.#marks = "";
    if (alignment === undefined) return;
    const endMs = samplesToMs(
      this.#acceptedEnd + pcm.byteLength / BYTES_PER_SAMPLE,
      this.#options.sampleRateHz,
    );
    const onClock = new TimedCharacters();
    onClock.add(alignment, 0, alignment.chars.length, partMs);
    this.#words.hear(onClock.within(endMs));
    for (let at = 0; at < alignment.chars.length; ) {
      const left = alignment.chars.length - at;
      // The last of them goes with the samples.
      const entry = this.#openEntry(left <= MAX_ENTRY_CHARACTERS ? pcm.byteLength : 0);
      const to = at + Math.min(left, MAX_ENTRY_CHARACTERS - entry.timed.count);
      entry.timed.add(alignment, at, to, partMs);
      at = to;
    }
  }

  /** The last pending entry if `bytes` more fit into it whole, and more characters; else a new one. */
  #openEntry(bytes: number): Pending {
    const last = this.#pending.at(-1);
    const hasRoom = last !== undefined && last.timed.count < MAX_ENTRY_CHARACTERS;
    if (hasRoom && (last.bytes + bytes <= MAX_ENTRY_BYTES || last.bytes === 0)) return last;
    const entry: Pending = {
      firstSample: this.#acceptedEnd,
      pcm: [],
      bytes: 0,
      timed: new TimedCharacters(),
      splice: this.#splices,
    };
    this.#splices = false;
    this.#pending.push(entry);
    return entry;
  }

  #trackWords(): WordTracker {
    const { text, sampleRateHz } = this.#options;
    return new WordTracker({ text, sampleRateHz, from: this.#part.from });
  }

  #pendingBytes(): number {
    return this.#pending.reduce((sum, entry) => sum + sizeOf(entry), 0);
  }

  #pump(signal: AbortSignal): void {
    if (this.#pumping !== undefined || this.#pending.length === 0) return;
    this.#pumping = this.#appendAll(signal);
    // A failure stays, for whoever calls next: nothing may follow what was not stored.
    this.#pumping.then(() => {
      this.#pumping = undefined;
      this.#pump(signal);
    }, this.#options.onFailure);
  }

  async #appendAll(signal: AbortSignal): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#takeBatch();
      await this.#append(batch, signal);
      const last = batch.at(-1);
      this.#appendedEnd = last === undefined ? this.#appendedEnd : last.firstSample + samplesOf(last);
      this.#resume = last?.resume ?? this.#resume;
      this.#options.observer.appended(batch.reduce((sum, entry) => sum + samplesOf(entry), 0));
    }
  }

  async #append(batch: readonly AudioEntry[], signal: AbortSignal): Promise<void> {
    const { writer, readerTimeoutMs } = this.#options;
    const entries = batch.map(encodeAudioEntry);
    const bytes = entries.reduce((sum, { head, body }) => sum + head.length + body.byteLength, 0);
    if (bytes <= writer.freeBytes) {
      await writer.append(entries, signal);
      return;
    }
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(new GatewayError("stream.reader_gone")), readerTimeoutMs);
    try {
      await writer.append(entries, AbortSignal.any([signal, deadline.signal]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** The oldest entries, as many as go without waiting: at least one, at most `MAX_APPEND_BYTES`. */
  #takeBatch(): AudioEntry[] {
    const room = Math.min(MAX_APPEND_BYTES, this.#options.writer.freeBytes);
    const batch: AudioEntry[] = [];
    let bytes = 0;
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      bytes += sizeOf(next);
      if (batch.length > 0 && bytes > room) break;
      this.#pending.shift();
      batch.push(this.#toEntry(next));
    }
    return batch;
  }

  /** What whoever goes on has to know besides the place. */
  get #history(): Pick<AudioEntry, "continuations" | "handovers" | "substitute"> {
    const { continuations, substitute } = this.#part;
    const { handovers } = this.#options.start;
    return {
      ...(continuations > 0 ? { continuations } : {}),
      ...(handovers > 0 ? { handovers } : {}),
      ...(substitute === undefined ? {} : { substitute }),
    };
  }

  #toEntry({ firstSample, pcm, timed, bytes, splice }: Pending): AudioEntry {
    const [only] = pcm;
    const { alignment } = timed;
    return {
      firstSample,
      pcm: pcm.length === 1 && only !== undefined ? only : Buffer.concat(pcm, bytes),
      resume: this.#words.at(firstSample + bytes / BYTES_PER_SAMPLE),
      ...(splice ? { splice } : {}),
      ...this.#history,
      ...(alignment === undefined ? {} : { alignment }),
      ...(firstSample === 0 && bytes > 0 ? { latencyMs: this.#options.latency() } : {}),
    };
  }
}

/** About what it takes in the stream. */
const sizeOf = ({ bytes, timed }: Pending): number => bytes + timed.count * BYTES_PER_CHARACTER;
