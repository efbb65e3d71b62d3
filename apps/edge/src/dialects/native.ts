import { GatewayError, toGatewayError } from "@tts-labs/core/errors";
import { newResumeToken, newSessionId } from "@tts-labs/core/ids";
import { MAX_CLIENT_MESSAGE_BYTES, MAX_PROTOCOL_ERRORS } from "@tts-labs/core/limits";
import type { Logger } from "@tts-labs/core/logger";
import { type ClientMessage, parseClientMessage } from "@tts-labs/core/protocol/client-message";
import { toErrorMessage } from "@tts-labs/core/protocol/server-message";
import type { SpeechDefaults } from "@tts-labs/core/protocol/speech-options";
import { AdaptiveFrameSize } from "../delivery/frame-size.ts";
import { Outbound } from "../delivery/outbound.ts";
import { Pacer } from "../delivery/pacing.ts";
import { RoundTrip } from "../delivery/round-trip.ts";
import type { Sink } from "../delivery/sink.ts";
import type { EdgeObserver } from "../edge-observer.ts";
import type { Session } from "../session.ts";
import type { SessionRegistry } from "../session-registry.ts";
import type { NativeQuery } from "./native-query.ts";

/** A sink that is a connection of its own. */
export interface ConnectionSink extends Sink {
  /** Asks the client for a pong with the same payload. */
  ping(payload: string): void;
  /** Tells why, past all that waits, and closes with the code that belongs to the error. May be called twice. */
  refuse(error: GatewayError): void;
}

export interface NativeSettings {
  readonly provider: string;
  readonly defaults: SpeechDefaults;
  readonly frameSamples: number;
  /** Frame sizes follow the round trip where the client says nothing. */
  readonly adaptiveFrames: boolean;
  readonly outboundFrames: number;
  readonly slowClientNoticeMs: number;
  readonly slowClientMs: number;
}

export interface NativeConnectionOptions {
  readonly query: NativeQuery;
  readonly requestId: string;
  readonly sink: ConnectionSink;
  readonly registry: SessionRegistry;
  readonly settings: NativeSettings;
  readonly observer: EdgeObserver;
  readonly logger: Logger;
}

/** What a client got wrong, as against what it could not know: only these are counted against it. */
const MALFORMED: ReadonlySet<string> = new Set([
  "protocol.invalid_json",
  "protocol.invalid_utf8",
  "protocol.invalid_message",
  "protocol.unknown_type",
  "protocol.unexpected_binary",
  "protocol.message_too_large",
]);

/**
 * One connection that speaks the native protocol: translates messages to the session's calls, and its errors
 * to messages. A bad message is answered and the connection goes on, up to `MAX_PROTOCOL_ERRORS` of them.
 */
export class NativeConnection {
  readonly #options: NativeConnectionOptions;
  readonly #outbound: Outbound;
  readonly #session: Session;
  readonly #roundTrip: RoundTrip | undefined;
  #malformed = 0;
  #closed = false;

