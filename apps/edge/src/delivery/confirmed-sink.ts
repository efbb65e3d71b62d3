import { BYTES_PER_SAMPLE } from "@tts-labs/core/audio/pcm";
import type { ServerMessage } from "@tts-labs/core/protocol/server-message";
import type { Frame } from "./frame.ts";
import type { Sink } from "./sink.ts";

/** Tells our pings from those that measure the round trip, which are numbers alone. */
const MARK = "b";
/** Asked so often per bound that who reads is never waited for longer than a round trip. */
const ASKS_PER_BOUND = 4;

export interface AskingSink extends Sink {
  /** Sends a ping behind all that was sent before, also past the high-water mark. */
  ask(payload: string): void;
}

/**
 * Hands audio over only so far beyond what the client is known to have: every client answers a WebSocket ping by
 * itself, when all before it has arrived. Without it the kernel and the network take megabytes, and what lies there when
 * a connection is cut would have to be sent again from a stream that has long released it.
 */
export class ConfirmedSink implements Sink {
  readonly #sink: AskingSink;
  readonly #maxUnconfirmedBytes: number;
  /** Bytes of samples, since the connection began. */
  #sentBytes = 0;
  #askedBytes = 0;
  #confirmedBytes = 0;

  constructor(sink: AskingSink, maxUnconfirmedBytes: number) {
    this.#sink = sink;
    this.#maxUnconfirmedBytes = maxUnconfirmedBytes;
  }

  get writable(): boolean {
    return this.#sink.writable && this.#sentBytes - this.#confirmedBytes < this.#maxUnconfirmedBytes;
  }

  batch(send: () => void): void {
    this.#sink.batch(send);
  }

  sendFrame(frame: Frame): void {
    this.#sink.sendFrame(frame);
    this.#sentBytes += frame.samples * BYTES_PER_SAMPLE;
    if (this.#sentBytes - this.#askedBytes < this.#maxUnconfirmedBytes / ASKS_PER_BOUND) return;
    this.#askedBytes = this.#sentBytes;
    this.#sink.ask(`${MARK}${this.#sentBytes}`);
  }

  sendMessage(message: ServerMessage): void {
    this.#sink.sendMessage(message);
  }

  /** @returns whether it was an answer of this sink's, after which it may take more. One that nobody asked for is none. */
  onPong(payload: string): boolean {
    const bytes = payload.startsWith(MARK) ? Number(payload.slice(MARK.length)) : Number.NaN;
    if (!(bytes > this.#confirmedBytes && bytes <= this.#askedBytes)) return false;
    this.#confirmedBytes = bytes;
    return true;
  }
}
