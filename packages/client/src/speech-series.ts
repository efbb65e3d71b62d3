import { withResolvers } from "./deferred.ts";
import type { AudioChunk } from "./frame-queue.ts";
import { toByteStream, toWav } from "./sound-file.ts";
import { TextParts } from "./text-parts.ts";
import type { SpeechText } from "./text-pieces.ts";
import { TypedEvents } from "./typed-events.ts";
import type { CancelResult, HeardText, Utterance, UtteranceEvents, UtteranceTotals } from "./utterance.ts";

export interface SpeechSeriesOptions {
  readonly text: SpeechText;
  readonly sampleRateHz: number;
  /** Never throws: what goes wrong ends the utterance. */
  readonly speak: (text: SpeechText) => Utterance;
  /** Characters after which an utterance ends with its sentence; tests shorten it. */
  readonly fullAfterCharacters?: number;
}

/**
 * A text of any length, spoken as several utterances that sound like one: cut at sentence ends, in order, without a
 * gap, on one clock of samples. Where one of them fails, so does the series.
 *
 * The next one is opened when all of the one before has been received: until then it would hold a place at the provider
 * for minutes, unheard. What waits to be played, a frame's queue at least, covers the time to its first audio.
 *
 * Its events are those of its utterances, with times from the beginning of the series; `alignment` is not among them.
 */
export class SpeechSeries implements Utterance {
  readonly sampleRateHz: number;
  readonly finished: Promise<UtteranceTotals>;
  readonly #options: SpeechSeriesOptions;
  readonly #events = new TypedEvents<UtteranceEvents>();
  readonly #utterances: Utterance[] = [];
  readonly #audioPassedOn = new WeakSet<Utterance>();
  readonly #onMore = new Set<() => void>();
  #playedSamples = 0;
  /** Nothing follows those that are there. */
  #isWhole = false;
  #isCancelled = false;
  /** Resolves, to false, when no more is wanted. */
  readonly #stopped = withResolvers<false>();

  constructor(options: SpeechSeriesOptions) {
    this.#options = options;
    this.sampleRateHz = options.sampleRateHz;
    this.finished = this.#run();
    this.finished.then(
      (totals) => this.#events.emit("ended", totals),
      (error) => this.#events.emit("ended", error),
    );
  }

  get id(): string | undefined {
    return this.#utterances[0]?.id;
  }

  get receivedSamples(): number {
    return this.#samplesBefore(this.#utterances.length);
  }

  get firstAudioMs(): number | null {
    return this.#utterances[0]?.firstAudioMs ?? null;
  }

