import { samplesToMs } from "@tts-labs/core/audio/pcm";
import { GatewayError, toGatewayError } from "@tts-labs/core/errors";
import { toErrorMessage } from "@tts-labs/core/protocol/server-message";
import type { RequestedOptions, SpeechOptions } from "@tts-labs/core/protocol/speech-options";
import type { LatencyParts } from "@tts-labs/core/session/entries";
import { toOutcomeError, type UtteranceResult } from "@tts-labs/core/session/utterance-result";
import type { FrameSize } from "./delivery/frame-size.ts";
import type { Outbound } from "./delivery/outbound.ts";
import { type DeliveryTally, newTally } from "./delivery/tally.ts";
import type { UtteranceSummary } from "./edge-observer.ts";
import { toFirstAudio } from "./first-audio.ts";
import type { SessionServices, SessionSettings } from "./services.ts";
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
  /** All its audio has been read, or none more will be: the next may have its turn. */
  readonly onRead: () => void;
  /** Nothing more of it will be sent. */
  readonly onEnded: () => void;
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
  /** As the client last reported. */
  playedSamples = 0;
  readonly #options: UtteranceOptions;
  readonly #text: UtteranceText;
  readonly #abort = new AbortController();
  readonly #openedAtMs = performance.now();
  readonly #createdAtMs = Date.now();
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
    const { utteranceId, number, speech, services, settings } = options;
    this.requested = options.requested;
    this.speech = speech;
    this.tally = newTally(utteranceId, number);
    this.#text = new UtteranceText({
      streams: services.streams,
      utteranceId,
      owner: services.nodeId,
      ttlMs: settings.streamTtlMs,
      onFailed: (error) => this.fail(error),
    });
  }

  get utteranceId(): string {
    return this.#options.utteranceId;
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
  }

  /** Stores what has been given and asks for a worker. Failures come out as the utterance's. */
  open(): void {
    this.refresh();
    this.#opened = this.#storeInTime().catch((error: unknown) => this.fail(toGatewayError(error)));
  }

  /** Puts it into the live view, or keeps it there. */
  refresh(): void {
    const { utteranceId, sessionId, speech, services, settings } = this.#options;
    if (this.#state === "ended") return;
    const record = {
      ...{ utteranceId, sessionId, voice: speech.voice, model: speech.model },
      ...{ edgeId: services.nodeId, state: this.#state, createdAtMs: this.#createdAtMs },
      queuedFrames: this.#options.outbound.queuedFrames,
    };
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
    this.#state = "delivering";
    this.#stop(error);
    this.#tellEnd(error);
    this.#options.onRead();
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
    this.#cancelTold = this.#text.cancel();
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
    const { utteranceId, sessionId, requestId, speech, services } = this.#options;
    const job = { utteranceId, sessionId, requestId, speech, enqueuedAtMs: Date.now() };
    // Side by side: a worker that is there before the text waits for it, and would have to in any case.
    await Promise.all([this.#text.claim().then(() => this.#text.store()), services.queue.add(job)]);
  }

  async #deliver(): Promise<void> {
    if (!this.isReading) return;
    const { utteranceId, sessionId, frameSize, outbound, services, settings } = this.#options;
    const reader = {
      ...{ streams: services.streams, utteranceId, readerId: sessionId, ttlMs: settings.streamTtlMs },
      ...{ pickupTimeoutMs: settings.pickupTimeoutMs, stallTimeoutMs: settings.stallTimeoutMs },
      ...{ openedAtMs: this.#openedAtMs, lastTextAtMs: () => this.#lastTextAtMs },
    };
    const onChunk = (latencyMs: LatencyParts | undefined) => this.#onChunk(latencyMs);
    try {
      const delivery = { reader, outbound, tally: this.tally, frameSize, onChunk };
      this.#onRead(await deliverUtterance(delivery, this.#abort.signal));
    } catch (error) {
      this.fail(toGatewayError(error));
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
      this.#end(error === undefined ? "completed" : "failed", error);
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
        duration_ms: samplesToMs(samples, this.speech.sampleRateHz),
        first_audio_ms: totalMs,
        latency_ms: { ...parts },
      };
    });
  }

  #firstAudio() {
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
      elapsedMs: performance.now() - this.#openedAtMs,
    };
    services.observer.utteranceEnded(summary);
    services.logger.info({ ...summary, ...(error?.cause ? { err: error.cause } : {}) }, "utterance ended");
    services.background.add("utterance released", this.#release());
    this.#options.onEnded();
  }

  async #release(): Promise<void> {
    const { utteranceId, services, settings } = this.#options;
    await this.#cancelTold;
    this.#text.close();
    await this.#listed.catch(() => undefined);
    const { streams, registry } = services;
    await Promise.all([
      registry.removeUtterance(utteranceId),
      streams.expire({ tag: utteranceId, name: "text" }, settings.endedStreamTtlMs),
      streams.expire({ tag: utteranceId, name: "audio" }, settings.endedStreamTtlMs),
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
