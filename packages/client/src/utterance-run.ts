import type { AudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ClientMessage, ServerMessage, ServerMessageOf } from "@tts-labs/protocol/wire-types";
import { withResolvers } from "./deferred.ts";
import type { AudioChunk } from "./frame-queue.ts";
import { Hearing } from "./hearing.ts";
import { ReceivedAudio } from "./received-audio.ts";
import { SentText } from "./sent-text.ts";
import type { ResumePosition } from "./session-link.ts";
import { toByteStream, toWav } from "./sound-file.ts";
import { fromErrorMessage, SpeechError } from "./speech-error.ts";
import type {
  CancelResult,
  HeardText,
  SpokenWord,
  Utterance,
  UtteranceEvents,
  UtteranceTotals,
} from "./utterance.ts";
import { UtteranceOutput } from "./utterance-output.ts";
import { nextUtteranceState, type UtteranceEvent, type UtteranceState } from "./utterance-state.ts";

export interface UtteranceRunOptions {
  readonly sampleRateHz: number;
  /** Audio kept for an iteration that is behind; beyond it the utterance ends with `client.buffer_full`. */
  readonly maxBufferedSamples: number;
  /** False where the session may drop frames, so that gaps are no error. */
  readonly gapless: boolean;
  /** After this the client no longer waits for the server's answer to a cancel. */
  readonly cancelTimeoutMs: number;
  readonly send: (message: ClientMessage) => void;
  /** Of the connection that serves it now. */
  readonly requestId: () => string | undefined;
}

/** An unfinished utterance as a resumed session holds it. */
export type HeldUtterance = ServerMessageOf<"connected">["utterances"][number];

