import type { WebSocket } from "uWebSockets.js";
import { AUDIO_FRAME_HEADER_BYTES } from "@tts-labs/protocol/audio-frame";
import { type GatewayError, toCloseCode } from "@tts-labs/protocol/errors";
import { encodeServerMessage, type ServerMessage, toErrorMessage } from "@tts-labs/protocol/server-message";
import type { Frame } from "../../delivery/frame.ts";
import type { Sink } from "../../delivery/sink.ts";
import type { SlowClientNotice, SpeechEvent } from "../../delivery/speech-event.ts";
import { encodeEvent, encodeFrame, encodeSlowClient, type NamedUtterance } from "./encode-event.ts";

/** uWebSockets.js returns this from `send` when it has dropped the message (docs/ground.md, uWebSockets.js). */
const DROPPED = 2;

/**
 * A client's WebSocket. Any call on a closed socket throws, so every one asks first. A dropped message would
 * be an unreported gap: it ends the connection, and the client may come back.
 */
export class SocketSink<UserData> implements Sink {
  readonly frameHeaderBytes = AUDIO_FRAME_HEADER_BYTES;
  readonly #socket: WebSocket<UserData>;
  readonly #highWaterBytes: number;
  readonly #closeFrameBytes: number;
  /** "broken": uWS dropped a message; nothing more is sent, and the socket closes after this tick. */
  #state: "open" | "broken" | "closed" = "open";

  /** `closeFrameBytes`: buffered bytes up to which a close frame still goes behind them, below uWS' own bound. */
  constructor(
    socket: WebSocket<UserData>,
    options: { readonly highWaterBytes: number; readonly closeFrameBytes: number },
  ) {
    this.#socket = socket;
    this.#highWaterBytes = options.highWaterBytes;
    this.#closeFrameBytes = options.closeFrameBytes;
  }

  get bufferedBytes(): number {
    return this.#state === "closed" ? 0 : this.#socket.getBufferedAmount();
  }

  get writable(): boolean {
    return this.#state === "open" && this.#socket.getBufferedAmount() < this.#highWaterBytes;
  }

  batch(send: () => void): void {
    if (this.#state === "open") this.#socket.cork(send);
  }

  sendFrame(frame: Frame, of: NamedUtterance): void {
    this.#send(encodeFrame(frame, of.number), true);
  }

  tell(event: SpeechEvent, of: NamedUtterance): void {
    this.sendMessage(encodeEvent(event, of));
  }

  tellSlow(notice: SlowClientNotice): void {
    this.sendMessage(encodeSlowClient(notice));
  }

  sendMessage(message: ServerMessage): void {
    this.#send(encodeServerMessage(message), false);
  }

  /** Beyond the high-water mark none is sent: the next one will do. */
  ping(payload: string): void {
    if (this.writable) this.#socket.ping(payload);
  }

  /** A few bytes behind what is buffered, which uWS' own bound has room for. */
  ask(payload: string): void {
    if (this.#state === "open") this.#socket.ping(payload);
  }

  /**
   * Ends the connection with a close frame, behind what is buffered: a client that reads again learns why. One
   * that never does is let go by the idle timeout. Near uWS' own bound without one, since there uWS would drop the
   * frame and half-close (docs/ground.md, uWebSockets.js). May be called twice.
   */
  close(code: number, reason: string): void {
    if (this.#state === "closed") return;
    const canEnd = this.#canEnd;
    this.#state = "closed";
    if (canEnd) this.#socket.end(code, reason);
    else this.#socket.close();
  }

  /** Tells why there will be no session, and closes. */
  refuse(error: GatewayError): void {
    if (this.#canEnd) this.batch(() => this.sendMessage(toErrorMessage(error)));
    this.close(toCloseCode(error), error.code);
  }

  /** uWS has closed the socket: it must not be touched again. */
  onClosed(): void {
    this.#state = "closed";
  }

  get #canEnd(): boolean {
    return this.#state === "open" && this.bufferedBytes <= this.#closeFrameBytes;
  }

  #send(data: string | Uint8Array, isBinary: boolean): void {
    if (this.#state !== "open") return;
    if (this.#socket.send(data, isBinary, false) !== DROPPED) return;
    this.#state = "broken";
    // This waits: the socket may be corked, and must not die inside its own cork.
    queueMicrotask(() => this.close(1006, ""));
  }
}
