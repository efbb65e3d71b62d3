import type { Alignment } from "@tts-labs/core/audio/alignment";
import type { UtteranceJob, UtteranceQueue } from "@tts-labs/core/queue/utterance-job";
import { encodeAudioEntry, parseTextEntry } from "@tts-labs/core/session/entries";
import { encodeUtteranceResult, type Outcome, toOutcome } from "@tts-labs/core/session/utterance-result";
import type { StreamReader, StreamStore, StreamWriter } from "@tts-labs/core/stream/stream";
import { BYTES_PER_SAMPLE, samplesToMs } from "@tts-labs/protocol/audio/pcm";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";

/** This is no multiple of any frame size, so that frames and characters never fall together. */
export const SAMPLES_PER_CHARACTER = 517;

const FIRST_TEXT_LIMIT_MS = 5_000;

/** What the fake worker says for `text`: known samples, the same however the text was cut. */
export function fakeSpeechOf(text: string, fromCharacter = 0): Buffer {
  const pcm = Buffer.alloc(text.length * SAMPLES_PER_CHARACTER * BYTES_PER_SAMPLE);
  for (let character = 0; character < text.length; character++) {
    for (let i = 0; i < SAMPLES_PER_CHARACTER; i++) {
      const at = character * SAMPLES_PER_CHARACTER + i;
      const value = (text.charCodeAt(character) * 131 + i * 7 + (fromCharacter + character) * 31) & 0x7fff;
      pcm.writeInt16LE(value - 0x4000, at * BYTES_PER_SAMPLE);
    }
  }
  return pcm;
}

export interface FakeWorkerOptions {
  readonly streams: StreamStore;
  readonly sampleRateHz?: number;
  readonly chunkCharacters?: number;
  /** False: a provider that tells no times. */
  readonly aligns?: boolean;
  /** Bound of the audio streams. */
  readonly maxBytes?: number;
  /** Awaited before each chunk is appended: tests hold the worker here, or fail it with what it throws. */
  readonly beforeChunk?: (job: UtteranceJob, chunk: number) => Promise<void> | void;
  /** The provider that it passes for, which makes its speech fit to be kept; absent: none. */
  readonly provider?: string;
  /** How an utterance ends that was spoken to its end; completed where it says nothing. */
  readonly outcomeOf?: (job: UtteranceJob) => Outcome | undefined;
}

/** What is known of one utterance that the fake worker has. */
export interface FakeRun {
  readonly job: UtteranceJob;
  text: string;
  appendedSamples: number;
  flushes: number;
  state: "running" | "completed" | "cancelled" | "failed";
}

/**
 * A worker without a provider: reads an utterance's text, speaks each piece at once in known samples, with
 * alignment, within its stream's bound, and ends as it is told. Roles only, so it works over memory and Redis.
 */
export class FakeWorker {
  readonly runs: FakeRun[] = [];
  readonly #options: FakeWorkerOptions;

  constructor(options: FakeWorkerOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.runs.filter((run) => run.state === "running").length;
  }

  runOf(utteranceId: string): FakeRun {
    const run = this.runs.find((it) => it.job.utteranceId === utteranceId);
    if (run === undefined) throw new Error(`the fake worker never got ${utteranceId}`);
    return run;
  }

  /** To be used as a consumer's `run`. */
  readonly run = async (job: UtteranceJob, signal: AbortSignal): Promise<void> => {
    const { streams, maxBytes = 256 * 1024 } = this.#options;
    const tag = job.utteranceId;
    const run: FakeRun = { job, text: "", appendedSamples: 0, flushes: 0, state: "running" };
    this.runs.push(run);
    const claim = { owner: "fake-worker", maxBytes, ttlMs: 60_000 };
    const writer = await streams.claim({ tag, name: "audio" }, claim);
    const reader = streams.reader({ tag, name: "text" }, { readerId: "fake-worker", ttlMs: 60_000 });
    const stop = new AbortController();
    const onAbort = () => stop.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    let outcome: Outcome = { kind: "cancelled" };
    try {
      const isComplete = await this.#speakAll(run, reader, writer, stop);
      if (isComplete) outcome = this.#options.outcomeOf?.(job) ?? { kind: "completed" };
    } catch (error) {
      outcome = toOutcome(toGatewayError(error));
    }
    try {
      run.state = outcome.kind;
      const { provider } = this.#options;
      const said = { outcome, samples: run.appendedSamples, characters: run.text.length };
      const result = provider === undefined ? said : { ...said, provider };
      await writer.end(encodeUtteranceResult(result));
    } finally {
      if (run.state === "running") run.state = "failed";
      signal.removeEventListener("abort", onAbort);
      writer.close();
      await reader.close();
    }
  };

