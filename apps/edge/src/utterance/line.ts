import { newUtteranceId } from "@tts-labs/core/ids";
import { GatewayError } from "@tts-labs/protocol/errors";
import { MAX_UTTERANCES_PER_SESSION } from "@tts-labs/protocol/limits";
import { type RequestedOptions, toSpeechOptions } from "@tts-labs/protocol/speech-options";
import type { BackgroundWork } from "../background-work.ts";
import type { RestoredUtterance } from "../speech/resume.ts";
import type { Detached } from "./detached.ts";
import { Utterance } from "./utterance.ts";
import type { UtteranceOptions } from "./utterance-options.ts";

/** Number of ended utterances whose ids are still known, for reports that come late. */
const MAX_REMEMBERED_UTTERANCES = 32;

/** What differs from one utterance to the next. */
type EachOwn =
  | "utteranceId"
  | "number"
  | "requested"
  | "speech"
  | "restored"
  | "onRead"
  | "onEnded"
  | "onConfirmed";

export interface UtteranceLineOptions extends Omit<UtteranceOptions, EachOwn> {
  /** Of the next utterance; from 1. */
  readonly nextNumber: number;
}

/**
 * The utterances of one session, in the order in which they were opened. They are delivered one after the other: the
 * turn passes on when one has been read. The few behind it are being made by then, so that there is no gap; later ones
 * wait as text, and take no worker's place and no slot. Once the line was left or cancelled,
 * no turn is given any more.
 */
export class UtteranceLine {
  readonly #options: UtteranceLineOptions;
  #unfinished: readonly Utterance[] = [];
  /** Those that have ended and that the client is not yet known to have; the sink bounds how many. */
  readonly #held = new Set<Utterance>();
  /** Samples played of ended ones, by id; the newest last. */
  readonly #ended = new Map<string, number>();
  #nextNumber: number;
  #isOver = false;
  /** Number of ended utterances with work under way. */
  #unsettled = 0;

  constructor(options: UtteranceLineOptions) {
    this.#options = options;
    this.#nextNumber = options.nextNumber;
  }

  /** Those that the client waits for, in order. */
  get unfinished(): readonly Utterance[] {
    return this.#unfinished;
  }

  /**
   * Whether its client has to wait before more is done for it: of what it has given up, too much is not settled yet.
   */
  get mustWait(): boolean {
    return this.#options.services.unsettled.mustWait(this.#unsettled, this.#unfinished.length);
  }

  /** What stays of them when they are left: as the live view shows them, and what workers may be making. */
  get left(): Pick<Detached, "utterances" | "streamIds"> {
    return {
      utterances: this.#unfinished.map(({ record }) => record).filter((it) => it !== undefined),
      streamIds: this.#unfinished.flatMap(({ streamIds }) => streamIds),
    };
  }

  /** @throws GatewayError `capacity.too_many_utterances`, `capacity.*` of the text; then nothing was opened */
  open(text: string, requested: RequestedOptions): Utterance {
    if (this.#unfinished.length >= MAX_UTTERANCES_PER_SESSION) {
      throw new GatewayError(
        "capacity.too_many_utterances",
        `The text is refused up to its stream_end: ${MAX_UTTERANCES_PER_SESSION} utterances are unfinished.`,
        { facts: { limit: MAX_UTTERANCES_PER_SESSION }, retryAfterMs: 1_000 },
      );
    }
    this.#options.services.unsettled.assertRoom();
    const utterance = this.#newUtterance(newUtteranceId(), this.#nextNumber, requested);
    utterance.input.speak(text);
    this.#nextNumber++;
    this.#append(utterance);
    utterance.open();
    this.#giveTurn();
    return utterance;
  }

  /** Goes on with one that was opened over an earlier connection. */
  restore(restored: RestoredUtterance): Utterance {
    const { utteranceId, number, requested } = restored.stored;
    const utterance = this.#newUtterance(utteranceId, number, requested, restored);
    this.#append(utterance);
    utterance.open();
    this.#giveTurn();
    return utterance;
  }

