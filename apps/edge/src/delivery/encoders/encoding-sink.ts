import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { type GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { Frame } from "../frame.ts";
import type { Sink } from "../sink.ts";
import type { SlowClientNotice, SpeechEvent } from "../speech-event.ts";
import type { DeliveryTally } from "../tally.ts";
import type { Encoder, Encoders } from "./encoder-threads.ts";
import { isPlain, type OutputFormat } from "./output-format.ts";

/** Frames given to the encoder and not come back; beyond it the sink takes no more, and the speech waits. */
const MAX_FRAMES_ENCODING = 16;

/** Where encoded speech goes: the response of a request, a socket. Its dialect wraps the bytes as it likes. */
export interface EncodedSink {
  /** As `Sink.writable`. */
  readonly writable: boolean;
  batch(send: () => void): void;
  /**
   * One piece of `of`'s speech in the asked format: a packet, or any run of bytes.
   * @param upToSample number of the frames' sample up to which it was made, as near as the codec lets that be said
   */
  sendEncoded(piece: Uint8Array, of: DeliveryTally, upToSample: number): void;
  /** In order with the pieces: what was told behind a frame comes behind all that was made of it. */
  tell(event: SpeechEvent, of: DeliveryTally): void;
  tellSlow?(notice: SlowClientNotice): void;
}

export interface EncodingSinkOptions {
  readonly sink: EncodedSink;
  readonly format: OutputFormat;
  /** Of the frames. */
  readonly fromHz: number;
  readonly encoders: Encoders;
  /** It takes more again: `Outbound.resume`. */
  readonly onWritable: () => void;
  /** What was being encoded can't be: the connection has to end. */
  readonly onFailed: (error: GatewayError) => void;
}

/** What comes out, in order: an answer of the encoder's, or an event that waits for those before it. */
type Due =
  | { readonly kind: "pieces"; readonly of: DeliveryTally; readonly upToSample: number }
  | { readonly kind: "event"; readonly event: SpeechEvent; readonly of: DeliveryTally };

/**
 * A sink around a sink that hears speech in another format. Utterances come one after the other, each with an encoder
 * of its own, which is flushed at its end. A format that is the provider's own passes through within the call.
 *
 * Encoded speech can't be taken back: after a splice the new audio is joined on where the old one ends, within the word
 * that was being spoken, so that clock and length stay right.
 */
export class EncodingSink implements Sink {
  readonly #options: EncodingSinkOptions;
  readonly #isPlain: boolean;
  readonly #due: Due[] = [];
  #current: { readonly of: DeliveryTally; readonly encoder: Encoder } | undefined;
  #of: DeliveryTally | undefined;
  /** Number of the sample after the last one taken of the current utterance. */
  #nextSample = 0;
  #encoding = 0;
  /** What was taken of an utterance that has ended is still being encoded; the next begins behind it. */
  #isEnding = false;
  #state: "open" | "failed" | "closed" = "open";

  constructor(options: EncodingSinkOptions) {
    this.#options = options;
    this.#isPlain = options.format.codec === "pcm" && isPlain(options.format, options.fromHz);
  }

  get writable(): boolean {
    const takesMore = this.#state === "open" && !this.#isEnding && this.#encoding < MAX_FRAMES_ENCODING;
    return takesMore && this.#options.sink.writable;
  }

  batch(send: () => void): void {
    this.#options.sink.batch(send);
  }

  sendFrame(frame: Frame, of: DeliveryTally): void {
    if (this.#of !== of) this.#begin(of, frame);
    const known = Math.max(0, this.#nextSample - frame.firstSample);
    this.#nextSample += Math.max(0, frame.samples - known);
    const pcm = frame.pcm.subarray(known * BYTES_PER_SAMPLE);
    if (pcm.byteLength === 0) return;
    if (this.#isPlain) this.#options.sink.sendEncoded(pcm, of, this.#nextSample);
    else this.#ask(of, (encoder) => encoder.encode(pcm));
  }

  tell(event: SpeechEvent, of: DeliveryTally): void {
    const isComplete = event.kind === "ended" && event.end.kind === "completed";
    if (isComplete && !this.#isPlain) this.#ask(of, (encoder) => encoder.finish());
    if (this.#due.length === 0) {
      this.#tell(event, of);
      return;
    }
    this.#due.push({ kind: "event", event, of });
    if (event.kind === "ended") this.#isEnding = true;
  }

  tellSlow(notice: SlowClientNotice): void {
    this.#options.sink.tellSlow?.(notice);
  }

  /** Nothing more of this utterance comes out, also of what was taken already. */
  discard(of: DeliveryTally): void {
    if (this.#current?.of === of) this.#closeEncoder();
    if (this.#of === of) this.#of = undefined;
    const others = this.#due.filter((due) => due.of !== of);
    this.#due.splice(0, this.#due.length, ...others);
    this.#encoding = others.filter(({ kind }) => kind === "pieces").length;
    this.#isEnding = others.some((due) => due.kind === "event" && due.event.kind === "ended");
  }

  /** Lets go of the encoder; nothing more comes out. May be called twice. */
  close(): void {
    if (this.#state === "open") this.#state = "closed";
    this.#due.length = 0;
    this.#closeEncoder();
  }

  /** The speech before has been told to have ended, or was discarded. */
  #begin(of: DeliveryTally, { firstSample }: Frame): void {
    this.#of = of;
    this.#nextSample = firstSample;
  }

  #ask(of: DeliveryTally, ask: (encoder: Encoder) => void): void {
    if (this.#state !== "open") return;
    try {
      const encoder = this.#encoderFor(of);
      this.#due.push({ kind: "pieces", of, upToSample: this.#nextSample });
      this.#encoding++;
      ask(encoder);
    } catch (error) {
      this.#fail(toGatewayError(error));
    }
  }

  #encoderFor(of: DeliveryTally): Encoder {
    if (this.#current?.of === of) return this.#current.encoder;
    const { encoders, format, fromHz } = this.#options;
    const encoder = encoders.open(format, fromHz, {
      onEncoded: (pieces) => this.#onEncoded(pieces),
      onFailed: (error) => this.#fail(error),
    });
    this.#current = { of, encoder };
    return encoder;
  }

  #onEncoded(pieces: readonly Uint8Array[]): void {
    const { sink, onWritable } = this.#options;
    const due = this.#due.shift();
    if (due?.kind !== "pieces") return;
    this.#encoding--;
    sink.batch(() => {
      for (const piece of pieces) sink.sendEncoded(piece, due.of, due.upToSample);
      for (let next = this.#due[0]; next?.kind === "event"; next = this.#due[0]) {
        this.#due.shift();
        this.#tell(next.event, next.of);
      }
    });
    if (this.writable) onWritable();
  }

  #tell(event: SpeechEvent, of: DeliveryTally): void {
    if (event.kind === "ended") {
      this.#isEnding = false;
      this.#of = undefined;
      this.#closeEncoder();
    }
    this.#options.sink.tell(event, of);
  }

  #fail(error: GatewayError): void {
    if (this.#state !== "open") return;
    this.#state = "failed";
    this.#due.length = 0;
    this.#closeEncoder();
    this.#options.onFailed(error);
  }

  #closeEncoder(): void {
    this.#current?.encoder.close();
    this.#current = undefined;
  }
}
