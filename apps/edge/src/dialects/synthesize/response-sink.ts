import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { Substitute } from "@tts-labs/core/session/entries";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { EncodedSink } from "../../delivery/encoders/encoding-sink.ts";
import type { OutputFormat } from "../../delivery/encoders/output-format.ts";
import type { Frame } from "../../delivery/frame.ts";
import type { Sink } from "../../delivery/sink.ts";
import type { SpeechEvent } from "../../delivery/speech-event.ts";
import type { DeliveryTally } from "../../delivery/tally.ts";
import type { HttpExchange } from "../../http/exchange.ts";
import type { AudioFormat } from "../accept.ts";

export interface ResponseFormat {
  /** Called when the first frame is there. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** Bytes before the first sample; asked then, too. */
  readonly preamble: () => Uint8Array;
  /** What the utterance says beside its samples, before those it belongs to. */
  readonly take?: (event: SpeechEvent) => void;
  /** The audio of one write as the client gets it; absent: as it is. `firstSample`: where it begins. */
  readonly encode?: (audio: Buffer, firstSample: number) => Uint8Array;
  /** Bytes behind the last sample. */
  readonly finish?: () => Uint8Array;
  /** What tells of a fault in the middle, where the form has a way to; absent: the connection is cut. */
  readonly fail?: (error: GatewayError) => Uint8Array;
}

const NOTHING: Uint8Array = new Uint8Array(0);

const CONTENT_TYPES: Readonly<Record<AudioFormat, string>> = {
  json: "application/json",
  pcm: "audio/pcm",
  wav: "audio/wav",
};

/** Headers that say what the answer is. */
export const audioHeaders = (format: AudioFormat, sampleRateHz: number): Readonly<Record<string, string>> =>
  format === "json"
    ? { "content-type": CONTENT_TYPES.json }
    : {
        "content-type": CONTENT_TYPES[format],
        "x-sample-rate": String(sampleRateHz),
        "cache-control": "no-store",
      };

/** As above, of speech that is encoded. */
export const encodedHeaders = ({
  contentType,
  sampleRateHz,
}: OutputFormat): Readonly<Record<string, string>> => ({
  "content-type": contentType,
  "x-sample-rate": String(sampleRateHz),
  "cache-control": "no-store",
});

/** The substitute as a header; none where the first choice spoke. */
export function toSubstitutedHeader(substitute: Substitute | undefined): Readonly<Record<string, string>> {
  if (substitute === undefined) return {};
  const { voice, model, provider, reason } = substitute;
  const said = provider === undefined ? { voice, model, reason } : { voice, model, provider, reason };
  return { "x-substituted": new URLSearchParams(said).toString() };
}

/**
 * The response of an HTTP request, streamed as audio comes. Status and headers wait for the first frame, so
 * that what fails before it gets its own status; what fails later cuts the connection, since a clean end
 * would say that the speech is complete.
 *
 * The frames of one batch leave in one write. uWS says at once, or with the next one, that the socket is full.
 * A socket that has taken nothing for 10 s is cut by uWS. What was written and not taken counts in a budget that all
 * responses share; one that finds no room there is cut.
 *
 * What is written can't be taken back: after a splice the new audio is joined on where the old one ends, within
 * the word that was being spoken, so that clock and length stay right.
 */
export class ResponseSink implements Sink, EncodedSink {
  readonly #exchange: HttpExchange;
  readonly #format: ResponseFormat;
  readonly #onDone: () => void;
  readonly #unread: ByteBudget;
  readonly #onUnread: () => void;
  /** Samples of the batch that is being gathered. */
  #parts: Uint8Array[] = [];
  /** Number of the sample after the last one gathered, and of the first one of the batch. */
  #nextSample = 0;
  #firstSample = 0;
  #hasBegun = false;
  #substituted: Substitute | undefined;
  #accepts = true;
  /** Of the shared budget. */
  #unreadBytes = 0;
  #isComplete = false;