/** An utterance from the inside: what the client does to it, and what of the server's messages concerns it. */
export class UtteranceRun implements Utterance {
  readonly sampleRateHz: number;
  /** Resolves when the server has answered the opening, or the utterance ended before. */
  readonly opened: Promise<void>;
  /** Resolves when no more text is wanted: cancelled or ended. */
  readonly stopped: Promise<"stopped">;
  readonly text = new SentText();
  readonly #options: UtteranceRunOptions;
  readonly #output: UtteranceOutput;
  readonly #opened = withResolvers<void>();
  readonly #stopped = withResolvers<"stopped">();
  #state: UtteranceState = { kind: "queued" };
  readonly #audio: ReceivedAudio;
  readonly #hearing: Hearing;
  #settled = false;
  #cancelTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: UtteranceRunOptions) {
    this.#options = options;
    this.sampleRateHz = options.sampleRateHz;
    this.#output = new UtteranceOutput(options.maxBufferedSamples);
    this.#audio = new ReceivedAudio(options);
    this.#hearing = new Hearing(options.sampleRateHz);
    this.opened = this.#opened.promise;
    this.stopped = this.#stopped.promise;
  }

  get finished(): Promise<UtteranceTotals> {
    return this.#output.finished;
  }
  get id(): string | undefined {
    return this.#name?.id;
  }
  get number(): number | undefined {
    return this.#name?.number;
  }
  get receivedSamples(): number {
    return this.#audio.samples;
  }
  /** Undefined until the server has named it. */
  get position(): ResumePosition | undefined {
    return this.id === undefined ? undefined : { utterance_id: this.id, ...this.#audio.position };
  }
  get firstAudioMs(): number | null {
    return this.#audio.firstAudioMs;
  }
  get wantsText(): boolean {
    return this.#state.kind !== "cancelling" && this.#state.kind !== "ended";
  }
  get over(): boolean {
    return this.#state.kind === "ended";
  }
  /** Over, and the server knows. */
  get settled(): boolean {
    return this.#settled;
  }
  /** Something of it has been sent. */
  get hasText(): boolean {
    return this.#state.kind !== "queued";
  }

  on<K extends keyof UtteranceEvents>(name: K, listener: (event: UtteranceEvents[K]) => void): () => void {
    return this.#output.on(name, listener);
  }

  [Symbol.asyncIterator](): AsyncIterator<AudioChunk, undefined> {
    // A consumer that leaves the loop early no longer wants the speech.
    return this.#output.iterate(() => void this.cancel().catch(() => {}));
  }

  toWav(): Promise<Uint8Array<ArrayBuffer>> {
    return toWav(this, this.sampleRateHz);
  }

  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return toByteStream(this);
  }

  flush(): void {
    this.text.flush();
    if (this.#state.kind === "speaking") this.#options.send({ type: "flush" });
  }

  cancel(): Promise<CancelResult> {
    const before = this.#state.kind;
    this.#change({ kind: "cancel" });
    if (this.#state.kind === "ended" && before !== "ended") this.#finish(this.#cancelled());
    if (this.#state.kind === "cancelling" && before !== "cancelling") {
      this.#output.discardAudio();
      this.#stopped.resolve("stopped");
      this.#cancelTimer = setTimeout(() => this.#end(this.#cancelled()), this.#options.cancelTimeoutMs);
      this.#sendCancel();
    }
    return this.finished.then((totals) => {
      const { heard } = this;
      // What was received and not heard has been interrupted all the same.
      return { ...totals, ...heard, outcome: heard.textLeft === "" ? totals.outcome : "cancelled" };
    });
  }

  get heard(): HeardText {
    return this.#hearing.of(this.text.text, this.#audio.samples);
  }

  reportPlayed(samples: number): void {
    this.#hearing.played(Math.max(0, Math.round(samples)));
    this.#sendPlayed();
  }

  /** The connection is back, and the server holds this of it. */
  resume({ text_characters, text_complete }: HeldUtterance): void {
    this.#sendPlayed();
    if (this.#state.kind === "cancelling") {
      this.#sendCancel();
      return;
    }
    for (const message of this.text.messagesAfter(text_characters, text_complete)) {
      this.#options.send(message);
    }
  }

  /**
   * The connection is back, and the server has never heard of it: true when it shall be told anew, false when it is
   * over with that.
   */
  lose(): boolean {
    if (this.#state.kind === "cancelling") this.#end(this.#cancelled());
    else if (this.#audio.samples > 0) this.fail(new SpeechError("session.position_gone"));
    this.#change({ kind: "lost" });
    return this.#state.kind === "opening";
  }

  /** The first text is on its way. */
  openingSent(): void {
    this.#change({ kind: "opening-sent" });
  }

  /** Tells what has been sent since; of the first piece not before the server has taken it. */
  tellSent(): void {
    if (this.id === undefined) return;
    const piece = this.text.takeUntold();
    if (piece !== "") this.#output.emit("sent", piece);
  }

  fail(error: SpeechError): void {
    this.#end(error);
  }

  /** Ends it for a reason of ours; the server is told to stop. */
  abandon(error: SpeechError): void {
    this.#sendCancel();
    this.#end(error);
  }

  acceptStarted(message: ServerMessageOf<"utterance_started">): void {
    this.#change({ kind: "started", name: { id: message.utterance_id, number: message.utterance } });
    this.#opened.resolve();
    this.#output.emit("started", message);
    if (this.#state.kind === "cancelling") this.#sendCancel();
    else this.tellSent();
  }

  acceptAudio(frame: AudioFrame): void {
    if (this.#state.kind !== "speaking") return;
    const chunk = this.#audio.accept(frame);
    if (chunk instanceof SpeechError) {
      this.abandon(chunk);
      return;
    }
    if (this.#output.giveAudio(chunk)) return;
    const facts = { maxBufferedSamples: this.#options.maxBufferedSamples };
    this.abandon(new SpeechError("client.buffer_full", undefined, { facts }));
  }

  acceptMessage(message: ServerMessage): void {
    switch (message.type) {
      case "words":
        this.#acceptWords(message.words.map(toSpokenWord), message.replaces_from_ms);
        return;
      case "alignment":
        this.#output.emit("alignment", message);
        return;
      case "substituted":
        this.#output.emit("substituted", message);
        return;
      case "frames_dropped":
        this.#audio.dropped(message.frames);
        this.#output.emit("dropped", message);
        return;
      case "stream_complete":
        this.#settle(this.#state.kind === "cancelling" ? this.#cancelled() : this.#audio.complete(message));
        return;
      case "cancelled":
        this.#hearing.told(message);
        this.#settle({
          ...this.#cancelled(),
          playedSamples: message.played_samples,
          serverFirstAudioMs: message.first_audio_ms ?? null,
          latencyMs: message.latency_ms ?? {},
        });
        return;
      case "error":
        this.#settle(this.#state.kind === "cancelling" ? this.#cancelled() : fromErrorMessage(message));
        return;
    }
  }

  #acceptWords(words: readonly SpokenWord[], replacesFromMs: number | undefined): void {
    this.#hearing.addWords(words, replacesFromMs);
    this.#output.emit("words", words);
  }

  get #name() {
    return "name" in this.#state ? this.#state.name : undefined;
  }

  #change(event: UtteranceEvent): void {
    this.#state = nextUtteranceState(this.#state, event);
  }

  #sendPlayed(): void {
    const { playedSamples: samples } = this.#hearing;
    if (this.id === undefined || samples === undefined) return;
    this.#options.send({ type: "played", utterance_id: this.id, samples });
  }

  #sendCancel(): void {
    if (this.id !== undefined) this.#options.send({ type: "cancel", utterance_id: this.id });
  }

  #cancelled(): UtteranceTotals {
    return this.#audio.totals("cancelled", this.id ?? "");
  }

  /** The server has said that it is over. */
  #settle(result: UtteranceTotals | SpeechError): void {
    this.#settled = true;
    this.#end(result);
  }

  #end(result: UtteranceTotals | SpeechError): void {
    if (this.#state.kind === "ended") return;
    this.#change({ kind: "end" });
    this.#finish(result);
  }

  #finish(result: UtteranceTotals | SpeechError): void {
    clearTimeout(this.#cancelTimer);
    this.#opened.resolve();
    this.#stopped.resolve("stopped");
    if (result instanceof SpeechError) SpeechError.attribute(result, this.#options.requestId());
    this.#output.end(result);
  }
}

const toSpokenWord = (word: ServerMessageOf<"words">["words"][number]): SpokenWord => ({
  text: word.text,
  startMs: word.start_ms,
  endMs: word.end_ms,
});
