import { samplesToMs } from "@tts-labs/core/audio/pcm";
import { GatewayError, toGatewayError } from "@tts-labs/core/errors";
import {
  type ServerMessage,
  type ServerMessageOf,
  toErrorMessage,
} from "@tts-labs/core/protocol/server-message";
import type { RequestedOptions, SpeechOptions } from "@tts-labs/core/protocol/speech-options";
import type { UtteranceJob } from "@tts-labs/core/queue/utterance-job";
import type { AudioEntry, LatencyParts } from "@tts-labs/core/session/entries";
import type { UtteranceRecord } from "@tts-labs/core/session/live-registry";
import type { SessionHold, StoredEnd } from "@tts-labs/core/session/session-store";
import { toOutcomeError, type UtteranceResult } from "@tts-labs/core/session/utterance-result";
import type { FrameSize } from "./delivery/frame-size.ts";
import type { Outbound } from "./delivery/outbound.ts";
import { type DeliveryTally, newTally } from "./delivery/tally.ts";
import type { UtteranceSummary } from "./edge-observer.ts";
import { type FirstAudio, toFirstAudio } from "./first-audio.ts";
import { toHeard } from "./heard.ts";
import { HeardText } from "./heard-text.ts";
import type { RestoredUtterance } from "./resume.ts";
import { SecondWitness } from "./second-witness.ts";
import type { SessionServices, SessionSettings } from "./services.ts";
import { FoundSpeech } from "./speech-cache/found-speech.ts";
import type { CacheUse } from "./speech-cache/speech-cache.ts";
import { TextPause } from "./speech-cache/text-pause.ts";
import { deliverUtterance } from "./utterance-delivery.ts";
import { UtteranceText } from "./utterance-text.ts";

export interface UtteranceOptions {
  readonly utteranceId: string;
  /** In the session, from 1. */
  readonly number: number;
  readonly sessionId: string;
  readonly requestId: string;
  /** As the client named them, and with every default filled in. */
  readonly requested: RequestedOptions;
  readonly speech: SpeechOptions;
  readonly frameSize: FrameSize;
  readonly outbound: Outbound;
  readonly services: SessionServices;
  readonly settings: SessionSettings;
  /** Where the session outlives its connection: told of the utterance, and of its end. */
  readonly hold?: SessionHold;
  /** It was begun over an earlier connection. */
  readonly restored?: RestoredUtterance;
  /** All its audio has been read, or none more will be: the next may have its turn. */
  readonly onRead: () => void;
  /** Nothing more of it will be sent. */
  readonly onEnded: () => void;
  /** What the client is missing of it is no longer held. */
  readonly onPositionGone: (error: GatewayError) => void;
}

type EndKind = UtteranceSummary["outcome"];

/**
 * One utterance as the edge sees it:
 *
 *   queued ──first chunk──▶ speaking ──all read──▶ delivering ──last message sent──▶ ended
 *      └──────── failed, or cancelled, at any point ────────────────────────────────▶ ended
 *
 * It opens in Redis at once, so that a worker runs ahead within the stream's bound while earlier utterances
 * are still being delivered; it reads only when it has its turn. A failure is told in order, after the audio
 * that came before it; a cancel takes back what still waits. Whatever the way, `#release` lets everything go.
 */
export class Utterance {
  readonly tally: DeliveryTally;
  readonly requested: RequestedOptions;
  readonly speech: SpeechOptions;
  readonly #options: UtteranceOptions;
  readonly #text: UtteranceText;
  readonly #found: FoundSpeech;
  readonly #textPause = new TextPause();
  readonly #heard = new HeardText();
  readonly #abort = new AbortController();
  readonly #openedAtMs = performance.now();
  readonly #createdAtMs: number;
  #state: "queued" | "speaking" | "delivering" | "ended" = "queued";
  #lastTextAtMs = performance.now();
  #turnAtMs: number | undefined;
  #listed: Promise<unknown> = Promise.resolve();
  #opened: Promise<void> = Promise.resolve();
  #cancelTold: Promise<void> = Promise.resolve();
  #workerLatency: LatencyParts | undefined;
  #result: UtteranceResult | undefined;

