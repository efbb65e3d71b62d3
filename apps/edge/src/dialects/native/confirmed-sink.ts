import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import type { Frame } from "../../delivery/frame.ts";
import type { Sink } from "../../delivery/sink.ts";
import type { SlowClientNotice, SpeechEvent } from "../../delivery/speech-event.ts";
import type { DeliveryTally } from "../../delivery/tally.ts";

/** Tells our pings from those that measure the round trip, which are numbers alone. */
const MARK = "b";
/** Questions per bound, so that a client that reads is never waited for longer than a round trip. */
const ASKS_PER_BOUND = 4;
/** Audio is asked about at least so often, however large the bound: what is confirmed can leave Redis. */
const MAX_ASK_BYTES = 32 * 1024;
/** Pings without an answer. Beyond it the oldest counts as answered: nothing more is held for who answers none. */
const MAX_ASKS = 64;

export interface AskingSink extends Sink {
  /** Sends a ping behind all that was sent before, also past the high-water mark. */
  ask(payload: string): void;
}

/** A ping on its way, and what is known once it is answered. */
interface Ask {
  readonly number: number;
  /** Bytes of samples sent before it, since the connection began. */
  readonly bytes: number;
  readonly act: () => void;
}

/**
 * Hands audio over only so far beyond what the client is known to have: every client answers a WebSocket ping by
 * itself, when all before it has arrived. Without it the kernel and the network take megabytes, and what lies there
 * when a connection is cut would have to be sent again from a stream that has long released it. What is confirmed is
 * reported, so that Redis need not hold it any longer.
 */
export class ConfirmedSink implements Sink {
  readonly #sink: AskingSink;
  readonly #maxUnconfirmedBytes: number;
  readonly #askBytes: number;
  /** Bytes of samples, since the connection began. */
  #sentBytes = 0;
  #askedBytes = 0;
  #confirmedBytes = 0;
  #lastAsk = 0;
  /** In order. */
  readonly #asks: Ask[] = [];

  constructor(sink: AskingSink, maxUnconfirmedBytes: number) {
    this.#sink = sink;
    this.#maxUnconfirmedBytes = maxUnconfirmedBytes;
    this.#askBytes = Math.min(maxUnconfirmedBytes / ASKS_PER_BOUND, MAX_ASK_BYTES);
  }

  get frameHeaderBytes(): number {
    return this.#sink.frameHeaderBytes ?? 0;
  }

  get writable(): boolean {
    return this.#sink.writable && this.#sentBytes - this.#confirmedBytes < this.#maxUnconfirmedBytes;
  }

  batch(send: () => void): void {
    this.#sink.batch(send);
  }

  sendFrame(frame: Frame, of: DeliveryTally): void {
    this.#sink.sendFrame(frame, of);
    this.#sentBytes += frame.samples * BYTES_PER_SAMPLE;
    if (this.#sentBytes - this.#askedBytes < this.#askBytes) return;
    // Of the entry of its last sample more may be to come.
    this.#ask(() => of.onConfirmed?.(frame.seq - 1));
  }

  tell(event: SpeechEvent, of: DeliveryTally): void {
    this.#sink.tell(event, of);
  }

  tellSlow(notice: SlowClientNotice): void {
    this.#sink.tellSlow?.(notice);
  }

  whenConfirmed(act: () => void): void {
    this.#ask(act);
  }

  /** @returns whether it was an answer of this sink's, after which it may take more. An unasked one is none. */
  onPong(payload: string): boolean {
    const number = payload.startsWith(MARK) ? Number(payload.slice(MARK.length)) : Number.NaN;
    const [oldest] = this.#asks;
    if (oldest === undefined || !(number >= oldest.number && number <= this.#lastAsk)) return false;
    const count = this.#asks.findLastIndex((ask) => ask.number <= number) + 1;
    const answered = this.#asks.splice(0, count);
    this.#confirmedBytes = answered.at(-1)?.bytes ?? this.#confirmedBytes;
    for (const { act } of answered) act();
    return true;
  }

  #ask(act: () => void): void {
    this.#askedBytes = this.#sentBytes;
    this.#lastAsk += 1;
    this.#asks.push({ number: this.#lastAsk, bytes: this.#sentBytes, act });
    if (this.#asks.length > MAX_ASKS) this.#asks.shift()?.act();
    this.#sink.ask(`${MARK}${this.#lastAsk}`);
  }
}
