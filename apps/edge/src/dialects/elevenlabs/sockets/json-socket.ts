import type { GatewayError } from "@tts-labs/protocol/errors";
import type { ClientSocket } from "../../../http/client-socket.ts";
import type { SocketData } from "../../../http/sockets.ts";
import { toCloseReason, toSocketError } from "../wire/errors.ts";

/** Close code of all errors of ElevenLabs'. */
const REFUSED = 1_008;

/** A client's WebSocket that carries JSON messages alone. */
export class JsonSocket {
  readonly #client: ClientSocket<SocketData>;

  constructor(client: ClientSocket<SocketData>) {
    this.#client = client;
  }

  get writable(): boolean {
    return this.#client.writable;
  }

  batch(send: () => void): void {
    this.#client.batch(send);
  }

  send(message: object): void {
    this.#client.send(JSON.stringify(message), false);
  }

  /** Tells why, and closes. May be called twice. */
  refuse(error: GatewayError): void {
    if (this.#client.canEnd) this.batch(() => this.send(toSocketError(error)));
    this.#client.close(REFUSED, toCloseReason(error.message));
  }

  /** All has been said. May be called twice. */
  finish(): void {
    this.#client.close(1_000, "");
  }
}
