import type { Word } from "@tts-labs/core/audio/alignment";
import { BYTES_PER_SAMPLE } from "@tts-labs/core/audio/pcm";
import { firstReplaced } from "@tts-labs/core/audio/replaced-words";
import { GatewayError } from "@tts-labs/core/errors";
import type { ServerMessage, ServerMessageOf } from "@tts-labs/core/protocol/server-message";
import type { HttpExchange } from "../http/exchange.ts";
import { type Frame, pcmOf } from "./frame.ts";
import { fromErrorMessage, toSubstitutedHeader } from "./response-sink.ts";
import type { Sink } from "./sink.ts";

/**
 * Gathers a whole utterance for an answer in JSON, up to a bound in bytes: what is longer has to be asked for
 * as a stream.
 */
export class JsonSink implements Sink {
  readonly writable = true;
  readonly #exchange: HttpExchange;
  readonly #sampleRateHz: number;
  readonly #maxBytes: number;
  readonly #onDone: () => void;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  readonly #words: Word[] = [];
  #substituted: ServerMessageOf<"substituted"> | undefined;

  constructor(options: {
    readonly exchange: HttpExchange;
    readonly sampleRateHz: number;
    readonly maxBytes: number;
    readonly onDone: () => void;
  }) {
    this.#exchange = options.exchange;
    this.#sampleRateHz = options.sampleRateHz;
    this.#maxBytes = options.maxBytes;
    this.#onDone = options.onDone;
  }

  batch(send: () => void): void {
    send();
  }

  sendFrame(frame: Frame): void {
    const pcm = pcmOf(frame);
    if (frame.splice) this.#keep(frame.firstSample * BYTES_PER_SAMPLE);
    this.#bytes += pcm.byteLength;
    if (this.#bytes <= this.#maxBytes) this.#parts.push(pcm);
    else {
      const message = `The speech is longer than the ${this.#maxBytes} bytes that JSON may carry: ask with "Accept: audio/wav".`;
      this.fail(new GatewayError("protocol.not_acceptable", message, { facts: { limit: this.#maxBytes } }));
    }
  }

  sendMessage(message: ServerMessage): void {
    if (message.type === "words") this.#addWords(message);
    else if (message.type === "substituted") this.#substituted = message;
    else if (message.type === "error") this.fail(fromErrorMessage(message));
    else if (message.type === "stream_complete") this.#complete(message);
  }

  fail(error: GatewayError): void {
    this.#parts = [];
    if (!this.#exchange.isOpen) return;
    this.#exchange.answerError(error);
    this.#onDone();
  }

  /** Takes back what is longer. */
  #keep(bytes: number): void {
    if (this.#bytes <= bytes) return;
    this.#parts = [Buffer.concat(this.#parts).subarray(0, bytes)];
    this.#bytes = bytes;
  }

  #addWords({ words, replaces_from_ms }: ServerMessageOf<"words">): void {
    const told = words.map(({ text, start_ms: startMs, end_ms: endMs }) => ({ text, startMs, endMs }));
    const [first] = told;
    if (first === undefined) return;
    this.#words.length = firstReplaced(this.#words, first, replaces_from_ms);
    for (const word of told) this.#words.push(word);
  }

  #complete({ samples, duration_ms, cache }: ServerMessageOf<"stream_complete">): void {
    if (!this.#exchange.isOpen) return;
    const headers = { "x-cache": cache ?? "off", ...toSubstitutedHeader(this.#substituted) };
    const { type: _, utterance_id, ...substituted } = this.#substituted ?? {};
    const body = {
      audio: Buffer.concat(this.#parts).toString("base64"),
      encoding: "pcm_s16le",
      sample_rate: this.#sampleRateHz,
      samples,
      duration_ms,
      words: this.#words.map(({ text, startMs, endMs }) => ({ text, start_ms: startMs, end_ms: endMs })),
      cache: headers["x-cache"],
      ...(this.#substituted === undefined ? {} : { substituted }),
      request_id: this.#exchange.requestId,
    };
    this.#exchange.answerJson(200, body, headers);
    this.#parts = [];
    this.#onDone();
  }
}
