import { AUDIO_FRAME_HEADER_BYTES } from "@tts-labs/protocol/audio-frame";
import { type GatewayError, toCloseCode } from "@tts-labs/protocol/errors";
import { encodeServerMessage, type ServerMessage, toErrorMessage } from "@tts-labs/protocol/server-message";
import type { Frame } from "../../delivery/frame.ts";
import type { Sink } from "../../delivery/sink.ts";
import type { SlowClientNotice, SpeechEvent } from "../../delivery/speech-event.ts";
import { ClientSocket } from "../../http/client-socket.ts";
import { encodeEvent, encodeSlowClient, type NamedUtterance } from "./encode-event.ts";
import { encodeFrameAs, type FrameEncoding, PLAIN_FRAMES } from "./frame-encoding.ts";

/** A client's WebSocket that speaks the native protocol; after a dropped message its client may come back. */
export class SocketSink<UserData> extends ClientSocket<UserData> implements Sink {
  readonly frameHeaderBytes = AUDIO_FRAME_HEADER_BYTES;
  #encoding: FrameEncoding = PLAIN_FRAMES;

  encodeFrames(encoding: FrameEncoding): void {
    this.#encoding = encoding;
  }

  sendFrame(frame: Frame, of: NamedUtterance): void {
    this.send(encodeFrameAs(frame, of.number, this.#encoding), true);
  }

  tell(event: SpeechEvent, of: NamedUtterance): void {
    this.sendMessage(encodeEvent(event, of));
  }

  tellSlow(notice: SlowClientNotice): void {
    this.sendMessage(encodeSlowClient(notice));
  }

  sendMessage(message: ServerMessage): void {
    this.send(encodeServerMessage(message), false);
  }

  /** Tells why there will be no session, and closes. */
  refuse(error: GatewayError): void {
    if (this.canEnd) this.batch(() => this.sendMessage(toErrorMessage(error)));
    this.close(toCloseCode(error), error.code);
  }
}
