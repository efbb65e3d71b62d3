import { SpeechError } from "./speech-error.ts";

/** As much of a WebSocket as the client uses: that of browsers, of Node 22, or of the package `ws`. */
export interface SocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number): void;
}

export interface MessageLike {
  readonly data: unknown;
}

export interface CloseLike {
  readonly code: number;
  readonly reason: string;
}

export type WebSocketClass = new (url: string) => SocketLike;

/** @throws SpeechError `client.no_websocket` */
export function findWebSocket(given: WebSocketClass | undefined): WebSocketClass {
  const found = given ?? (globalThis as { readonly WebSocket?: WebSocketClass }).WebSocket;
  if (found !== undefined) return found;
  throw new SpeechError(
    "client.no_websocket",
    "There is no WebSocket here: use Node.js 22 or later, or pass one, such as that of the package ws, as the option webSocket.",
  );
}
