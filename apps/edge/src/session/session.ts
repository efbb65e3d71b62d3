import { isDeepStrictEqual } from "node:util";
import type { Dialect, SessionRecord } from "@tts-labs/core/session/live-registry";
import type { CancelledSpeech } from "@tts-labs/core/session/utterance-end";
import { GatewayError, toCloseCode } from "@tts-labs/protocol/errors";
import { type RequestedOptions, toSpeechOptions } from "@tts-labs/protocol/speech-options";
import type { Caller } from "../access/caller.ts";
import { accountRefused } from "../access/utterance-account.ts";
import type { Detached } from "../utterance/detached.ts";
import { UtteranceLine } from "../utterance/line.ts";
import type { Utterance } from "../utterance/utterance.ts";
import { PartedCharacters } from "./parted-characters.ts";
import { type Prewarmed, Prewarms } from "./prewarms.ts";
import type { SessionOptions } from "./session-options.ts";

/** Close codes from here on: the client is not to come back (errors.ts). */
const FIRST_FINAL_CODE = 4_500;

export interface CancelledUtterance {
  readonly utterance: Utterance;
  readonly heard: CancelledSpeech;
}

/**
 * What text goes to. `refused`: its utterance could not be opened, or has failed; what still comes of that
 * text is thrown away up to its `stream_end`, so that no utterance ever begins in the middle of a text.
 */
type OpenText = Utterance | "refused" | "none";

/**
 * One client's conversation: utterances, spoken one after the other, and one way to end. Dialects translate
 * their messages into these calls; each throws a typed error where the call does not fit.
 */
