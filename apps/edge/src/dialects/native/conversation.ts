import type { Logger } from "@tts-labs/core/logger";
import {
  type ClientMessage,
  type PrewarmMessage,
  parseClientMessage,
} from "@tts-labs/protocol/client-message";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { MAX_CLIENT_MESSAGE_BYTES, MAX_PROTOCOL_ERRORS } from "@tts-labs/protocol/limits";
import { type ServerMessage, toErrorMessage } from "@tts-labs/protocol/server-message";
import type { Intake } from "../../budget/intake.ts";
import type { EdgeObserver } from "../../edge-observer.ts";
import type { Session } from "../../session/session.ts";
import { encodeCancelled } from "./encode-event.ts";

/** What a client got wrong, as against what it could not know: only these are counted against it. */
const MALFORMED: ReadonlySet<string> = new Set([
  "protocol.invalid_json",
  "protocol.invalid_utf8",
  "protocol.invalid_message",
  "protocol.unknown_type",
  "protocol.unexpected_binary",
  "protocol.message_too_large",
]);

export interface NativeConversationOptions {
  readonly session: Session;
  /** Past the speech that waits. */
  readonly send: (message: ServerMessage) => void;
  /** Charged for what a message turns out to ask for. */
  readonly intake: Pick<Intake, "opened" | "failed" | "assertPrewarm">;
  /** Mints a token for listeners. @throws GatewayError `capacity.too_many_listeners`, `storage.*` */
  readonly share: () => Promise<string>;
  readonly requestId: string;
  readonly observer: EdgeObserver;
  readonly logger: Logger;
}

/**
 * Translates a client's messages to its session's calls, and their errors to messages. A bad message is answered
 * and the connection goes on, up to `MAX_PROTOCOL_ERRORS` of them.
 */
export class NativeConversation {
  readonly #options: NativeConversationOptions;
  #malformed = 0;
  #isSharing = false;

  constructor(options: NativeConversationOptions) {
    this.#options = options;
  }

  take(message: ClientMessage | GatewayError): void {
    try {
      if (message instanceof GatewayError) throw message;
      this.#obey(message);
    } catch (error) {
      this.#tell(toGatewayError(error));
    }
  }

  #obey(message: ClientMessage): void {
    const { session, send, intake } = this.#options;
    switch (message.type) {
      case "text": {
        const { type: _, text, end, ...requested } = message;
        const opened = session.text(text, requested, end);
        if (opened === undefined) return;
        intake.opened();
        send({
          type: "utterance_started",
          utterance_id: opened.utteranceId,
          utterance: opened.tally.number,
          voice: opened.speech.voice,
          model: opened.speech.model,
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
        for (const { utterance, heard } of session.cancel(message.utterance_id)) {
          send(encodeCancelled({ utterance: utterance.tally, heard }));
        }
        return;
      case "played":
        session.played(message.utterance_id, message.samples);
        return;
      case "prewarm": {
        void this.#prewarm(message);
        return;
      }
      case "share":
        void this.#share();
        return;
      case "ping":
        send({ type: "pong", ...(message.t === undefined ? {} : { t: message.t }) });
        return;
      case "authenticate":
        throw new GatewayError("protocol.wrong_state", "This connection is authenticated already.");
      case "resume":
        throw new GatewayError(
          "protocol.wrong_state",
          "This connection has its session: resume on a new one, opened with resume=true.",
        );
    }
  }

  async #prewarm({ type: _, prewarm_id, ...requested }: PrewarmMessage): Promise<void> {
    const named = prewarm_id === undefined ? {} : { prewarm_id };
    try {
      this.#options.intake.assertPrewarm();
      const { voice, model, connectMs } = await this.#options.session.prewarm(requested);
      this.#options.send({ type: "prewarmed", ...named, voice, model, connect_ms: connectMs });
    } catch (cause) {
      const error = toGatewayError(cause);
      if (error.code !== "cancelled.client_gone") this.#tell(error.withFacts(named));
    }
  }

  /** Never rejects. */
  async #share(): Promise<void> {
    const { share, send } = this.#options;
    try {
      if (this.#isSharing) throw new GatewayError("capacity.rate_limited", "One `share` at a time.");
      this.#isSharing = true;
      send({ type: "shared", listener_token: await share() });
    } catch (error) {
      this.#tell(toGatewayError(error));
    } finally {
      this.#isSharing = false;
    }
  }

  #tell(error: GatewayError): void {
    const { session, send, intake, observer, logger, requestId } = this.#options;
    intake.failed();
    observer.errorTold(error.code);
    if (error.code === "internal") logger.error({ err: error.cause, requestId }, "a message failed");
    send(toErrorMessage(error));
    if (!MALFORMED.has(error.code)) return;
    this.#malformed++;
    if (this.#malformed < MAX_PROTOCOL_ERRORS) return;
    session.disconnect(
      new GatewayError("protocol.too_many_errors", undefined, { facts: { limit: MAX_PROTOCOL_ERRORS } }),
    );
  }
}

/** The message, or what is wrong with it. `bytes` belong to the caller again once this returns. */
export function readMessage(bytes: Uint8Array, isBinary: boolean): ClientMessage | GatewayError {
  try {
    return parseMessage(bytes, isBinary);
  } catch (error) {
    return toGatewayError(error);
  }
}

function parseMessage(bytes: Uint8Array, isBinary: boolean): ClientMessage {
  if (isBinary) throw new GatewayError("protocol.unexpected_binary");
  if (bytes.byteLength > MAX_CLIENT_MESSAGE_BYTES) {
    throw new GatewayError(
      "protocol.message_too_large",
      `The message is longer than the ${MAX_CLIENT_MESSAGE_BYTES} bytes that are taken.`,
      { facts: { limit: MAX_CLIENT_MESSAGE_BYTES } },
    );
  }
  return parseClientMessage(bytes);
}
