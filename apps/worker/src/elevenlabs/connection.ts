import type { IncomingMessage } from "node:http";
import type { GatewayError } from "@tts-labs/protocol/errors";
import { type ClientOptions, WebSocket } from "ws";
import { toConnectError, toSocketError, toUpgradeError } from "./errors/provider-error.ts";
import { withoutSecret } from "./errors/provider-reason.ts";
import { connectUrl, type Route } from "./route.ts";

/** What a connection tells its owner, in this order: refused or opened, heard …, failed, closed. */
export interface ConnectionEvents {
  opened(trace: ConnectionTrace): void;
  message(data: Buffer, binary: boolean): void;
  pong(): void;
  /** It can't be opened, or not be used any more. `closed` follows. */
  failed(error: GatewayError): void;
  /** The socket is gone. Told once, after it nothing. */
  closed(code: number, reason: string): void;
}

/** The provider's own names for a connection, for the logs: absent where it gives none. */
export interface ConnectionTrace {
  readonly traceId?: string;
  readonly region?: string;
}

export interface ConnectionOptions {
  readonly apiKey: string | undefined;
  readonly connectMs: number;
  /** Longest wait for the other side's part of a closing handshake. */
  readonly closeWaitMs: number;
}

/** Largest message accepted; seconds of audio in one message have been seen (docs/elevenlabs.md 1.4). */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** Characters of a refusal's body that are read. */
const MAX_REFUSAL_BYTES = 16 * 1024;

/** A WebSocket to the provider: the wire and nothing else. No other file knows of `ws`. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #events: ConnectionEvents;
  #opened = false;
  #trace: ConnectionTrace = {};

  /** Begins to connect at once. */
  constructor(route: Route, options: ConnectionOptions, events: ConnectionEvents) {
    this.#events = events;
    const settings: ClientOptions & { readonly closeTimeout: number } = {
      headers: options.apiKey === undefined ? {} : { "xi-api-key": options.apiKey },
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: options.connectMs,
      closeTimeout: options.closeWaitMs,
    };
    this.#socket = new WebSocket(connectUrl(route), settings);
    this.#socket
      .on("upgrade", (response) => {
        this.#trace = traceOf(response);
      })
      .on("open", () => {
        this.#opened = true;
        events.opened(this.#trace);
      })
      .on("unexpected-response", (_request, response) => this.#readRefusal(response, options.apiKey))
      .on("message", (data, binary) => events.message(data as Buffer, binary))
      .on("pong", () => events.pong())
      .on("error", (error) => events.failed(this.#opened ? toSocketError(error) : toConnectError(error)))
      .on("close", (code, reason) => events.closed(code, withoutSecret(reason.toString(), options.apiKey)));
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Ignored once the socket is closing: then its end is on the way. */
  send(message: string): void {
    if (this.isOpen) this.#socket.send(message);
  }

  ping(): void {
    if (this.isOpen) this.#socket.ping();
  }

  /** Stops reading, down to TCP. Messages of a read already made still come. */
  pause(): void {
    if (this.#opened) this.#socket.pause();
  }

  resume(): void {
    if (this.#opened) this.#socket.resume();
  }

  /** Says goodbye; `closed` follows when the other side has answered, or not in time. */
  close(): void {
    if (this.#opened) {
      // The answer is behind whatever has not been read yet.
      this.#socket.resume();
      this.#socket.close(1000);
    } else this.#socket.terminate();
  }

  /** Tears the socket down. */
  terminate(): void {
    this.#socket.terminate();
  }

  /** The body says more than the status. Its reading is bounded in bytes here, in time by the connect deadline. */
  #readRefusal(response: IncomingMessage, apiKey: string | undefined): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const refuse = () => {
      const body = withoutSecret(Buffer.concat(chunks).toString("utf8"), apiKey);
      this.#events.failed(toUpgradeError(response.statusCode ?? 0, body, response.headers["retry-after"]));
    };
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes >= MAX_REFUSAL_BYTES) refuse();
    });
    response.on("end", refuse);
    response.on("error", refuse);
  }
}

function traceOf({ headers }: IncomingMessage): ConnectionTrace {
  const traceId = headers["x-trace-id"];
  const region = headers["x-region"];
  return {
    ...(typeof traceId === "string" ? { traceId } : {}),
    ...(typeof region === "string" ? { region } : {}),
  };
}