export class Session {
  readonly sessionId: string;
  readonly requestId: string;
  readonly dialect: Dialect;
  readonly caller: Caller;
  readonly createdAtMs: number;
  readonly #options: SessionOptions;
  readonly #line: UtteranceLine;
  readonly #characters = new PartedCharacters();
  readonly #prewarms: Prewarms;
  #openText: OpenText = "none";
  #listed: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.sessionId = options.sessionId;
    this.requestId = options.requestId;
    this.dialect = options.dialect;
    this.caller = options.caller;
    this.#prewarms = new Prewarms(options);
    const { restored, ...own } = options;
    this.createdAtMs = restored?.createdAtMs ?? Date.now();
    this.#line = new UtteranceLine({
      ...own,
      nextNumber: restored?.nextNumber ?? 1,
      onPositionGone: (error) => this.disconnect(error),
    });
    for (const it of restored?.utterances ?? []) {
      const utterance = this.#line.restore(it);
      if (utterance.text.isComplete) this.#openText = "none";
      else this.#openText = it.stored.end === undefined ? utterance : "refused";
    }
  }

  /** Whether another edge can go on with it where this one stops. */
  get isResumable(): boolean {
    const { hold, settings } = this.#options;
    return hold?.isCurrent === true && settings.resumeWindowMs > 0;
  }

  /** Which of the session's connections this is. */
  get epoch(): number {
    return this.#options.hold?.epoch ?? 1;
  }

  /** Those that the client waits for, in order. */
  get utterances(): readonly Utterance[] {
    return this.#line.unfinished;
  }

  /** Its client's next message has to wait until more of what it has given up is settled. */
  get mustWait(): boolean {
    return this.#line.mustWait;
  }

  get unfinished(): number {
    return this.utterances.length;
  }

  /**
   * Speaks `text`: opens an utterance when none is open, else goes on with it. Empty text does nothing.
   * @param isEnd the text is complete with this, even where this part of it is refused
   * @returns the utterance it opened @throws GatewayError `protocol.wrong_state`, `capacity.*`
   */
  text(text: string, requested: RequestedOptions, isEnd = false): Utterance | undefined {
    if (this.#closed) return undefined;
    if (!isEnd) return this.#speak(text, requested, false);
    if (text === "" && this.#openText === "none") throw nothingOpen("end");
    try {
      return this.#speak(text, requested, true);
    } finally {
      if (this.#openText !== "none") this.endText();
    }
  }

  /** @throws GatewayError `protocol.wrong_state` */
  flush(): void {
    const open = this.#openUtterance();
    if (open === "none") throw nothingOpen("flush");
    if (open !== "refused") open.input.flush();
  }

  /** @throws GatewayError `protocol.wrong_state` */
  endText(): void {
    const open = this.#openUtterance();
    const rest = this.#characters.end();
    if (open === "none") throw nothingOpen("stream_end");
    this.#openText = "none";
    if (open === "refused") return;
    try {
      if (rest !== "") open.input.speak(rest);
    } finally {
      open.input.endText();
    }
  }

  /** @returns those cancelled, in order, and what was heard of them @throws GatewayError `protocol.wrong_state` */
  cancel(utteranceId: string | undefined): readonly CancelledUtterance[] {
    const all = this.utterances;
    const meant = utteranceId === undefined ? all : all.filter((it) => it.utteranceId === utteranceId);
    const open = this.#openText;
    if (utteranceId === undefined || meant.some((it) => it === open)) this.#characters.drop();
    if (open === "refused" && utteranceId === undefined) this.#openText = "none";
    else if (meant.length === 0) {
      const message =
        utteranceId === undefined
          ? "There is no unfinished utterance to cancel."
          : `There is no unfinished utterance "${utteranceId}" to cancel; it may have ended already.`;
      throw new GatewayError("protocol.wrong_state", message);
    }
    if (meant.some((it) => it === open)) this.#openText = "none";
    return meant.map((utterance) => ({ utterance, heard: utterance.cancelByClient() }));
  }

  /** @throws GatewayError `protocol.wrong_state` */
  played(utteranceId: string, samples: number): void {
    this.#line.played(utteranceId, samples);
  }

  /**
   * Waits until speech with these options finds a connection ready.
   * @throws GatewayError `worker.unavailable`, `capacity.*`, `provider.*`, `storage.*`; `cancelled.client_gone` once closed
   */
  async prewarm(requested: RequestedOptions): Promise<Prewarmed> {
    await this.#options.services.limiter.prewarm(this.caller);
    return await this.#prewarms.ask(requested);
  }

  /** Keeps the session and its utterances in the live view. */
  refresh(): void {
    const { services, settings, hold } = this.#options;
    if (this.#closed) return;
    this.#listed = services.registry.putSession(this.#toRecord("open"), settings.liveTtlMs);
    services.background.add("session listed", this.#listed);
    if (hold !== undefined) services.background.add("session held", hold.refresh());
    this.#line.refresh();
  }

  /** Tells the client to come back in so long: this edge is going away. */
  announceDraining(reconnectInMs: number): void {
    this.#options.tellDraining?.(reconnectInMs);
  }

  /** Ends the connection. The session stays where the client may come back to it. May be called twice. */
  disconnect(reason: GatewayError): void {
    this.#options.disconnect(reason);
    if (reason.code === "session.superseded" && this.#options.hold !== undefined) this.#leave(reason);
    else if (toCloseCode(reason) < FIRST_FINAL_CODE) this.detach(reason);
    else this.close(new GatewayError("cancelled.client_gone", reason.message));
  }

  /** The connection was lost: nothing is cancelled while the client may come back. May be called twice. */
  detach(reason: GatewayError): void {
    if (this.#closed) return;
    const { hold } = this.#options;
    if (hold?.isCurrent === false) {
      // Another has it by now: nothing of it is ours to end.
      this.#leave(reason);
      return;
    }
    if (hold === undefined || !this.isResumable) {
      this.close(new GatewayError("cancelled.client_gone", reason.message));
      return;
    }
    const { caller } = this;
    this.#leave(reason, { record: this.#toRecord("detached"), caller, hold, ...this.#line.left });
  }

  /** Lets everything go: unfinished utterances are cancelled, nothing more is sent. May be called twice. */
  close(reason: GatewayError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#prewarms.close();
    this.#openText = "none";
    const { outbound, services, hold, onEnded, onClosed } = this.#options;
    onEnded?.();
    if (hold !== undefined) services.background.add("session forgotten", hold.remove());
    this.#line.cancel(reason);
    outbound.close();
    // It is removed after it is listed, or the listing would outlive it.
    const listed = this.#listed.catch(() => undefined);
    services.background.add(
      "session removed",
      listed.then(() => services.registry.removeSession(this.sessionId)),
    );
    onClosed();
  }

  #speak(given: string, asked: RequestedOptions, isEnd: boolean): Utterance | undefined {
    const { text, requested } = this.#characters.push(given, asked, isEnd);
    const open = this.#openUtterance();
    if (text === "") return undefined;
    if (open === "refused") {
      accountRefused(this.#options.services, this.caller, text);
      return undefined;
    }
    try {
      if (open === "none") {
        this.#openText = "refused";
        const opened = this.#line.open(text, requested);
        this.#openText = opened;
        return opened;
      }
      this.#assertSameOptions(open, requested);
      open.input.speak(text);
      return undefined;
    } catch (error) {
      accountRefused(this.#options.services, this.caller, text);
      throw error;
    }
  }

  /** Lets go of everything without ending it: others go on with it, or it waits for its client. */
  #leave(reason: GatewayError, detached?: Detached): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#prewarms.close();
    this.#openText = "none";
    this.#line.leave(reason);
    const { outbound, hold, onClosed } = this.#options;
    outbound.close();
    if (detached === undefined) hold?.letGo();
    onClosed(detached);
  }

  #toRecord(state: SessionRecord["state"]): SessionRecord {
    const { services } = this.#options;
    const { sessionId, dialect, createdAtMs, epoch: connectionEpoch } = this;
    return { sessionId, dialect, createdAtMs, state, edgeId: services.nodeId, connectionEpoch };
  }

  /** @throws GatewayError `protocol.wrong_state` naming the first option that differs */
  #assertSameOptions(open: Utterance, requested: RequestedOptions): void {
    // The default voice may have become another one since.
    const defaults = { ...this.#options.settings.defaults, voice: open.speech.voice };
    const asked = Object.entries(toSpeechOptions({ ...open.requested, ...requested }, defaults));
    const opened = new Map<string, unknown>(Object.entries(open.speech));
    const differing = asked.find(([key, value]) => !isDeepStrictEqual(value, opened.get(key)));
    if (differing === undefined) return;
    throw new GatewayError(
      "protocol.wrong_state",
      `The open utterance has another ${differing[0]}: options count with its first text. Send stream_end first.`,
      { facts: { option: differing[0] } },
    );
  }

  #openUtterance(): OpenText {
    const open = this.#openText;
    if (typeof open === "object" && !open.isReading) this.#openText = "refused";
    return this.#openText;
  }
}

const nothingOpen = (what: string) =>
  new GatewayError("protocol.wrong_state", `"${what}" needs an open utterance: send a "text" message first.`);
