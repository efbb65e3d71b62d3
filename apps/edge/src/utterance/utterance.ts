import type { AudioEntry, LatencyParts } from "@tts-labs/core/session/entries";
import type { UtteranceRecord } from "@tts-labs/core/session/live-registry";
import type { CacheUse, CancelledSpeech } from "@tts-labs/core/session/utterance-end";
import { toOutcomeError, type UtteranceResult } from "@tts-labs/core/session/utterance-result";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { RequestedOptions, SpeechOptions } from "@tts-labs/protocol/speech-options";
import { type DeliveryTally, newTally } from "../delivery/tally.ts";
import type { UtteranceSummary } from "../edge-observer.ts";
import { openMaking } from "../speech/open-making.ts";
import type { SpeechMaking } from "../speech/speech-making.ts";
import { deliverUtterance } from "./delivery.ts";
import { HeardText } from "./heard-text.ts";
import { UtteranceListing } from "./listing.ts";
import { UtteranceNote } from "./note.ts";
import { UtteranceReport } from "./report.ts";
import type { UtteranceOptions } from "./utterance-options.ts";
import {
  isBeforeItsEnd,
  nextUtteranceState,
  toShownState,
  type UtteranceState,
  type UtteranceStateEvent,
} from "./utterance-state.ts";

/**
 * One utterance as the edge sees it, through the states of `utterance-state.ts`.
 *
 * Its speech is being made from the first text on (`SpeechMaking`), so that workers run ahead while earlier
 * utterances are still being delivered; it reads only when it has its turn. A failure is told in order, after the
 * audio that came before it; a cancel takes back what still waits. Whatever the way, `#free` lets everything go.
 */
export class Utterance {
  readonly tally: DeliveryTally;
  readonly requested: RequestedOptions;
  readonly speech: SpeechOptions;
  /** Takes what the client gives of its text. */
  readonly input: Pick<SpeechMaking, "speak" | "flush" | "endText">;
  readonly #options: UtteranceOptions;
  readonly #making: SpeechMaking;
  readonly #note: UtteranceNote;
  readonly #listing: UtteranceListing;
  readonly #report: UtteranceReport;
  readonly #heard = new HeardText();
  readonly #abort = new AbortController();
  #state: UtteranceState = { kind: "queued" };
  #opened: Promise<void> = Promise.resolve();

