import type { ResumePoint } from "@tts-labs/core/audio/word-tracker";
import {
  type AudioEntry,
  encodeAudioEntry,
  type LatencyParts,
  type Substitute,
  samplesOf,
} from "@tts-labs/core/session/entries";
import type { StreamRef, StreamWriter } from "@tts-labs/core/stream/stream";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { GatewayError } from "@tts-labs/protocol/errors";
import { MAX_ENTRY_BYTES } from "@tts-labs/protocol/limits";
import type { SynthesisAudio } from "../../synthesizer.ts";
import { PendingAudio, type PendingEntry } from "./pending-audio.ts";
import type { StartingPoint } from "./takeover.ts";
import { untimedMarks } from "./timed-characters.ts";

/** Most that one append carries: some 1.4 s of speech at 24 kHz. */
const MAX_APPEND_BYTES = 64 * 1024;
const NO_PCM: Uint8Array = new Uint8Array(0);

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
  /** Called when the utterance's first sample is about to be appended. */
  readonly latency: () => LatencyParts;
  /** Called at once: `write` and `finish` report a failure only when they are called next. */
  readonly onFailure: (error: unknown) => void;
  readonly observer: AudioWriterObserver;
}

/** What one provider socket speaks: its place in the utterance, and how often that has been continued by then. */
export interface SpokenPart {
  readonly from: ResumePoint;
  /** What is stored from there on is replaced. */
  readonly splice: boolean;
  readonly continuations: number;
  /** The substitute that speaks it, if it is not the first choice. */
  readonly substitute?: Substitute | undefined;
}

/**
 * Puts provider audio into the audio stream. One append is in flight at a time; what comes meanwhile is
 * gathered into entries of at most `MAX_ENTRY_BYTES` and `MAX_ENTRY_CHARACTERS`, numbered by their first sample, so
 * that small pieces travel together exactly when the stream is the slower side, and the first one never waits. `write`
 * returns once there is room for more: a caller that awaits it pulls the provider no faster than the readers read.
 *
 * A provider socket's audio and times begin at 0; here they are put on the utterance's clock. Every entry says
 * where to go on after it, for a successor.
 */
export class AudioWriter {
  readonly #options: AudioWriterOptions;
  readonly #pending: PendingAudio;
  #part: SpokenPart;
  #appendedEnd: number;
  #resume: ResumePoint | undefined;
  #pumping: Promise<void> | undefined;
  #lastAudioAtMs = performance.now();
  /** Of the run. */
  #signal: AbortSignal = new AbortController().signal;

  constructor(options: AudioWriterOptions) {
    this.#options = options;
    const { endSample, resume: from, continuations, spokenBy: substitute } = options.start;
    this.#appendedEnd = endSample;
    this.#part = { from, splice: false, continuations, substitute };
    this.#pending = new PendingAudio(options, from);
  }

  /** Samples known to be stored, as the utterance's clock counts them: without those that were replaced. */
  get appendedSamples(): number {
    return this.#appendedEnd;
  }

  /** The place to go on from after what is stored; `undefined` while nothing has been stored here. */
  get resume(): ResumePoint | undefined {
    return this.#resume;
  }

  /** What is written from now on. Everything written before must have been finished. */
  begin(part: SpokenPart): void {
    this.#lastAudioAtMs = performance.now();
    this.#part = part;
    this.#pending.begin(part.from, part.splice);
  }

  /** All has been spoken before the last mark was given its time. @throws as `write` does */
  async complete(from: ResumePoint, signal: AbortSignal): Promise<void> {
    const marks = untimedMarks(this.#options.text(), from);
    if (marks === "") return;
    this.#pending.addMarks(marks, from, this.#appendedEnd);
    await this.finish(signal);
  }

  /** @throws GatewayError `stream.reader_gone`, `lease.lost`, `storage.*`, or the signal's reason */
  async write(audio: SynthesisAudio, signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    this.#lastAudioAtMs = performance.now();
    this.#pending.accept(audio);
    this.#pump(signal);
    while (this.#pending.bytes >= MAX_ENTRY_BYTES && this.#pumping !== undefined) await this.#pumping;
  }

  /** Everything taken over is stored. @throws as `write` does */
  async finish(signal: AbortSignal): Promise<void> {
    this.#pump(signal);
    await this.#pumping;
  }

  /** Waits for an append in flight, whatever becomes of it, and drops the rest. */
  async discard(): Promise<void> {
    this.#pending.clear();
    await this.#pumping?.catch(() => {});
  }

  /** Since audio last came, was stored, or was asked for. */
  get quietMs(): number {
    const isBusy = this.#pumping !== undefined || !this.#pending.isEmpty;
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

  #pump(signal: AbortSignal): void {
    if (this.#pumping !== undefined || this.#pending.isEmpty) return;
    this.#pumping = this.#appendAll(signal);
    // A failure stays for the next caller: nothing may follow what was not stored.
    this.#pumping.then(() => {
      this.#pumping = undefined;
      this.#pump(signal);
    }, this.#options.onFailure);
  }

  async #appendAll(signal: AbortSignal): Promise<void> {
    while (!this.#pending.isEmpty) {
      const room = Math.min(MAX_APPEND_BYTES, this.#options.writer.freeBytes);
      const batch = this.#pending.take(room).map((entry) => this.#toEntry(entry));
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

  /** What a successor has to know besides the place. */
  get #history(): Pick<AudioEntry, "continuations" | "handovers" | "substitute"> {
    const { continuations, substitute } = this.#part;
    const { handovers } = this.#options.start;
    return {
      ...(continuations > 0 ? { continuations } : {}),
      ...(handovers > 0 ? { handovers } : {}),
      ...(substitute === undefined ? {} : { substitute }),
    };
  }

  #toEntry({ firstSample, pcm, timed, bytes, splice }: PendingEntry): AudioEntry {
    const [only] = pcm;
    const { alignment } = timed;
    return {
      firstSample,
      pcm: pcm.length === 1 && only !== undefined ? only : Buffer.concat(pcm, bytes),
      resume: this.#pending.resumeAt(firstSample + bytes / BYTES_PER_SAMPLE),
      ...(splice ? { splice } : {}),
      ...this.#history,
      ...(alignment === undefined ? {} : { alignment }),
      ...(firstSample === 0 && bytes > 0 ? { latencyMs: this.#options.latency() } : {}),
    };
  }
}
