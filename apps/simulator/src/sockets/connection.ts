import type { WebSocket } from "ws";
import { type ServiceError, toCloseReason } from "../faults/service-error.ts";
import { passed, type Timing } from "../timing.ts";
import type { ConnectionWitness } from "./connection-witness.ts";

/** How long a connection that was dropped or closed may take to be gone. */
const FORCED_END_MS = 2_000;

interface Underlying {
  end(): unknown;
  destroy(): unknown;
}

/**
 * One client's socket, as the dialects use it: frames go out one after the other, each waiting until the
 * kernel has taken the one before, so that a client that stops reading stops us. An ending, once begun, is
 * the only one.
 */
export class Connection {
  readonly witness: ConnectionWitness;
  readonly timing: Timing;
  /** Aborted when the socket is closed, by either side. */
  readonly signal: AbortSignal;
  readonly #socket: WebSocket;
  readonly #tcp: Underlying;
  readonly #gone = new AbortController();
  #ending = false;

  constructor(socket: WebSocket, tcp: Underlying, witness: ConnectionWitness, timing: Timing) {
    this.#socket = socket;
    this.#tcp = tcp;
    this.witness = witness;
    this.timing = timing;
    this.signal = this.#gone.signal;
    socket.on("error", () => socket.terminate());
    socket.on("close", (code: number, reason: Buffer) => {
      const { texts, ends } = witness.log;
      witness.closed(code, reason.toString("utf8"), texts > 0 && ends === 0 && !this.#ending);
      this.#gone.abort();
    });
  }

  /** Nothing more is to be sent: an end was begun, or the client is gone. */
  get over(): boolean {
    return this.#ending || this.signal.aborted;
  }

  onMessage(listener: (data: string, isBinary: boolean) => void): void {
    this.#socket.on("message", (data: Buffer, isBinary: boolean) =>
      listener(data.toString("utf8"), isBinary),
    );
  }

  /** Resolves when the kernel has taken the frame, or the socket is closed. */
  send(
    frame: Buffer | string,
    told: { audioBytes?: number; final?: boolean; context?: string } = {},
    binary = false,
  ): Promise<void> {
    if (this.over) return Promise.resolve();
    this.witness.sent(told);
    return this.#write(frame, binary);
  }

  /** The error message, and the close 0.8 s later. */
  fail(error: ServiceError): void {
    if (this.over) return;
    this.#ending = true;
    this.witness.sent({ error: error.error ?? "(no name)" });
    void this.#write(JSON.stringify(error));
    void this.#closeIn(this.timing.closeDelayMs(), error.code, toCloseReason(error.message));
  }

  /** Close 1000 after the usual delay, or `delayMs`. Meanwhile only `late` still goes out. */
  finish(delayMs = this.timing.closeDelayMs(), code = 1000, reason = ""): void {
    if (this.over) return;
    this.#ending = true;
    void this.#closeIn(delayMs, code, reason);
  }

  /** A frame after the end was begun, for faults. */
  late(frame: Buffer | string): Promise<void> {
    return this.#write(frame);
  }

  /** The TCP connection ends without a close frame, after what was sent. */
  drop(): void {
    if (this.over) return;
    this.#ending = true;
    this.#tcp.end();
    void this.#forceEnd();
  }

  /** For the server's own end. */
  terminate(): void {
    this.#ending = true;
    this.#socket.terminate();
  }

  ping(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }

  #write(frame: Buffer | string, binary = false): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return Promise.resolve();
    return new Promise((resolve) => {
      this.#socket.send(frame, { binary }, () => resolve());
    });
  }

  async #closeIn(delayMs: number, code: number, reason: string): Promise<void> {
    if (!(await passed(delayMs, this.signal))) return;
    this.#socket.close(code, reason);
    await this.#forceEnd();
  }

  async #forceEnd(): Promise<void> {
    if (await passed(FORCED_END_MS, this.signal)) this.#socket.terminate();
    this.#tcp.destroy();
  }
}