  constructor(options: UtteranceOptions) {
    this.#options = options;
    const { utteranceId, number, requested, speech, restored, services, hold } = options;
    const { background } = services;
    const createdAtMs = restored?.stored.createdAtMs ?? Date.now();
    this.requested = requested;
    this.speech = speech;
    this.tally = newTally(utteranceId, number, restored?.from.sample);
    const utterance = restored?.stored ?? { utteranceId, number, requested, createdAtMs };
    this.#note = new UtteranceNote({ hold, background, utterance, isNoted: restored !== undefined });
    this.#listing = new UtteranceListing({ ...options, createdAtMs });
    this.#making = openMaking({
      ...options,
      onFound: (text) => this.#onFound(text),
      onFailed: (error) => this.fail(error),
      onPassed: (passed) => this.#note.passed(passed),
    });
    this.#report = new UtteranceReport({
      ...options,
      sampleRateHz: speech.sampleRateHz,
      tally: this.tally,
      making: this.#making,
      samplesBefore: restored?.from.sample ?? 0,
    });
    this.input = this.#report.accounted(this.#making);
  }

  /** What the cache had to do with it; `off` until its text is complete. */
  get cacheUse(): CacheUse {
    return this.#making.cacheUse;
  }

  /** Samples of all of it, when known before it is read. */
  get knownSamples(): number | undefined {
    return this.#making.knownSamples;
  }

  get utteranceId(): string {
    return this.#options.utteranceId;
  }

  /** Characters that the client need not send again, and whether it has ended its text. */
  get text(): { readonly characters: number; readonly isComplete: boolean } {
    const end = this.#options.restored?.stored.end;
    const isComplete = end === undefined ? !this.#making.isTextOpen : !end.isTextOpen;
    return { characters: this.#making.characters, isComplete };
  }

  /** Whether its audio may still be read: the next in line waits for it, and its text may still be open. */
  get isReading(): boolean {
    return isBeforeItsEnd(this.#state);
  }

  /** Everything of it was sent, and what the client may have missed is still held in Redis. */
  get isHeld(): boolean {
    return this.#state.kind === "held";
  }

  /** Starts synthesis. A failure ends the utterance through `fail`. */
  open(): void {
    if (this.#options.restored !== undefined) this.refresh();
    this.#opened = this.#making.begin().catch((error: unknown) => this.fail(toGatewayError(error)));
  }

  /** As the live view shows it; `undefined` once it has ended. */
  get record(): UtteranceRecord | undefined {
    const state = toShownState(this.#state);
    return state && this.#listing.toRecord(state, this.#options.outbound.queuedFrames);
  }

  /** Ids of all streams that workers may be making for it. */
  get streamIds(): readonly string[] {
    return this.#making.streamIds;
  }

  /** Puts it into the live view, or keeps it there. */
  refresh(): void {
    this.#listing.put(this.record);
  }

  /** Its turn is not far: it is made, where it was only stored until now. May be called twice. */
  comeNear(): void {
    this.#making.comeNear();
  }

  /** Its audio is next. May be called twice. */
  takeTurn(): void {
    if (!this.#move({ kind: "turn" })) return;
    this.#report.tookTurn();
    const delivered = this.#opened.then(() => this.#deliver());
    this.#options.services.background.add("utterance delivered", delivered);
  }

  /** Ends it with a typed error, told after the audio that came before. */
  fail(error: GatewayError): void {
    if (!this.isReading) return;
    if (error.code === "session.position_gone") {
      this.#options.onPositionGone(error);
      return;
    }
    this.#move({ kind: "failed" });
    this.#abort.abort(error);
    this.#making.stop();
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
   * Lets go of it without ending it: it goes on being made, and the connection that resumes the session goes on with
   * it. What the client has given of its text is still stored. May be called twice.
   */
  leave(reason: GatewayError): void {
    const { outbound, services, settings } = this.#options;
    const { isHeld } = this;
    if (!this.#move({ kind: "left" })) return;
    if (isHeld) {
      this.#free(settings.resumeWindowMs);
      return;
    }
    this.#abort.abort(reason);
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
    const { isHeld, isReading } = this;
    if (!this.#move({ kind: "cancelled" })) return;
    if (isHeld) {
      this.#free();
      return;
    }
    this.#abort.abort(reason);
    this.#making.stop();
    this.#options.outbound.discard(this.tally);
    this.#end("cancelled", reason);
    if (isReading) this.#options.onRead();
  }

  /** What comes from the cache has mostly gone before anybody could look: first its frames, then the books. */
  #onFound(text: string | undefined): void {
    if (this.#report.found() === "hit" && text !== undefined) this.#note.begunSoon(text);
    else {
      this.#note.begun(text);
      this.refresh();
    }
  }

  async #deliver(): Promise<void> {
    if (!this.isReading) return;
    const { frameSize, outbound, settings, hold, restored } = this.#options;
    const end = restored?.stored.end;
    // The client missed nothing but its end.
    if (end !== undefined && this.tally.sentSamples >= end.samples) return this.#tellAgain();
    const reader = {
      ...this.#making.read(hold === undefined ? 0 : settings.replayBytes),
      sampleRateHz: this.speech.sampleRateHz,
      playedSamples: () => this.tally.playedSamples ?? 0,
      onEntry: (entry: AudioEntry) => this.#heard.take(entry, this.speech.sampleRateHz),
    };
    const onChunk = ({ latencyMs }: { latencyMs?: LatencyParts }) => {
      this.#report.chunk(latencyMs);
      if (this.#move({ kind: "chunk" })) this.#listing.show("speaking");
    };
    const untilSample = end === undefined ? {} : { untilSample: end.samples };
    const delivery = { reader, outbound, tally: this.tally, frameSize, onChunk, ...untilSample };
    try {
      const result = await deliverUtterance(delivery, this.#abort.signal);
      if (result === undefined || end !== undefined) this.#tellAgain();
      else this.#onRead(result);
    } catch (error) {
      this.fail(toGatewayError(error));
    }
  }

  #onRead(result: UtteranceResult): void {
    if (!this.#move({ kind: "read" })) return;
    this.#report.read(result);
    this.#listing.show("delivering");
    this.#tellEnd(toOutcomeError(result.outcome));
    this.#options.onRead();
  }

  /** Tells how it ended, once all of its frames have gone. */
  #tellEnd(error: GatewayError | undefined): void {
    const { outbound, services, hold } = this.#options;
    if (error !== undefined) services.observer.errorTold(error.code);
    const toEnd = () => {
      const end = this.#report.toEnd(error);
      this.#note.ended({ samples: this.#report.samples, end, isTextOpen: this.#making.isTextOpen });
      // A client that has missed the end may come back for the rest.
      this.#move({ kind: "told", isKept: hold !== undefined });
      this.#end(end.kind, error);
      return end;
    };
    outbound.end(this.tally, toEnd, () => this.#confirmed());
  }

  /** How it ended was told before, over a connection that may have lost it. */
  #tellAgain(): void {
    const { outbound, restored, services } = this.#options;
    const told = restored?.stored.end?.end;
    if (told === undefined || !this.#move({ kind: "read" })) return;
    const toEnd = () => {
      this.#move({ kind: "told", isKept: true });
      services.observer.utteranceLeft();
      services.background.add("utterance unlisted", this.#listing.remove());
      this.#options.onEnded();
      return told;
    };
    outbound.end(this.tally, toEnd, () => this.#confirmed());
    this.#options.onRead();
  }

  #end(outcome: UtteranceSummary["outcome"], error: GatewayError | undefined): void {
    const { services, onEnded } = this.#options;
    this.#report.ended(outcome, error);
    services.background.add("utterance unlisted", this.#listing.remove());
    if (!this.isHeld) this.#free();
    onEnded();
  }

  /** The client is known to have all of it. */
  #confirmed(): void {
    if (!this.#move({ kind: "confirmed" })) return;
    this.#free();
    this.#options.onConfirmed();
  }

  /** Call once. @param keepMs for a client that may come back; without it nothing of it stays in Redis */
  #free(keepMs?: number): void {
    this.#options.services.background.add("utterance released", this.#making.release(keepMs));
  }

  #move(event: UtteranceStateEvent): boolean {
    const before = this.#state;
    this.#state = nextUtteranceState(before, event);
    return this.#state !== before;
  }
}