  /** @throws GatewayError `protocol.wrong_state` */
  played(utteranceId: string, samples: number): void {
    const utterance = this.#unfinished.find((it) => it.utteranceId === utteranceId);
    if (utterance !== undefined) utterance.tally.playedSamples = samples;
    else if (this.#ended.has(utteranceId)) this.#ended.set(utteranceId, samples);
    else throw new GatewayError("protocol.wrong_state", `This session has no utterance "${utteranceId}".`);
  }

  /** Keeps them in the live view, and what has been made of those that wait for their turn. */
  refresh(): void {
    for (const utterance of this.#unfinished) utterance.refresh();
    for (const { streamIds } of this.#unfinished.slice(1)) this.#keep(streamIds);
  }

  /** Nothing reads their audio yet, and nothing writes it once it is complete: Redis would let it go. */
  #keep(streamIds: readonly string[]): void {
    const { services, settings } = this.#options;
    const kept = streamIds.flatMap((tag) =>
      (["text", "audio"] as const).map((name) =>
        services.streams.expire({ tag, name }, settings.streamTtlMs),
      ),
    );
    if (kept.length > 0) services.background.add("speech of waiting utterances kept", Promise.all(kept));
  }

  /** Ends them all, and nothing of them stays in Redis. */
  cancel(reason: GatewayError): void {
    this.#isOver = true;
    for (const utterance of [...this.#held, ...this.#unfinished]) utterance.cancel(reason);
    this.#held.clear();
  }

  /** Lets go of them all without ending them: others go on with them. */
  leave(reason: GatewayError): void {
    this.#isOver = true;
    for (const utterance of [...this.#held, ...this.#unfinished]) utterance.leave(reason);
    this.#held.clear();
  }

  #newUtterance(
    utteranceId: string,
    number: number,
    requested: RequestedOptions,
    restored?: RestoredUtterance,
  ): Utterance {
    const { services } = this.#options;
    const background = services.background.scope();
    const utterance: Utterance = new Utterance({
      ...this.#options,
      utteranceId,
      number,
      requested,
      services: { ...services, background },
      ...(restored === undefined ? {} : { restored }),
      speech: toSpeechOptions(requested, this.#options.settings.defaults),
      onRead: () => this.#giveTurn(),
      onEnded: () => {
        this.#onEnded(utterance);
        void this.#settle(background);
      },
      onConfirmed: () => this.#held.delete(utterance),
    });
    return utterance;
  }

  /** Never rejects. */
  async #settle(background: BackgroundWork): Promise<void> {
    this.#unsettled++;
    await this.#options.services.unsettled.until(background.settled());
    this.#unsettled--;
  }

  #append(utterance: Utterance): void {
    this.#unfinished = [...this.#unfinished, utterance];
    this.#options.services.observer.utteranceOpened();
    // Before it is opened, so that one whose turn is near loses no time.
    this.#bringNear();
  }

  /** The first that is not read gets its turn, and those close behind it are made. */
  #giveTurn(): void {
    this.#bringNear();
    if (!this.#isOver) this.#unfinished.find((it) => it.isReading)?.takeTurn();
  }

  /** Those that are read next may be made. */
  #bringNear(): void {
    if (this.#isOver) return;
    const waiting = this.#unfinished.filter((it) => it.isReading);
    for (const near of waiting.slice(0, this.#options.settings.utterancesAhead + 1)) near.comeNear();
  }

  #onEnded(utterance: Utterance): void {
    this.#unfinished = this.#unfinished.filter((it) => it !== utterance);
    if (utterance.isHeld) this.#held.add(utterance);
    this.#ended.set(utterance.utteranceId, utterance.tally.playedSamples ?? 0);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > MAX_REMEMBERED_UTTERANCES && oldest !== undefined) this.#ended.delete(oldest);
  }
}