  /** Says `connected`. @throws GatewayError when no session may be opened */
  constructor(options: NativeConnectionOptions) {
    this.#options = options;
    const { query, requestId, sink, registry, settings, observer } = options;
    const frameSamples = query.frame_samples ?? settings.frameSamples;
    const adaptive =
      query.adaptive === undefined
        ? settings.adaptiveFrames && query.frame_samples === undefined
        : query.adaptive === "true";
    const frameSize = new AdaptiveFrameSize(frameSamples);
    const { sampleRateHz, model, voice } = settings.defaults;
    this.#outbound = new Outbound({
      ...{ sink, observer, maxFrames: settings.outboundFrames, overflow: query.overflow },
      ...(query.delivery === "paced" ? { pacer: new Pacer({ sampleRateHz, frameSize }) } : {}),
      slowClient: { noticeAfterMs: settings.slowClientNoticeMs, cutAfterMs: settings.slowClientMs },
      onOverflow: (error) => this.#session.disconnect(error),
    });
    this.#session = registry.open({
      ...{ sessionId: query.session_id ?? newSessionId(), requestId, dialect: "native", frameSize },
      outbound: this.#outbound,
      disconnect: (reason) => this.#disconnect(reason),
    });
    this.#outbound.now({
      ...{ type: "connected", protocol: 1, session_id: this.#session.sessionId },
      ...{ resume_token: newResumeToken(), provider: settings.provider, model, voice },
      ...{ sample_rate: sampleRateHz, frame_samples: frameSamples, adaptive_frames: adaptive },
      ...{ delivery: query.delivery, overflow: query.overflow, request_id: requestId },
      ...{ resumed: false, utterances: [] },
    });
    if (!adaptive) return;
    this.#roundTrip = new RoundTrip({
      ping: (payload) => sink.ping(payload),
      onMeasured: (roundTripMs) => frameSize.measured(roundTripMs),
    });
  }

  /** `bytes` belong to the caller again once this returns. */
  onMessage(bytes: Uint8Array, isBinary: boolean): void {
    if (this.#closed) return;
    try {
      this.#obey(parseMessage(bytes, isBinary));
    } catch (error) {
      this.#tell(toGatewayError(error));
    }
  }

  /** The client answers a ping. */
  onPong(payload: string): void {
    this.#roundTrip?.onPong(payload);
  }

  /** The socket takes more again. */
  onDrain(): void {
    this.#outbound.resume();
  }

  /** The client has gone. May be called twice. */
  onClosed(): void {
    this.#closed = true;
    this.#roundTrip?.close();
    this.#session.close(new GatewayError("cancelled.client_gone"));
  }

  #obey(message: ClientMessage): void {
    const session = this.#session;
    switch (message.type) {
      case "text": {
        const { type: _, text, ...requested } = message;
        const opened = session.text(text, requested);
        if (opened === undefined) return;
        this.#outbound.now({
          ...{ type: "utterance_started", utterance_id: opened.utteranceId, utterance: opened.tally.number },
          ...{ voice: opened.speech.voice, model: opened.speech.model },
        });
        return;
      }
      case "flush":
        session.flush();
        return;
      case "stream_end":
        session.endText();
        return;
      case "cancel":
        for (const { utteranceId, tally, playedSamples } of session.cancel(message.utterance_id)) {
          this.#outbound.now({
            ...{ type: "cancelled", utterance_id: utteranceId, utterance: tally.number },
            ...{ sent_samples: tally.sentSamples, played_samples: playedSamples },
          });
        }
        return;
      case "played":
        session.played(message.utterance_id, message.samples);
        return;
      case "prewarm": {
        const { type: _, ...requested } = message;
        session.prewarm(requested);
        return;
      }
      case "ping":
        this.#outbound.now({ type: "pong", ...(message.t === undefined ? {} : { t: message.t }) });
        return;
      case "resume":
        throw new GatewayError(
          "session.unknown",
          "There is no session to resume: this edge does not keep sessions whose connection has ended.",
        );
    }
  }

  #tell(error: GatewayError): void {
    const { observer, logger, requestId } = this.#options;
    observer.errorTold(error.code);
    if (error.code === "internal") logger.error({ err: error.cause, requestId }, "a message failed");
    this.#outbound.now(toErrorMessage(error));
    if (!MALFORMED.has(error.code)) return;
    this.#malformed++;
    if (this.#malformed < MAX_PROTOCOL_ERRORS) return;
    this.#session.disconnect(
      new GatewayError("protocol.too_many_errors", undefined, { facts: { limit: MAX_PROTOCOL_ERRORS } }),
    );
  }

  #disconnect(reason: GatewayError): void {
    if (this.#closed) return;
    this.#closed = true;
    const { sink, observer, logger, requestId } = this.#options;
    observer.errorTold(reason.code);
    logger.info({ requestId, sessionId: this.#session.sessionId, code: reason.code }, "session disconnected");
    sink.refuse(reason);
  }
}

function parseMessage(bytes: Uint8Array, isBinary: boolean): ClientMessage {
  if (isBinary) throw new GatewayError("protocol.unexpected_binary");
  if (bytes.byteLength > MAX_CLIENT_MESSAGE_BYTES) {
    throw new GatewayError(
      "protocol.message_too_large",
      `The message has ${bytes.byteLength} bytes, at most ${MAX_CLIENT_MESSAGE_BYTES} are taken.`,
      { facts: { limit: MAX_CLIENT_MESSAGE_BYTES } },
    );
  }
  return parseClientMessage(bytes);
}
