import { newSessionId } from "@tts-labs/core/ids";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { RequestedOptions } from "@tts-labs/protocol/speech-options";
import { type Caller, scopedId } from "../../../access/caller.ts";
import type { Intake } from "../../../budget/intake.ts";
import { EncodingSink } from "../../../delivery/encoders/encoding-sink.ts";
import { Outbound } from "../../../delivery/outbound.ts";
import type { Session } from "../../../session/session.ts";
import type { SpeechRequestServices } from "../../one-utterance.ts";
import { ContextSink, toFinalMessage } from "./context-sink.ts";
import type { JsonSocket } from "./json-socket.ts";
import { assertSameSettings, type SocketMessage } from "./socket-message.ts";
import type { SocketQuery } from "./socket-query.ts";

/** Characters from which on `try_trigger_generation` has an effect. */
const TRIGGER_CHARACTERS = 50;

export interface ContextOptions {
  /** Absent on the socket that has but one. */
  readonly contextId: string | undefined;
  readonly requestId: string;
  readonly caller: Caller;
  readonly query: SocketQuery;
  readonly alignmentBase: "context" | "segment";
  readonly opening: SocketMessage;
  readonly socket: JsonSocket;
  readonly services: Pick<SpeechRequestServices, "registry" | "settings" | "observer" | "encoders">;
  readonly intake: Pick<Intake, "opened">;
  /** Its final message, or its error, has been sent, or will be told by the caller. Called once. */
  readonly onOver: (error: GatewayError | undefined) => void;
  /** The connection has to end: its client does not read, or the edge goes away. */
  readonly onDisconnect: (reason: GatewayError) => void;
  /** Nothing has come for it within the inactivity timeout. */
  readonly onIdle: () => void;
}

/**
 * One text that is spoken as it comes: a session of one utterance.
 *
 *   open ──end of text──▶ ending ──all sent──▶ over
 *     └──────cancel, error, connection gone──────▲
 */
export class SpeechContext {
  readonly #options: ContextOptions;
  readonly #requested: RequestedOptions;
  readonly #encoding: EncodingSink;
  readonly #outbound: Outbound;
  readonly #session: Session;
  #state: "open" | "ending" | "over" = "open";
  #hasText = false;
  /** Characters since the last flush. */
  #unflushed = 0;
  #hasFlushed = false;
  #idle: NodeJS.Timeout | undefined;

  /** @throws GatewayError `capacity.*`, `draining` */
  constructor(options: ContextOptions) {
    this.#options = options;
    const { contextId, query, alignmentBase, opening, socket, services } = options;
    const { registry, settings, observer, encoders } = services;
    const { voice_settings, chunk_length_schedule, pronunciation_dictionaries } = opening.options;
    this.#requested = {
      ...query.requested,
      ...(voice_settings === undefined ? {} : { voice_settings }),
      ...(chunk_length_schedule === undefined ? {} : { chunk_length_schedule }),
      ...(pronunciation_dictionaries === undefined ? {} : { pronunciation_dictionaries }),
    };
    const { format, fromHz } = query.spoken;
    this.#encoding = new EncodingSink({
      sink: new ContextSink({
        socket,
        contextId,
        fromHz,
        alignmentBase,
        onEnded: (error) => this.#end(error),
      }),
      format,
      fromHz,
      encoders,
      onWritable: () => this.#outbound.resume(),
      onFailed: (error) => this.#end(error),
    });
    this.#outbound = new Outbound({
      sink: this.#encoding,
      observer,
      maxFrames: settings.outboundFrames,
      overflow: "wait",
      slowClient: { noticeAfterMs: settings.slowClientNoticeMs, cutAfterMs: settings.slowClientMs },
      onOverflow: (error) => this.#session.disconnect(error),
    });
    this.#session = registry.open({
      sessionId: scopedId(options.caller, newSessionId()),
      caller: options.caller,
      requestId: options.requestId,
      dialect: "elevenlabs",
      outbound: this.#outbound,
      sentenceCache: false,
      frameSize: { samples: settings.frameSamples },
      sampleRateHz: fromHz,
      disconnect: (reason) => options.onDisconnect(reason),
    });
    this.#restartIdle();
  }

  /** Its text is complete, and its final message has not been sent. */
  get isEnding(): boolean {
    return this.#state === "ending";
  }

  get mustWait(): boolean {
    return this.#session.mustWait;
  }

  /** Text and flushes of one message. @throws GatewayError as `Session.text`, `protocol.wrong_state` */
  take(message: SocketMessage): void {
    if (this.#state !== "open") return;
    if (message !== this.#options.opening) {
      assertSameSettings(this.#options.opening.written, message.written);
    }
    this.#restartIdle();
    this.#speak(message.text ?? "");
    const isTriggered = message.tryTrigger && this.#unflushed >= TRIGGER_CHARACTERS;
    if (message.flush || isTriggered) this.#flush();
  }

  /** No more text follows: what there is is spoken to its end. */
  endText(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    clearTimeout(this.#idle);
    if (this.#hasText) this.#session.endText();
    else this.#finish();
  }

  /**
   * As the real one ends a context: text that was neither flushed nor is spoken by itself is dropped, where all of the
   * text is such.
   */
  close(): void {
    const isDropped = !this.#hasFlushed && !this.#options.query.autoMode && this.#unflushed > 0;
    if (this.#state === "open" && isDropped) this.cancel();
    else this.endText();
  }

  /** The client wants no more of it: its provider is stopped, and its final message is sent. May be called twice. */
  cancel(): void {
    if (this.#state === "over") return;
    if (this.#session.unfinished > 0) this.#session.cancel(undefined);
    this.#encoding.close();
    this.#finish();
  }

  /** The socket takes more again. */
  resume(): void {
    this.#outbound.resume();
  }

  /** Lets everything go, and says nothing. May be called twice. */
  drop(): void {
    this.#state = "over";
    clearTimeout(this.#idle);
    this.#encoding.close();
    this.#session.close(new GatewayError("cancelled.client_gone"));
  }

  #speak(text: string): void {
    // Space before the first word makes no sound: the opening message has one.
    if (!this.#hasText && text.trim() === "") return;
    const opened = this.#session.text(text, this.#requested);
    if (opened !== undefined) this.#options.intake.opened();
    this.#hasText = true;
    this.#unflushed += text.length;
  }

  #flush(): void {
    if (!this.#hasText || this.#unflushed === 0) return;
    this.#session.flush();
    this.#unflushed = 0;
    this.#hasFlushed = true;
  }

  /** All of its audio has been sent. */
  #end(error: GatewayError | undefined): void {
    if (this.#state === "over") return;
    if (error === undefined) this.#finish();
    else this.#over(error);
  }

  #finish(): void {
    const { socket, contextId } = this.#options;
    socket.send(toFinalMessage(contextId));
    this.#over(undefined);
  }

  #over(error: GatewayError | undefined): void {
    this.#state = "over";
    clearTimeout(this.#idle);
    // This waits: the utterance is being ended by its session just now.
    queueMicrotask(() => this.#session.close(new GatewayError("cancelled.client_gone")));
    this.#options.onOver(error);
  }

  #restartIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#options.onIdle(), this.#options.query.inactivityS * 1_000);
  }
}

/** What a client is told that has sent nothing for so long. */
export const idleError = (seconds: number): GatewayError =>
  new GatewayError(
    "session.idle",
    `Have not received a new text input within the timeout of ${seconds.toFixed(1)} seconds. Streaming input terminated. Please make sure to send text in time.`,
  );
