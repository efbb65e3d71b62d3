import type { ClientMessage } from "@tts-labs/protocol/wire-types";
import { type AccessToken, askForToken } from "./access-token.ts";
import {
  Connection,
  type ConnectionListener,
  type ConnectionTimes,
  parseServerMessage,
  SEE_YOU,
} from "./connection.ts";
import { withResolvers } from "./deferred.ts";
import { fromClose, fromErrorMessage, SpeechError } from "./speech-error.ts";
import { type CloseLike, findWebSocket, type MessageLike, type WebSocketClass } from "./web-socket.ts";

export interface OpeningOptions {
  /** Gives the first message, asked for when the socket is open and not before. */
  readonly opening?: (() => ClientMessage) | undefined;
  readonly signal?: AbortSignal;
  /** Instead of the global one. */
  readonly webSocket?: WebSocketClass | undefined;
  /** Shown in the first message, where the server asks for credentials. */
  readonly token?: AccessToken | undefined;
}

/**
 * Connects, with the global WebSocket of browsers and of Node 22 unless another is given, and waits for the server's greeting.
 * @throws SpeechError `client.no_websocket`, `client.connect_failed`, `client.connect_timeout`, or what the server
 *   closed with
 */
export async function openConnection(
  url: URL,
  times: ConnectionTimes,
  listener: ConnectionListener,
  { opening, signal, webSocket, token }: OpeningOptions = {},
): Promise<Connection> {
  // Before there is a socket, which the server keeps for 5 s without its first message.
  const shown = token === undefined ? undefined : await askForToken(token, times.connectTimeoutMs, signal);
  const { promise, resolve, reject } = withResolvers<Connection>();
  const socket = new (findWebSocket(webSocket))(url.href);
  socket.binaryType = "arraybuffer";
  let refusal: SpeechError | undefined;
  const timer = setTimeout(() => fail(new SpeechError("client.connect_timeout")), times.connectTimeoutMs);
  const onAbort = () => fail(new SpeechError("client.closed"));
  const settle = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  signal?.addEventListener("abort", onAbort);
  const fail = (error: SpeechError) => {
    settle();
    socket.onerror = () => {};
    socket.onmessage = null;
    socket.onclose = null;
    socket.close(SEE_YOU);
    reject(error);
  };
  const say = (message: ClientMessage) => socket.send(JSON.stringify(message));
  if (opening !== undefined || shown !== undefined) {
    socket.onopen = () => {
      if (shown !== undefined) say({ type: "authenticate", token: shown });
      if (opening !== undefined) say(opening());
    };
  }
  // Browsers tell nothing about why, and follow with a close at once; Node 22 leaves it at the error.
  socket.onerror = () => setTimeout(() => fail(new SpeechError("client.connect_failed")), 0);
  socket.onclose = ({ code, reason }: CloseLike) => {
    const byCode = fromClose(code, reason);
    const unknown = byCode.code === "client.disconnected";
    fail(
      refusal ??
        (unknown ? new SpeechError("client.connect_failed", undefined, { facts: byCode.facts }) : byCode),
    );
  };
  socket.onmessage = ({ data }: MessageLike) => {
    try {
      const message = parseServerMessage(data);
      if (message.type === "connected") {
        settle();
        socket.onerror = () => {};
        const connection = new Connection(socket, message, times, listener);
        listener.onOpen(connection);
        resolve(connection);
      } else if (message.type === "error") refusal = fromErrorMessage(message);
    } catch (cause) {
      fail(new SpeechError("client.not_understood", undefined, { cause }));
    }
  };
  return promise;
}