  /** Appending runs beside reading, so that a cancel is heard while the stream is full. */
  async #speakAll(
    run: FakeRun,
    reader: StreamReader,
    writer: StreamWriter,
    stop: AbortController,
  ): Promise<boolean> {
    let speaking: Promise<void> = Promise.resolve();
    let failure: unknown;
    // As the real one: an utterance without text has been removed before it was taken.
    const never = setTimeout(() => stop.abort(new GatewayError("stream.lost")), FIRST_TEXT_LIMIT_MS);
    stop.signal.addEventListener("abort", () => clearTimeout(never), { once: true });
    for (;;) {
      const read = await reader.read(16, stop.signal);
      clearTimeout(never);
      if (read.kind !== "entries") return false;
      const entries = read.entries.map(parseTextEntry);
      // First, since it may come in one read with what it takes back.
      if (entries.some((entry) => entry.kind === "cancel")) {
        stop.abort(new GatewayError("cancelled.by_client"));
        await speaking;
        return false;
      }
      for (const entry of entries) {
        if (entry.kind === "flush") run.flushes++;
        if (entry.kind === "text") {
          const from = run.text.length;
          run.text += entry.text;
          speaking = speaking
            .then(() => this.#speak(run, entry.text, from, writer, stop.signal))
            .catch((error: unknown) => {
              failure ??= error;
            });
        }
        if (entry.kind === "end") {
          await Promise.race([speaking, this.#cancelled(reader, stop)]);
          await speaking;
          if (stop.signal.aborted) return false;
          if (failure !== undefined) throw failure;
          return true;
        }
      }
    }
  }

  /** After `end` only a cancel may come. */
  async #cancelled(reader: StreamReader, stop: AbortController): Promise<void> {
    const read = await reader.read(1, stop.signal).catch(() => undefined);
    if (read?.kind === "entries") stop.abort(new GatewayError("cancelled.by_client"));
  }

  async #speak(
    run: FakeRun,
    text: string,
    from: number,
    writer: StreamWriter,
    signal: AbortSignal,
  ): Promise<void> {
    const { chunkCharacters = 8, sampleRateHz = 24_000, aligns = true, beforeChunk } = this.#options;
    for (let at = 0; at < text.length; at += chunkCharacters) {
      signal.throwIfAborted();
      const piece = text.slice(at, at + chunkCharacters);
      await beforeChunk?.(run.job, (from + at) / chunkCharacters);
      signal.throwIfAborted();
      const firstSample = run.appendedSamples;
      const entry = encodeAudioEntry({
        firstSample,
        pcm: fakeSpeechOf(piece, from + at),
        ...(aligns ? { alignment: alignmentOf(piece, firstSample, sampleRateHz) } : {}),
        ...(firstSample === 0 ? { latencyMs: { queue: 1, slot: 0, connect: 2, provider: 3 } } : {}),
      });
      await writer.append([entry], signal);
      run.appendedSamples += piece.length * SAMPLES_PER_CHARACTER;
    }
  }
}

function alignmentOf(text: string, firstSample: number, sampleRateHz: number): Alignment {
  const chars = [...text];
  const durationMs = samplesToMs(SAMPLES_PER_CHARACTER, sampleRateHz);
  const beginMs = samplesToMs(firstSample, sampleRateHz);
  return {
    chars,
    startMs: chars.map((_, i) => beginMs + i * durationMs),
    durationMs: chars.map(() => durationMs),
  };
}

/** A queue in memory: hands each job to `run` at once, or keeps it while no worker takes any. */
export class MemoryQueue implements UtteranceQueue {
  readonly #stop = new AbortController();
  readonly #waiting: UtteranceJob[] = [];
  #run: ((job: UtteranceJob, signal: AbortSignal) => Promise<void>) | undefined;
  #active = new Set<Promise<void>>();

  async add(job: UtteranceJob): Promise<void> {
    this.#waiting.push(job);
    this.#next();
  }

  async isQueued(utteranceId: string): Promise<boolean> {
    return this.#waiting.some((job) => job.utteranceId === utteranceId);
  }

  async withdraw(utteranceId: string): Promise<void> {
    const at = this.#waiting.findIndex((job) => job.utteranceId === utteranceId);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** From now on jobs are run. */
  consume(run: (job: UtteranceJob, signal: AbortSignal) => Promise<void>): void {
    this.#run = run;
    this.#next();
  }

  async depth(): Promise<{ readonly waiting: number; readonly active: number }> {
    return { waiting: this.#waiting.length, active: this.#active.size };
  }

  async oldestWaitMs(): Promise<number> {
    const [oldest] = this.#waiting;
    return oldest === undefined ? 0 : Date.now() - oldest.enqueuedAtMs;
  }

  async close(): Promise<void> {
    this.#stop.abort(new GatewayError("draining"));
    await Promise.all(this.#active);
  }

  #next(): void {
    if (this.#run === undefined) return;
    for (const job of this.#waiting.splice(0)) {
      const done: Promise<void> = this.#run(job, this.#stop.signal)
        .catch(() => undefined)
        .finally(() => this.#active.delete(done));
      this.#active.add(done);
    }
  }
}
