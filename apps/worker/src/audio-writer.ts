import { type Alignment, shiftAlignment } from "@tts-labs/core/audio/alignment";
import { BYTES_PER_SAMPLE, samplesToMs } from "@tts-labs/core/audio/pcm";
import { type ResumePoint, WordTracker } from "@tts-labs/core/audio/word-tracker";
import { GatewayError } from "@tts-labs/core/errors";
import { MAX_ENTRY_BYTES } from "@tts-labs/core/limits";
import {
  type AudioEntry,
  encodeAudioEntry,
  type LatencyParts,
  type Substitute,
  samplesOf,
} from "@tts-labs/core/session/entries";
import type { StreamWriter } from "@tts-labs/core/stream/stream";
import type { SynthesisAudio } from "./synthesizer.ts";
import type { StartingPoint } from "./takeover.ts";

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
  alignment: Alignment | undefined;
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
 * gathered into entries of at most `MAX_ENTRY_BYTES`, numbered by their first sample, so that small pieces travel together exactly when the
 * stream is the slower side, and the first one never waits. `write` returns once there is room for more: who
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
  #pumping: Promise<void> | undefined;

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
    this.#part = part;
    this.#acceptedEnd = part.from.sample;
    this.#splices = part.splice;
    this.#words = this.#trackWords();
  }

  /** @throws GatewayError `stream.reader_gone`, `lease.lost`, `storage.*`, or the signal's reason */
  async write(audio: SynthesisAudio, signal: AbortSignal): Promise<void> {
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

  /** Says in the stream that this worker leaves of its own accord. @throws as `StreamWriter.append` */
  async handOver(signal: AbortSignal): Promise<void> {
    const { writer, start } = this.#options;
    const entry: AudioEntry = {
      ...{ firstSample: this.#appendedEnd, pcm: NO_PCM, resume: this.#resume ?? start.resume },
      ...{ ...this.#history, handovers: start.handovers + 1, handedOver: true },
    };
    await writer.append([encodeAudioEntry(entry)], signal);
  }

  #accept(audio: SynthesisAudio): void {
    let rest: Uint8Array = audio.pcm;
    let begins = audio.alignment && this.#toClock(audio.alignment);
    if (begins !== undefined) this.#words.hear(begins);
    do {
      const last = this.#openEntry(rest.byteLength);
      const piece = rest.subarray(0, MAX_ENTRY_BYTES - last.bytes);
      if (piece.byteLength > 0) last.pcm.push(piece);
      last.bytes += piece.byteLength;
      if (begins !== undefined) last.alignment = joinAlignments(last.alignment, begins);
      begins = undefined;
      this.#acceptedEnd += piece.byteLength / BYTES_PER_SAMPLE;
      rest = rest.subarray(piece.byteLength);
    } while (rest.byteLength > 0);
  }

  /** The last pending entry if `bytes` more fit into it whole, else a new one. */
  #openEntry(bytes: number): Pending {
    const last = this.#pending.at(-1);
    if (last !== undefined && last.bytes + bytes <= MAX_ENTRY_BYTES) return last;
    const entry: Pending = {
      ...{ firstSample: this.#acceptedEnd, pcm: [], bytes: 0, alignment: undefined },
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

  #toClock(alignment: Alignment): Alignment {
    return shiftAlignment(alignment, samplesToMs(this.#part.from.sample, this.#options.sampleRateHz));
  }

  #pendingBytes(): number {
    return this.#pending.reduce((sum, entry) => sum + entry.bytes, 0);
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
      bytes += next.bytes;
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

  #toEntry({ firstSample, pcm, alignment, bytes, splice }: Pending): AudioEntry {
    const [only] = pcm;
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

function joinAlignments(a: Alignment | undefined, b: Alignment): Alignment {
  if (a === undefined) return b;
  return {
    chars: [...a.chars, ...b.chars],
    startMs: [...a.startMs, ...b.startMs],
    durationMs: [...a.durationMs, ...b.durationMs],
  };
}