  constructor(options: UtteranceOptions) {
    this.#options = options;
    const { utteranceId, number, speech, services, settings, restored } = options;
    this.#createdAtMs = restored?.stored.createdAtMs ?? Date.now();
    this.requested = options.requested;
    this.speech = speech;
    this.tally = newTally(utteranceId, number, restored?.from.sample);
    const asked = { utteranceId, readerId: options.sessionId, speech };
    this.#found = new FoundSpeech(services.speechCache, asked);
    this.#text = new UtteranceText({
      streams: services.streams,
      utteranceId,
      owner: services.nodeId,
      ttlMs: settings.streamTtlMs,
      onFailed: (error) => this.fail(error),
      ...(restored?.text === undefined ? {} : { restored: restored.text }),
    });
  }

  /** What the cache had to do with it; `off` until its text is complete. */
  get cacheUse(): CacheUse {
    return this.#found.use;
  }

  get utteranceId(): string {
    return this.#options.utteranceId;
  }

  /** As the client last reported. */
  get playedSamples(): number {
    return this.tally.playedSamples ?? 0;
  }

  set playedSamples(samples: number) {
    this.tally.playedSamples = samples;
  }

  /** Characters that the client need not send again, and whether it has ended its text. */
  get text(): { readonly characters: number; readonly isComplete: boolean } {
    const end = this.#options.restored?.stored.end;
    const isComplete = end === undefined ? !this.#text.isOpen : !end.isTextOpen;
    return { characters: this.#text.characters, isComplete };
  }

  /** Whether its audio may still be read: the next in line waits for it, and its text may still be open. */
  get isReading(): boolean {
    return this.#state === "queued" || this.#state === "speaking";
  }

  /** @throws GatewayError `capacity.*` */
  speak(text: string): void {
    this.#lastTextAtMs = performance.now();
    this.#text.speak(text);
  }

  /** @throws GatewayError `capacity.overloaded` */
  flush(): void {
    this.#lastTextAtMs = performance.now();
    this.#text.flush();
  }

  /** @throws GatewayError `capacity.overloaded` */
  endText(): void {
    this.#lastTextAtMs = performance.now();
    this.#text.end();
    this.#textPause.ended();
  }

  /** Stores what has been given and asks for a worker. Failures come out as the utterance's. */
  open(): void {
    this.refresh();
    this.#note();
    this.#opened = this.#begin().catch((error: unknown) => this.fail(toGatewayError(error)));
  }

  /** Goes on with one that an earlier connection had opened: what has no audio of its own is looked up again. */
  openAgain(): void {
    const text = this.#options.restored?.soundless;
    if (text === undefined || !this.#found.isCaching) return;
    this.#opened = this.#beginRestored(text).catch((error: unknown) => this.fail(toGatewayError(error)));
  }

  /** As the live view shows it; `undefined` once it has ended. */
  get record(): UtteranceRecord | undefined {
    const { utteranceId, sessionId, speech, services, outbound } = this.#options;
    if (this.#state === "ended") return undefined;
    return {
      ...{ utteranceId, sessionId, voice: speech.voice, model: speech.model },
      ...{ edgeId: services.nodeId, state: this.#state, createdAtMs: this.#createdAtMs },
      queuedFrames: outbound.queuedFrames,
    };
  }

  /** Puts it into the live view, or keeps it there. */
  refresh(): void {
    const { services, settings } = this.#options;
    const record = this.record;
    if (record === undefined) return;
    this.#listed = services.registry.putUtterance(record, settings.liveTtlMs);
    services.background.add("utterance listed", this.#listed);
  }

  /** Its audio is next. May be called twice. */
  takeTurn(): void {
    if (this.#turnAtMs !== undefined) return;
    this.#turnAtMs = performance.now();
    const delivered = this.#opened.then(() => this.#deliver());
    this.#options.services.background.add("utterance delivered", delivered);
  }

  /** Ends it with a typed error, told after the audio that came before. */
  fail(error: GatewayError): void {
    if (this.#state === "ended" || this.#state === "delivering") return;
    if (error.code === "session.position_gone") {
      this.#options.onPositionGone(error);
      return;
    }
    this.#state = "delivering";
    this.#stop(error);
    this.#tellEnd(error);
    this.#options.onRead();
  }

  /** The client wants no more of it. @returns what was heard of it, to be told; nothing of it is sent after that */
  cancelByClient(): ServerMessageOf<"cancelled"> {
    const heard = toHeard({
      ...{ tally: this.tally, text: this.#text.given, words: this.#heard },
      ...{ sampleRateHz: this.speech.sampleRateHz, totalSamples: this.#result?.samples },
      ...{ samplesBefore: this.#options.restored?.from.sample ?? 0, nowMs: performance.now() },
    });
    const message: ServerMessageOf<"cancelled"> = {
      ...{ type: "cancelled", utterance_id: this.utteranceId, utterance: this.tally.number },
      ...{ sent_samples: this.tally.sentSamples, played_samples: this.playedSamples, ...heard },
    };
    this.#note({ samples: 0, message, isTextOpen: false });
    this.cancel(new GatewayError("cancelled.by_client"));
    return message;
  }

  /**
   * Lets go of it without ending it: it goes on being made, and whoever resumes the session goes on with it. What
   * the client has given of its text is still stored. May be called twice.
   */
  leave(reason: GatewayError): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#abort.abort(reason);
    const { outbound, services } = this.#options;
    outbound.discard(this.tally);
    services.observer.utteranceLeft();
    this.#found.close();
    services.background.add(
      "utterance left",
      this.#opened.then(() => this.#text.leave()),
    );
  }

  /** Ends it now: what waits of it is thrown away. Says no message itself. May be called twice. */
  cancel(reason: GatewayError): void {
    if (this.#state === "ended") return;
    this.#stop(reason);
    this.#options.outbound.discard(this.tally);
    const wasReading = this.isReading;
    this.#end("cancelled", reason);
    if (wasReading) this.#options.onRead();
  }

  #stop(reason: GatewayError): void {
    this.#abort.abort(reason);
    this.#cancelTold = this.#found.use === "miss" ? this.#cancelText() : this.#takeBack();
  }

  /**
   * What was said before need not be said again. That is asked only where the text is complete at once: tokens that
   * come one by one can't wait.
   */
  async #begin(): Promise<void> {
    if (!this.#found.isCaching) return this.#storeInTime();
    await this.#textPause.wait(() => this.#text.given);
    const { whole } = this.#text;
    const way = whole === undefined ? "speak" : await this.#found.find(whole);
    if (!this.isReading) return this.#found.abandon();
    if (way === "speak") return this.#storeInTime();
    if (this.#options.hold !== undefined)
      this.#options.services.background.add("text held", this.#holdText());
  }

  /** For whoever resumes it. It may be over before. */
  async #holdText(): Promise<void> {
    const { services } = this.#options;
    try {
      await this.#text.claim();
      await this.#text.store();
    } catch (err) {
      services.logger.debug({ err, utteranceId: this.utteranceId }, "text not held");
    }
  }

  /** What it was heard from is gone: anew it could sound different, so only what was not begun is spoken. */
  async #beginRestored(text: string): Promise<void> {
    const { restored, services } = this.#options;
    const way = await this.#found.find(text);
    if (this.isReading && way === "listen") return;
    const isUnheard = restored?.from.sample === 0 && restored.stored.end === undefined;
    if (this.isReading && isUnheard) return services.queue.add(this.#toJob());
    await this.#found.abandon();
    if (this.isReading) throw new GatewayError("session.position_gone");
  }

  /** Whether the utterance that it has joined, and that failed, is spoken anew: by itself, or another that joined. */
  async #beginsAgain(error: GatewayError): Promise<boolean> {
    if (this.#state !== "queued") return false;
    const way = await this.#found.findInstead(this.#text.given, error);
    if (way === "give-up" || !this.isReading) return false;
    if (way === "speak") await this.#storeInTime();
    return true;
  }

  async #cancelText(): Promise<void> {
    if ((await this.#found.leave()) === "alone") await this.#takeBack();
  }

  /** The worker is told to stop; a job that none has taken is no longer one. */
  async #takeBack(): Promise<void> {
    const { utteranceId, services } = this.#options;
    await this.#text.cancel();
    await this.#opened;
    await services.queue
      .withdraw(utteranceId)
      .catch((err: unknown) => services.logger.debug({ err, utteranceId }, "job not withdrawn"));
  }

  async #storeInTime(): Promise<void> {
    const { openTimeoutMs } = this.#options.settings;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new GatewayError("storage.timeout")), openTimeoutMs);
    });
    try {
      await Promise.race([this.#store(), limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #store(): Promise<void> {
    const { queue } = this.#options.services;
    // Side by side: a worker that is there before the text waits for it, and would have to in any case.
    await Promise.all([this.#text.claim().then(() => this.#text.store()), queue.add(this.#toJob())]);
  }

  #toJob(): UtteranceJob {
    const { utteranceId, sessionId, requestId, speech } = this.#options;
    return { utteranceId, sessionId, requestId, speech, enqueuedAtMs: Date.now() };
  }

  /** None where the audio is another utterance's, or out of the cache. */
  #newWitness(): { readonly witness?: SecondWitness } {
    const { streams, queue, observer, logger } = this.#options.services;
    if (this.#found.use === "hit" || this.#found.use === "joined") return {};
    const onEnqueued = (fence: number) => {
      observer.jobEnqueuedAgain();
      logger.warn(
        { utteranceId: this.utteranceId, fence },
        "an utterance that nobody made is enqueued again",
      );
    };
    return { witness: new SecondWitness({ streams, queue, job: this.#toJob(), onEnqueued }) };
  }

  async #deliver(): Promise<void> {
    if (!this.isReading) return;
    const { utteranceId, sessionId, frameSize, outbound, services, settings, hold, restored } = this.#options;
    const reader = {
      ...{ streams: this.#found.source(services.streams), utteranceId, readerId: sessionId },
      ttlMs: settings.streamTtlMs,
      ...{ pickupTimeoutMs: settings.pickupTimeoutMs, stallTimeoutMs: settings.stallTimeoutMs },
      ...{ openedAtMs: this.#openedAtMs, lastTextAtMs: () => this.#lastTextAtMs },
      replayBytes: hold === undefined ? 0 : settings.replayBytes,
      playedSamples: () => this.playedSamples,
      onEntry: (entry: AudioEntry) => this.#heard.take(entry, this.speech.sampleRateHz),
      ...(restored === undefined ? {} : { from: restored.from }),
      ...this.#newWitness(),
    };
    const end = restored?.stored.end;
    const onChunk = ({ latencyMs }: { latencyMs?: LatencyParts }) => this.#onChunk(latencyMs);
    const delivery = {
      ...{ reader, outbound, tally: this.tally, frameSize, onChunk },
      ...(end === undefined ? {} : { untilSample: end.samples }),
    };
    try {
      const result = await deliverUtterance(delivery, this.#abort.signal);
      const error = result && toOutcomeError(result.outcome);
      if (error !== undefined && (await this.#beginsAgain(error))) return await this.#deliver();
      if (result === undefined || end !== undefined) this.#tellAgain();
      else this.#onRead(result);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      if (await this.#beginsAgain(error).catch(() => false)) return this.#deliver();
      this.fail(error);
    }
  }

  #onChunk(latencyMs: LatencyParts | undefined): void {
    this.#workerLatency ??= latencyMs;
    if (this.#state !== "queued") return;
    this.#state = "speaking";
    this.#showState();
  }

  #onRead(result: UtteranceResult): void {
    if (!this.isReading) return;
    this.#result = result;
    this.#state = "delivering";
    this.#showState();
    this.#tellEnd(toOutcomeError(result.outcome));
    this.#options.onRead();
  }

  /** Tells how it ended, once all of its frames have gone. */
  #tellEnd(error: GatewayError | undefined): void {
    const { outbound, services } = this.#options;
    if (error !== undefined) services.observer.errorTold(error.code);
    outbound.end(this.tally, () => {
      const message = this.#toEndMessage(error);
      // Not what has been sent of it: what a client misses of it is read from the stream again.
      const samples = this.#result?.samples ?? this.tally.sentSamples;
      this.#note({ samples, message, isTextOpen: this.#text.isOpen });
      this.#end(error === undefined ? "completed" : "failed", error);
      return message;
    });
  }

  /** How it ended was told before, over a connection that may have lost it. */
  #tellAgain(): void {
    const { outbound, restored, services } = this.#options;
    if (!this.isReading || restored?.stored.end === undefined) return;
    this.#state = "delivering";
    const message = restored.stored.end.message as ServerMessage;
    outbound.end(this.tally, () => {
      this.#state = "ended";
      services.observer.utteranceLeft();
      services.background.add("utterance released", this.#release());
      this.#options.onEnded();
      return message;
    });
    this.#options.onRead();
  }

  #toEndMessage(error: GatewayError | undefined): ServerMessage {
    if (error !== undefined) {
      return toErrorMessage(error, { utterance_id: this.utteranceId, utterance: this.tally.number });
    }
    const { characters, samples } = this.#result ?? { characters: 0, samples: 0 };
    const { totalMs, parts } = this.#firstAudio();
    return {
      type: "stream_complete",
      utterance_id: this.utteranceId,
      utterance: this.tally.number,
      ...{ characters, samples, frames: this.tally.sentFrames, dropped_frames: this.tally.droppedFrames },
      ...{ splices: this.tally.splices, replaced_samples: this.tally.replacedSamples },
      duration_ms: samplesToMs(samples, this.speech.sampleRateHz),
      first_audio_ms: totalMs,
      latency_ms: { ...parts },
      cache: this.#found.use,
    };
  }

  /** So that another edge knows of it, and of its end. */
  #note(end?: StoredEnd): void {
    const { utteranceId, number, requested, hold, services } = this.#options;
    if (hold === undefined) return;
    const stored = { utteranceId, number, requested, createdAtMs: this.#createdAtMs };
    services.background.add("utterance held", hold.put(end === undefined ? stored : { ...stored, end }));
  }

  /** Of an utterance begun over an earlier connection nobody knows it any more. */
  #firstAudio(): FirstAudio {
    if ((this.#options.restored?.from.sample ?? 0) > 0) return { totalMs: null, parts: {} };
    return toFirstAudio({
      openedAtMs: this.#openedAtMs,
      turnAtMs: this.#turnAtMs ?? this.#openedAtMs,
      firstSentAtMs: this.tally.firstSentAtMs,
      worker: this.#workerLatency,
    });
  }

  #end(outcome: EndKind, error: GatewayError | undefined): void {
    const { utteranceId, sessionId, requestId, services } = this.#options;
    this.#state = "ended";
    const { totalMs, parts } = this.#firstAudio();
    const summary: UtteranceSummary = {
      ...{ utteranceId, sessionId, requestId, outcome },
      ...(error === undefined ? {} : { code: error.code }),
      characters: this.#text.characters,
      samples: this.tally.sentSamples,
      frames: this.tally.sentFrames,
      droppedFrames: this.tally.droppedFrames,
      firstAudioMs: totalMs,
      latencyMs: parts,
      cache: this.#found.use,
      elapsedMs: performance.now() - this.#openedAtMs,
    };
    services.observer.utteranceEnded(summary);
    services.logger.info({ ...summary, ...(error?.cause ? { err: error.cause } : {}) }, "utterance ended");
    services.background.add("utterance released", this.#release());
    this.#options.onEnded();
  }

  async #release(): Promise<void> {
    const { utteranceId, services, settings, hold } = this.#options;
    await this.#cancelTold;
    this.#found.close();
    this.#text.close();
    await this.#listed.catch(() => undefined);
    const { streams, registry } = services;
    // A client that missed the end may come back for the rest.
    const ttlMs = Math.max(settings.endedStreamTtlMs, hold === undefined ? 0 : settings.resumeWindowMs);
    await Promise.all([
      registry.removeUtterance(utteranceId),
      streams.expire({ tag: utteranceId, name: "text" }, ttlMs),
      streams.expire({ tag: utteranceId, name: "audio" }, ttlMs),
    ]);
  }

  #showState(): void {
    const { services, utteranceId } = this.#options;
    if (this.#state === "ended") return;
    services.background.add(
      "utterance's state shown",
      services.registry.updateUtterance(utteranceId, { state: this.#state }),
    );
  }
}
