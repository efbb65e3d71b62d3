import { firstAudioVerdict } from "@tts-labs/core/audio/first-audio-verdict";
import type { AudioEntry, LatencyParts } from "@tts-labs/core/session/entries";
import type { UtteranceRecord } from "@tts-labs/core/session/live-registry";
import type { SessionHold } from "@tts-labs/core/session/session-store";
import type { CacheUse, CancelledSpeech } from "@tts-labs/core/session/utterance-end";
import { toOutcomeError, type UtteranceResult } from "@tts-labs/core/session/utterance-result";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { RequestedOptions, SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { FrameSize } from "../delivery/frame-size.ts";
import type { Outbound } from "../delivery/outbound.ts";
import { type DeliveryTally, newTally } from "../delivery/tally.ts";
import type { UtteranceSummary } from "../edge-observer.ts";
import type { SessionServices, SessionSettings } from "../services.ts";
import { openMaking } from "../speech/open-making.ts";
import type { RestoredUtterance } from "../speech/resume.ts";
import type { SpeechMaking } from "../speech/speech-making.ts";
import { deliverUtterance } from "./delivery.ts";
import { HeardText } from "./heard-text.ts";
import { UtteranceListing } from "./listing.ts";
import { UtteranceNote } from "./note.ts";
import { UtteranceReport } from "./report.ts";

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
  /** It is made sentence by sentence. */
  readonly sentenceCache: boolean;
  /** It was begun over an earlier connection. */
  readonly restored?: RestoredUtterance;
  /** All its audio has been read, or none more will be: the next may have its turn. */
  readonly onRead: () => void;
  /** Nothing more of it will be sent. */
  readonly onEnded: () => void;
  /** After `onEnded`: its client is known to have all of it. */
  readonly onConfirmed: () => void;
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
 * Its speech is being made from the first text on (`SpeechMaking`), so that workers run ahead while earlier
 * utterances are still being delivered; it reads only when it has its turn. A failure is told in order, after the
 * audio that came before it; a cancel takes back what still waits. Whatever the way, `#release` lets everything go.
 */
export class Utterance {
  readonly tally: DeliveryTally;
  readonly requested: RequestedOptions;
  readonly speech: SpeechOptions;
  readonly #options: UtteranceOptions;
  readonly #making: SpeechMaking;
  readonly #note: UtteranceNote;
  readonly #listing: UtteranceListing;
  readonly #report: UtteranceReport;
  readonly #heard = new HeardText();
  readonly #abort = new AbortController();
  readonly #createdAtMs: number;
  #state: "queued" | "speaking" | "delivering" | "ended" = "queued";
  #hasTurn = false;
  #opened: Promise<void> = Promise.resolve();
  #isReleased = false;

  constructor(options: UtteranceOptions) {
    this.#options = options;
    const { utteranceId, number, requested, speech, restored, services, settings, hold } = options;
    const { registry, background } = services;
    this.#createdAtMs = restored?.stored.createdAtMs ?? Date.now();
    this.requested = requested;
    this.speech = speech;
    this.tally = newTally(utteranceId, number, restored?.from.sample);
    const begun = { utteranceId, number, requested, createdAtMs: this.#createdAtMs };
    const utterance = restored?.stored ?? begun;
    this.#note = new UtteranceNote({ hold, background, utterance, isNoted: restored !== undefined });
    this.#listing = new UtteranceListing({ registry, background, utteranceId, ttlMs: settings.liveTtlMs });
    this.#making = openMaking({
      ...options,
      onFound: (text) => this.#onFound(text),
      onFailed: (error) => this.fail(error),
      onPassed: (passed) => this.#note.passed(passed),
    });
    this.#report = new UtteranceReport({
      ...options,
      ...{ sampleRateHz: speech.sampleRateHz, tally: this.tally, making: this.#making },
      samplesBefore: restored?.from.sample ?? 0,
    });
  }

  /** What the cache had to do with it; `off` until its text is complete. */
  get cacheUse(): CacheUse {
    return this.#making.cacheUse;
  }

  /** Samples of all of it, where they are known before it is read. */
  get knownSamples(): number | undefined {
    return this.#making.knownSamples;
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
    const isComplete = end === undefined ? !this.#making.isTextOpen : !end.isTextOpen;
    return { characters: this.#making.characters, isComplete };
  }

  /** Whether its audio may still be read: the next in line waits for it, and its text may still be open. */
  get isReading(): boolean {
    return this.#state === "queued" || this.#state === "speaking";
  }

  /** @throws GatewayError `capacity.*` */
  speak(text: string): void {
    this.#making.speak(text);
  }

  /** @throws GatewayError `capacity.overloaded` */
  flush(): void {
    this.#making.flush();
  }

  /** @throws GatewayError `capacity.overloaded` */
  endText(): void {
    this.#making.endText();
  }

  /** Everything of it was sent, and what the client may have missed is still held in Redis. */
  get isHeld(): boolean {
    return this.#state === "ended" && !this.#isReleased;
  }

  /** Has it made. Failures come out as the utterance's. */
  open(): void {
    if (this.#options.restored !== undefined) this.refresh();
    this.#opened = this.#making.begin().catch((error: unknown) => this.fail(toGatewayError(error)));
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

  /** Of all that workers may be making for it. */
  get streamIds(): readonly string[] {
    return this.#making.streamIds;
  }

  /** Puts it into the live view, or keeps it there. */
  refresh(): void {
    const record = this.record;
    if (record !== undefined) this.#listing.put(record);
  }

  /** Its audio is next. May be called twice. */
  takeTurn(): void {
    if (this.#hasTurn) return;
    this.#hasTurn = true;
    this.#report.tookTurn();
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
  cancelByClient(): CancelledSpeech {
    const cancelled = this.#report.toCancelled(this.#heard);
    this.#note.ended({ samples: 0, end: { kind: "cancelled", ...cancelled }, isTextOpen: false });
    this.cancel(new GatewayError("cancelled.by_client"));
    return cancelled;
  }

  /**
   * Lets go of it without ending it: it goes on being made, and whoever resumes the session goes on with it. What
   * the client has given of its text is still stored. May be called twice.
   */
  leave(reason: GatewayError): void {
    if (this.#state === "ended") {
      this.#release(this.#options.settings.resumeWindowMs);
      return;
    }
    this.#state = "ended";
    this.#isReleased = true;
    this.#abort.abort(reason);
    const { outbound, services } = this.#options;
    outbound.discard(this.tally);
    services.observer.utteranceLeft();
    this.#note.atLeast();
    services.background.add("utterance left", this.#making.leave());
  }

  /**
   * Ends it now: what waits of it is thrown away, and what Redis holds of it. Says no message itself. May be called
   * twice.
   */
  cancel(reason: GatewayError): void {
    if (this.#state === "ended") {
      this.#release();
      return;
    }
    this.#stop(reason);
    this.#options.outbound.discard(this.tally);
    const wasReading = this.isReading;
    this.#end("cancelled", reason);
    if (wasReading) this.#options.onRead();
  }

  #stop(reason: GatewayError): void {
    this.#abort.abort(reason);
    this.#making.stop();
  }

  /** What comes from the cache has mostly gone before anybody could look: first its frames, then the books. */
  #onFound(text: string | undefined): void {
    if (this.cacheUse === "hit" && text !== undefined) this.#note.begunSoon(text);
    else {
      this.#note.begun(text);
      this.refresh();
    }
  }

  async #deliver(): Promise<void> {
    if (!this.isReading) return;
    const { frameSize, outbound, settings, hold, restored } = this.#options;
    const end = restored?.stored.end;
    // Only its end was missed.
    if (end !== undefined && this.tally.sentSamples >= end.samples) return this.#tellAgain();
    const reader = {
      ...this.#making.read(hold === undefined ? 0 : settings.replayBytes),
      sampleRateHz: this.speech.sampleRateHz,
      playedSamples: () => this.playedSamples,
      onEntry: (entry: AudioEntry) => this.#heard.take(entry, this.speech.sampleRateHz),
    };
    const onChunk = ({ latencyMs }: { latencyMs?: LatencyParts }) => this.#onChunk(latencyMs);
    const delivery = {
      ...{ reader, outbound, tally: this.tally, frameSize, onChunk },
      ...(end === undefined ? {} : { untilSample: end.samples }),
    };
    try {
      const result = await deliverUtterance(delivery, this.#abort.signal);
      if (result === undefined || end !== undefined) this.#tellAgain();
      else this.#onRead(result);
    } catch (error) {
      this.fail(toGatewayError(error));
    }
  }

  #onChunk(latencyMs: LatencyParts | undefined): void {
    this.#report.chunk(latencyMs);
    if (this.#state !== "queued") return;
    this.#state = "speaking";
    this.#showState();
  }

  #onRead(result: UtteranceResult): void {
    if (!this.isReading) return;
    this.#report.read(result);
    this.#state = "delivering";
    this.#showState();
    this.#tellEnd(toOutcomeError(result.outcome));
    this.#options.onRead();
  }

  /** Tells how it ended, once all of its frames have gone. */
  #tellEnd(error: GatewayError | undefined): void {
    const { outbound, services } = this.#options;
    if (error !== undefined) services.observer.errorTold(error.code);
    const toEnd = () => {
      const end = this.#report.toEnd(error);
      this.#note.ended({ samples: this.#report.samples, end, isTextOpen: this.#making.isTextOpen });
      this.#end(error === undefined ? "completed" : "failed", error);
      return end;
    };
    outbound.end(this.tally, toEnd, () => this.#confirmed());
  }

  /** How it ended was told before, over a connection that may have lost it. */
  #tellAgain(): void {
    const { outbound, restored, services } = this.#options;
    const told = restored?.stored.end?.end;
    if (!this.isReading || told === undefined) return;
    this.#state = "delivering";
    const toEnd = () => {
      this.#state = "ended";
      services.observer.utteranceLeft();
      services.background.add("utterance unlisted", this.#listing.remove());
      this.#options.onEnded();
      return told;
    };
    outbound.end(this.tally, toEnd, () => this.#confirmed());
    this.#options.onRead();
  }

  #end(outcome: EndKind, error: GatewayError | undefined): void {
    const { services } = this.#options;
    this.#state = "ended";
    const summary = this.#report.toSummary(outcome, error);
    services.observer.utteranceEnded(summary);
    const { firstAudioMs } = summary;
    const verdict = firstAudioMs === null ? {} : { firstAudio: firstAudioVerdict(firstAudioMs) };
    const cause = error?.cause ? { err: error.cause } : {};
    services.logger.info({ ...summary, ...verdict, ...cause }, "utterance ended");
    services.background.add("utterance unlisted", this.#listing.remove());
    // A client that has missed the end may come back for the rest.
    if (outcome === "cancelled" || this.#options.hold === undefined) this.#release();
    this.#options.onEnded();
  }

  /** The client is known to have all of it. */
  #confirmed(): void {
    if (!this.isHeld) return;
    this.#release();
    this.#options.onConfirmed();
  }

  /** @param keepMs for a client that may come back; without it nothing of it stays in Redis */
  #release(keepMs?: number): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#options.services.background.add("utterance released", this.#making.release(keepMs));
  }

  #showState(): void {
    if (this.#state !== "ended") this.#listing.show(this.#state);
  }
}
