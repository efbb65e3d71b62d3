import type { ServerMessage } from "@tts-labs/core/protocol/server-message";
import type { Frame } from "./frame.ts";

/** Where an outbound ends: a WebSocket, or the response of an HTTP request. */
export interface Sink {
  /** Takes more now. After it was false, whoever owns the sink calls `Outbound.resume` once it is true again. */
  readonly writable: boolean;
  /** Runs `send`, so that all it sends leaves together. */
  batch(send: () => void): void;
  sendFrame(frame: Frame): void;
  sendMessage(message: ServerMessage): void;
}