  constructor(options: {
    readonly exchange: HttpExchange;
    readonly format: ResponseFormat;
    readonly onWritable: () => void;
    /** Bytes written to all responses that their clients have not taken. */
    readonly unread: ByteBudget;
    /** The budget had no room. */
    readonly onUnread: () => void;
    /** The answer is complete, or has failed. */
    readonly onDone: () => void;
  }) {
    this.#exchange = options.exchange;
    this.#format = options.format;
    this.#onDone = options.onDone;
    this.#unread = options.unread;
    this.#onUnread = options.onUnread;
    options.exchange.onGone(() => this.#taken());
    const { response } = options.exchange;
    response.onWritable(() => {
      // A handler of `onWritable` must write what uWS holds by itself; an empty cork does.
      response.cork(() => {});
      this.#accepts = true;
      this.#taken();
      if (this.#isComplete) this.#end();
      else options.onWritable();
      return true;
    });
  }

  get writable(): boolean {
    return this.#accepts && this.#exchange.isOpen;
  }

  batch(send: () => void): void {
    if (!this.#exchange.isOpen) return;
    this.#exchange.response.cork(() => {
      send();
      this.#writeParts();
    });
  }

  sendFrame(frame: Frame): void {
    const written = Math.max(0, this.#nextSample - frame.firstSample);
    this.#nextSample += Math.max(0, frame.samples - written);
    this.#parts.push(frame.pcm.subarray(written * BYTES_PER_SAMPLE));
  }

  /** For speech that has been encoded on the way here. */
  sendEncoded(piece: Uint8Array, _of: DeliveryTally, upToSample: number): void {
    this.#nextSample = upToSample;
    this.#parts.push(piece);
  }

  tell(event: SpeechEvent): void {
    if (event.kind === "substituted") this.#substituted = event.substitute;
    this.#format.take?.(event);
    if (event.kind !== "ended") return;
    const { end } = event;
    if (end.kind === "failed") this.fail(end.error);
    else if (end.kind === "completed") this.#complete();
  }

  fail(error: GatewayError): void {
    if (!this.#exchange.isOpen) return;
    const told = this.#hasBegun && this.#accepts ? this.#format.fail?.(error) : undefined;
    if (told !== undefined) this.#endWith(told);
    else if (this.#hasBegun) this.#exchange.abort();
    else this.#exchange.answerError(error);
    this.#taken();
    this.#onDone();
  }

  /** Ends the response once its client has taken all of it. */
  #complete(): void {
    if (!this.#exchange.isOpen) return;
    this.#begin();
    this.#writeParts();
    this.#write(this.#format.finish?.() ?? NOTHING);
    if (!this.#exchange.isOpen) return;
    this.#isComplete = true;
    if (this.#accepts) this.#end();
  }

  #end(): void {
    if (!this.#exchange.isOpen) return;
    this.#exchange.markAnswered();
    this.#exchange.response.cork(() => this.#exchange.response.end());
    this.#onDone();
  }

  #endWith(bytes: Uint8Array): void {
    this.#exchange.markAnswered();
    this.#exchange.response.cork(() => this.#exchange.response.end(bytes));
  }

  #taken(): void {
    this.#unread.giveBack(this.#unreadBytes);
    this.#unreadBytes = 0;
  }

  #writeParts(): void {
    if (this.#parts.length === 0 || !this.#exchange.isOpen) return;
    this.#begin();
    const audio = Buffer.concat(this.#parts);
    this.#parts = [];
    const { encode } = this.#format;
    const firstSample = this.#firstSample;
    this.#firstSample = this.#nextSample;
    this.#write(encode === undefined ? audio : encode(audio, firstSample));
  }

  #write(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    // False: taken, but the socket is full; uWS calls back when it takes more.
    this.#accepts = this.#exchange.response.write(bytes);
    if (this.#accepts) return;
    if (this.#unread.tryTake(bytes.byteLength)) this.#unreadBytes += bytes.byteLength;
    else {
      this.#onUnread();
      this.fail(new GatewayError("capacity.slow_client"));
    }
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#exchange.writeHead(200, {
      ...this.#format.headers(),
      ...toSubstitutedHeader(this.#substituted),
    });
    const preamble = this.#format.preamble();
    if (preamble.byteLength > 0) this.#exchange.response.write(preamble);
  }
}
