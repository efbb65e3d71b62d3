import type { WebSocket } from "uWebSockets.js";
import type { ByteBudget } from "@tts-labs/core/async/byte-budget";

/** uWebSockets.js returns this from `send` when it has dropped the message (docs/ground.md, uWebSockets.js). */
const DROPPED = 2;

export interface ClientSocketLimits {
  /** Buffered bytes from which on the socket takes no more. */
  readonly highWaterBytes: number;
  /** Buffered bytes up to which a close frame still goes behind them, below uWS' own bound. */
  readonly closeFrameBytes: number;
  /** What all sockets of the edge hold; absent: without a bound. */
  readonly unread?: UnreadSockets;
}

/**
 * Bytes that sockets were given and clients have not taken. While there are too many in all, only a socket that holds
 * none is given more: clients that read go on, and those that do not are cut off as slow ones.
 */
export interface UnreadSockets {
  readonly bytes: ByteBudget;
  /** A socket is given nothing more for the sake of all. */
  readonly paused: () => void;
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
  /** Its part of what all sockets hold. */
  #countedBytes = 0;
  /** It would be given more, were it not for what all sockets hold. */
  #isHeldBack = false;

  constructor(socket: WebSocket<UserData>, limits: ClientSocketLimits) {
    this.#socket = socket;
    this.#limits = limits;
  }

  get bufferedBytes(): number {
    return this.#state === "closed" ? 0 : this.#socket.getBufferedAmount();
  }

  get writable(): boolean {
    if (this.#state !== "open") return false;
    const buffered = this.#count();
    if (buffered >= this.#limits.highWaterBytes) return false;
    const { unread } = this.#limits;
    const isHeldBack = unread !== undefined && buffered > 0 && !unread.bytes.hasRoom;
    if (isHeldBack && !this.#isHeldBack) unread.paused();
    this.#isHeldBack = isHeldBack;
    return !isHeldBack;
  }

  /** A close frame would still reach the client behind what is buffered. */
  get canEnd(): boolean {
    return this.#state === "open" && this.bufferedBytes <= this.#limits.closeFrameBytes;
  }

  batch(send: () => void): void {
    if (this.#state === "open") this.#socket.cork(send);
    this.#count();
  }

  send(data: string | Uint8Array, isBinary: boolean): void {
    if (this.#state !== "open") return;
    const answer = this.#socket.send(data, isBinary, false);
    this.#count();
    if (answer !== DROPPED) return;
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
    this.#count();
    if (canEnd) this.#socket.end(code, reason);
    else this.#socket.close();
  }

  /** uWS has closed the socket: it must not be touched again. */
  onClosed(): void {
    this.#state = "closed";
    this.#count();
  }

  /** Its client has taken something. */
  onDrain(): void {
    this.#count();
  }

  /** @returns what it holds, of which the edge's sum is told */
  #count(): number {
    const { bufferedBytes } = this;
    const more = bufferedBytes - this.#countedBytes;
    if (more !== 0) this.#limits.unread?.bytes.take(more);
    this.#countedBytes = bufferedBytes;
    return bufferedBytes;
  }
}
