import type { GatewayError } from "@tts-labs/protocol/errors";
import type { ServerMessage } from "@tts-labs/protocol/server-message";
import type { Frame } from "../../delivery/frame.ts";
import type { SlowClientNotice, SpeechEvent } from "../../delivery/speech-event.ts";
import type { DeliveryTally } from "../../delivery/tally.ts";
import type { SessionBroadcast } from "../../listen/session-broadcast.ts";
import { encodeFrame } from "./encode-event.ts";
import type { FrameEncoding } from "./frame-encoding.ts";
import type { ConnectionSink } from "./native-options.ts";

/** A sink around a client's sink: what the client is given is given to the session's listeners, too. */
export class SharingSink implements ConnectionSink {
  readonly #sink: ConnectionSink;
  readonly #broadcast: SessionBroadcast;

  constructor(sink: ConnectionSink, broadcast: SessionBroadcast) {
    this.#sink = sink;
    this.#broadcast = broadcast;
  }

  get frameHeaderBytes(): number {
    return this.#sink.frameHeaderBytes ?? 0;
  }

  get writable(): boolean {
    return this.#sink.writable;
  }

  batch(send: () => void): void {
    this.#sink.batch(send);
  }

  sendFrame(frame: Frame, of: DeliveryTally): void {
    this.#sink.sendFrame(frame, of);
    if (this.#broadcast.isOn) this.#broadcast.frame(frame, of.number, encodeFrame(frame, of.number));
  }

  tell(event: SpeechEvent, of: DeliveryTally): void {
    this.#sink.tell(event, of);
    this.#broadcast.event(event, of.number);
  }

  tellSlow(notice: SlowClientNotice): void {
    this.#sink.tellSlow?.(notice);
  }

  sendMessage(message: ServerMessage): void {
    this.#sink.sendMessage(message);
    if (message.type === "cancelled") this.#broadcast.cancelled(message.utterance);
  }

  /** Listeners get the samples as they are. */
  encodeFrames(encoding: FrameEncoding): void {
    this.#sink.encodeFrames(encoding);
  }

  ping(payload: string): void {
    this.#sink.ping(payload);
  }

  ask(payload: string): void {
    this.#sink.ask(payload);
  }

  refuse(error: GatewayError): void {
    this.#sink.refuse(error);
  }
}
