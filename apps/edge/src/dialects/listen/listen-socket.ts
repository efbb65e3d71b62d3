import type { WebSocket } from "uWebSockets.js";
import { tagOfToken } from "@tts-labs/core/broadcast/broadcast-keys";
import { toErrorBody } from "@tts-labs/protocol/error-body";
import { GatewayError, toCloseCode } from "@tts-labs/protocol/errors";
import { encodeListenMessage, type ListenMessage } from "@tts-labs/protocol/listen-message";
import { ClientSocket, type ClientSocketLimits } from "../../http/client-socket.ts";
import type { SocketData, SocketRoute } from "../../http/sockets.ts";
import type { Ears } from "../../listen/ears.ts";
import { type Ear, Listener } from "../../listen/listener.ts";
import { cutFrame } from "../native/frame-encoding.ts";
import { parseListenQuery } from "./query.ts";

export const LISTEN_PATH = "/api/v1/listen";

/** A listener sends nothing; what is longer is cut by uWS. */
const MAX_PAYLOAD_BYTES = 1_024;

export interface ListenServices {
  readonly ears: Ears;
  readonly errorTold: (error: GatewayError) => void;
}

/** @param tag of the broadcast */
export const topicOf = (tag: string): string => `listen:${tag}`;

/** `WS /api/v1/listen`: any number of listeners for what a session speaks. */
export const listenRoute = ({ ears, errorTold }: ListenServices): SocketRoute => ({
  path: LISTEN_PATH,
  maxPayloadBytes: MAX_PAYLOAD_BYTES,
  hasOwnCredentials: true,
  admit: ({ query: given, requestId }) => {
    const query = parseListenQuery(given);
    ears.admit();
    return {
      protocol: "",
      open: (socket, limits) => {
        const tag = tagOfToken(query.token) ?? "";
        const ear = new SocketEar(socket, limits, topicOf(tag), errorTold);
        const listener = new Listener({ ...query, tag, requestId, ear, cutFrame });
        void ears.join(listener);
        const handler = {
          onMessage: () => listener.refuse(new GatewayError("protocol.wrong_state", LISTENS_ONLY)),
          onPing: () => {},
          onPong: () => {},
          onDrain: () => ears.drained(listener),
          onClosed: () => ears.left(listener),
        };
        return { client: ear, handler };
      },
    };
  },
});

const LISTENS_ONLY = "A listener only listens: it sends nothing.";

class SocketEar implements Ear {
  readonly #socket: WebSocket<SocketData>;
  readonly #client: ClientSocket<SocketData>;
  readonly #topic: string;
  readonly #errorTold: (error: GatewayError) => void;
  #isOpen = true;

  constructor(
    socket: WebSocket<SocketData>,
    limits: ClientSocketLimits,
    topic: string,
    errorTold: (error: GatewayError) => void,
  ) {
    this.#socket = socket;
    this.#client = new ClientSocket(socket, limits);
    this.#topic = topic;
    this.#errorTold = errorTold;
  }

  get bufferedBytes(): number {
    return this.#client.bufferedBytes;
  }

  send(body: Uint8Array, isBinary: boolean): void {
    this.#client.send(body, isBinary);
  }

  tell(message: ListenMessage): void {
    this.#client.send(encodeListenMessage(message), false);
  }

  follow(): void {
    if (this.#isOpen) this.#socket.subscribe(this.#topic);
  }

  refuse(error: GatewayError): void {
    if (!this.#isOpen) return;
    this.#errorTold(error);
    if (this.#client.canEnd) this.tell({ type: "error", ...toErrorBody(error) });
    this.#close(toCloseCode(error), error.code);
  }

  end(): void {
    this.#close(1_000, "session ended");
  }

  onDrain(): void {
    this.#client.onDrain();
  }

  onClosed(): void {
    this.#isOpen = false;
    this.#client.onClosed();
  }

  /** This waits: the socket may be corked, and must not die inside its own cork. */
  #close(code: number, reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    queueMicrotask(() => this.#client.close(code, reason));
  }
}
