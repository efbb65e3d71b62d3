import type { WebSocket } from "uWebSockets.js";

/** uWebSockets.js returns this from `send` when it has dropped the message (docs/ground.md, uWebSockets.js). */
const DROPPED = 2;

export interface ClientSocketLimits {
  /** Buffered bytes from which on the socket takes no more. */
  readonly highWaterBytes: number;
  /** Buffered bytes up to which a close frame still goes behind them, below uWS' own bound. */
  readonly closeFrameBytes: number;
}

/**
 * A client's WebSocket, whatever the dialect. Any call on a closed socket throws, so every one asks first. A dropped
 * message would be an unreported gap: it ends the connection.
 */
export class ClientSocket<UserData> {
  readonly #socket: WebSocket<UserData>;
  readonly #limits: ClientSocketLimits;
  /** "broken": uWS dropped a message; nothing more is sent, and the socket closes after this tick. */
  #state: "open" | "broken" | "closed" = "open";

  constructor(socket: WebSocket<UserData>, limits: ClientSocketLimits) {
    this.#socket = socket;
    this.#limits = limits;
  }

  get bufferedBytes(): number {
    return this.#state === "closed" ? 0 : this.#socket.getBufferedAmount();
  }

  get writable(): boolean {
    return this.#state === "open" && this.#socket.getBufferedAmount() < this.#limits.highWaterBytes;
  }

  /** A close frame would still reach the client behind what is buffered. */
  get canEnd(): boolean {
    return this.#state === "open" && this.bufferedBytes <= this.#limits.closeFrameBytes;
  }

  batch(send: () => void): void {
    if (this.#state === "open") this.#socket.cork(send);
  }

  send(data: string | Uint8Array, isBinary: boolean): void {
    if (this.#state !== "open") return;
    if (this.#socket.send(data, isBinary, false) !== DROPPED) return;
    this.#state = "broken";
    // This waits: the socket may be corked, and must not die inside its own cork.
    queueMicrotask(() => this.close(1006, ""));
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
    const { canEnd } = this;
    this.#state = "closed";
    if (canEnd) this.#socket.end(code, reason);
    else this.#socket.close();
  }

  /** uWS has closed the socket: it must not be touched again. */
  onClosed(): void {
    this.#state = "closed";
  }
}