  get heard(): HeardText {
    return join(this.#utterances.map(({ heard }) => heard));
  }

  on<K extends keyof UtteranceEvents>(name: K, listener: (event: UtteranceEvents[K]) => void): () => void {
    const off = this.#events.on(name, listener);
    // From here on audio is not kept for an iteration.
    if (name === "audio") {
      for (const [index, utterance] of this.#utterances.entries()) this.#passAudioOn(utterance, index);
    }
    return off;
  }

  toWav(): Promise<Uint8Array<ArrayBuffer>> {
    return toWav(this, this.sampleRateHz);
  }

  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return toByteStream(this);
  }

  flush(): void {
    this.#utterances.at(-1)?.flush();
  }

  async cancel(): Promise<CancelResult> {
    this.#isCancelled = true;
    this.#stopped.resolve(false);
    const wasWhole = this.#isWhole;
    const results = await Promise.all(this.#utterances.map((it) => it.cancel()));
    this.#tellMore();
    const totals = { ...sum(results), ...join(results) };
    return wasWhole ? totals : { ...totals, outcome: "cancelled" };
  }

  reportPlayed(samples: number): void {
    this.#playedSamples = Math.max(this.#playedSamples, samples);
    let before = 0;
    for (const utterance of this.#utterances) {
      const own = Math.min(this.#playedSamples - before, utterance.receivedSamples);
      if (own <= 0) return;
      utterance.reportPlayed(own);
      before += utterance.receivedSamples;
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterator<AudioChunk> {
    for (let index = 0; ; index += 1) {
      while (index >= this.#utterances.length && !this.#isWhole) await this.#more();
      const utterance = this.#utterances[index];
      if (utterance === undefined) return;
      for await (const chunk of utterance) yield this.#placed(chunk, index);
    }
  }

  async #run(): Promise<UtteranceTotals> {
    const { text, speak, fullAfterCharacters } = this.#options;
    const parts = new TextParts(text, fullAfterCharacters);
    try {
      do {
        const utterance = speak(parts.part());
        this.#begin(utterance);
        // By its signal, too.
        if ((await utterance.finished).outcome === "cancelled") break;
        // Cancelled, it does not wait for a source that may hang.
      } while (await Promise.race([parts.hasMore(), this.#stopped.promise]));
      this.#whole();
      const totals = sum(await Promise.all(this.#utterances.map(({ finished }) => finished)));
      // Between two of them nothing is cut short, and yet not all is spoken.
      return this.#isCancelled ? { ...totals, outcome: "cancelled" } : totals;
    } finally {
      this.#whole();
      void parts.stop();
    }
  }

  #begin(utterance: Utterance): void {
    const index = this.#utterances.push(utterance) - 1;
    // Failures are those of the series.
    utterance.finished.catch(() => {});
    const beforeMs = () => (this.#samplesBefore(index) * 1_000) / this.sampleRateHz;
    if (this.#events.has("audio")) this.#passAudioOn(utterance, index);
    for (const name of ["started", "substituted", "dropped", "sent"] as const) {
      utterance.on(name, (event) => this.#events.emit(name, event as never));
    }
    utterance.on("words", (words) =>
      this.#events.emit(
        "words",
        words.map((it) => ({ ...it, startMs: it.startMs + beforeMs(), endMs: it.endMs + beforeMs() })),
      ),
    );
    this.#tellMore();
  }

  #passAudioOn(utterance: Utterance, index: number): void {
    if (this.#audioPassedOn.has(utterance)) return;
    this.#audioPassedOn.add(utterance);
    utterance.on("audio", (chunk) => this.#events.emit("audio", this.#placed(chunk, index)));
  }

  /** The chunk on the clock of the series. */
  #placed(chunk: AudioChunk, index: number): AudioChunk {
    const last = chunk.last && this.#isWhole && index === this.#utterances.length - 1;
    return { ...chunk, firstSample: this.#samplesBefore(index) + chunk.firstSample, last };
  }

  #samplesBefore(index: number): number {
    return this.#utterances.slice(0, index).reduce((all, { receivedSamples }) => all + receivedSamples, 0);
  }

  #whole(): void {
    this.#isWhole = true;
    this.#tellMore();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#onMore.add(resolve));
  }

  #tellMore(): void {
    for (const resolve of this.#onMore) resolve();
    this.#onMore.clear();
  }
}

function join(heard: readonly HeardText[]): HeardText {
  return {
    heardMs: heard.reduce((all, it) => all + it.heardMs, 0),
    textHeard: heard.map((it) => it.textHeard).join(""),
    textLeft: heard.map((it) => it.textLeft).join(""),
    estimated: heard.some((it) => it.estimated),
  };
}

/** The first one's latencies are the series'. */
function sum(all: readonly UtteranceTotals[]): UtteranceTotals {
  const [first] = all;
  if (first === undefined) throw new RangeError("a series has at least one utterance");
  const total = (of: (it: UtteranceTotals) => number) => all.reduce((whole, it) => whole + of(it), 0);
  return {
    ...first,
    outcome: all.some((it) => it.outcome === "cancelled") ? "cancelled" : "completed",
    samples: total((it) => it.samples),
    durationMs: total((it) => it.durationMs),
    frames: total((it) => it.frames),
    droppedFrames: total((it) => it.droppedFrames),
    splices: total((it) => it.splices),
    characters: total((it) => it.characters),
  };
}
