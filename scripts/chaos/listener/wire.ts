import { type AudioFrame, parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ClientMessage } from "@tts-labs/protocol/client-message";
import type { ServerMessage, ServerMessageOf } from "@tts-labs/protocol/server-message";
import { WebSocket } from "ws";

export type Greeting = ServerMessageOf<"connected">;

export interface WireOptions {
  readonly url: URL;
  /** Messages sent as soon as the socket is open, before the greeting. */
  readonly first?: ClientMessage;
  readonly onMessage: (message: ServerMessage) => void;
  readonly onFrame: (frame: AudioFrame) => void;
  /** Once, unless it was dropped or closed from here. */
  readonly onClosed: (closeCode: number) => void;
}

const GREETING_LIMIT_MS = 5_000;
const GOODBYE_LIMIT_MS = 1_000;

/** One WebSocket of a resuming client, from its greeting on. */
export class Wire {
  readonly greeting: Greeting;
  readonly #socket: WebSocket;
  readonly #options: WireOptions;
  /** True while it is ours: after `drop` and `close` nothing is told any more. */
  #live = true;

  private constructor(greeting: Greeting, socket: WebSocket, options: WireOptions) {
    this.greeting = greeting;
    this.#socket = socket;
    this.#options = options;
  }

  /** @returns the close code where no greeting came */
  static open(options: WireOptions): Promise<Wire | number> {
    let resolve: (opened: Wire | number) => void = () => {};
    const opened = new Promise<Wire | number>((done) => {
      resolve = done;
    });
    const socket = new WebSocket(options.url, {
      handshakeTimeout: GREETING_LIMIT_MS,
      perMessageDeflate: false,
    });
    let wire: Wire | undefined;
    const limit = setTimeout(() => socket.terminate(), GREETING_LIMIT_MS);
    socket.on("open", () => {
      if (options.first !== undefined) socket.send(JSON.stringify(options.first));
    });
    socket.on("error", () => {});
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (wire !== undefined) wire.#take(data, isBinary);
      else if (!isBinary) {
        const message = JSON.parse(data.toString()) as ServerMessage;
        if (message.type !== "connected") return;
        clearTimeout(limit);
        wire = new Wire(message, socket, options);
        resolve(wire);
      }
    });
    socket.on("close", (closeCode) => {
      clearTimeout(limit);
      if (wire === undefined) resolve(closeCode);
      else if (wire.#live) {
        wire.#live = false;
        options.onClosed(closeCode);
      }
    });
    return opened;
  }

  send(message: ClientMessage): void {
    if (this.#live) this.#socket.send(JSON.stringify(message));
  }

  /** Says goodbye. */
  close(): void {
    this.#live = false;
    this.#socket.close(1000);
    setTimeout(() => this.#socket.terminate(), GOODBYE_LIMIT_MS).unref();
  }

  /** Leaves without a word, as one who means to come back. */
  drop(): void {
    this.#live = false;
    this.#socket.terminate();
  }

  #take(data: Buffer, isBinary: boolean): void {
    if (!this.#live) return;
    if (isBinary) this.#options.onFrame(parseAudioFrame(data));
    else this.#options.onMessage(JSON.parse(data.toString()) as ServerMessage);
  }
}
