import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { Word } from "@tts-labs/core/audio/alignment";
import type { Substitute } from "@tts-labs/core/session/entries";
import type { CompletedSpeech } from "@tts-labs/core/session/utterance-end";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { wavHeader } from "@tts-labs/protocol/audio/wav-header";
import { GatewayError } from "@tts-labs/protocol/errors";
import { firstReplaced } from "@tts-labs/protocol/words/replaced-words";
import type { Frame } from "../../delivery/frame.ts";
import type { Sink } from "../../delivery/sink.ts";
import type { SpeechEvent, WordsEvent } from "../../delivery/speech-event.ts";
import type { HttpExchange } from "../../http/exchange.ts";
import type { AudioFormat } from "../accept.ts";
import { type AnswerEnvelope, GatheredAnswer } from "./gathered-answer.ts";
import { audioHeaders, toSubstitutedHeader } from "./response-sink.ts";

/** About what a word takes in memory and in the answer. */
const WORD_BYTES = 100;
const RETRY_AFTER_MS = 1_000;

/** What another dialect makes of speech that was gathered. */
export interface GatheredForm {
  /** @returns how many words or characters of the event it keeps */
  take(event: SpeechEvent): number;
  headers(completed: CompletedSpeech): Readonly<Record<string, string>>;
  envelope(pcmBytes: number): AnswerEnvelope;
  /** What to ask for where the answer is too long. */
  readonly instead: string;
}

export interface GatheredSinkOptions {
  readonly exchange: HttpExchange;
  readonly format: AudioFormat;
  readonly sampleRateHz: number;
  /** Absent: JSON, WAV or PCM of our own, as `format` says. */
  readonly form?: GatheredForm;
  /** Of one answer's PCM. */
  readonly maxBytes: number;
  /** Shared by all answers, until their clients have taken them. */
  readonly budget: ByteBudget;
  /** The shared budget had no room for this answer. */
  readonly onRefused: () => void;
  /** The answer is complete, or has failed. */
  readonly onDone: () => void;
}

/** What such an answer is called in errors. */
export const wholeAnswer = (format: AudioFormat): string => (format === "json" ? "JSON" : "a whole answer");

/** What to ask for where an answer is too long to be gathered. */
export const insteadOfWhole = (format: AudioFormat): string =>
  format === "json"
    ? 'ask with "Accept: audio/wav", which is streamed'
    : 'ask without "whole", and it is streamed';

/**
 * Gathers a whole utterance for an answer in JSON, or for one whose length is to be known, up to a bound in bytes for
 * one answer and another for all: what is longer, or has no room, has to be asked for as a stream. What was gathered
 * counts until the client has taken it.
 */
export class GatheredSink implements Sink {
  readonly writable = true;
  readonly #options: GatheredSinkOptions;
  #state: "gathering" | "answering" | "over" = "gathering";
  #parts: Uint8Array[] = [];
  #bytes = 0;
  /** Of the shared budget. */
  #takenBytes = 0;
  readonly #words: Word[] = [];
  #substituted: Substitute | undefined;

  constructor(options: GatheredSinkOptions) {
    this.#options = options;
    options.exchange.onGone(() => this.#letGo());
  }

  batch(send: () => void): void {
    send();
  }

  sendFrame(frame: Frame): void {
    if (this.#state !== "gathering") return;
    const { pcm } = frame;
    if (frame.splice) this.#keep(frame.firstSample * BYTES_PER_SAMPLE);
    this.#add(pcm);
  }

  /** For speech that has been encoded on the way here. */
  sendEncoded(piece: Uint8Array): void {
    if (this.#state === "gathering") this.#add(piece);
  }

  tell(event: SpeechEvent): void {
    const { form } = this.#options;
    if (this.#state !== "gathering") return;
    if (form !== undefined && !this.#take(form.take(event) * WORD_BYTES)) return;
    if (event.kind === "words" && form === undefined) this.#addWords(event);
    else if (event.kind === "substituted") this.#substituted = event.substitute;
    else if (event.kind === "ended" && event.end.kind === "failed") this.fail(event.end.error);
    else if (event.kind === "ended" && event.end.kind === "completed") this.#complete(event.end);
  }

  fail(error: GatewayError): void {
    if (this.#state !== "gathering") return;
    this.#letGo();
    const { exchange, onDone } = this.#options;
    if (!exchange.isOpen) return;
    exchange.answerError(error);
    onDone();
  }

  get #instead(): string {
    return this.#options.form?.instead ?? insteadOfWhole(this.#options.format);
  }

  #add(audio: Uint8Array): void {
    const { maxBytes, format } = this.#options;
    this.#bytes += audio.byteLength;
    if (this.#bytes > maxBytes) {
      const message = `The speech is longer than the ${maxBytes} bytes that ${wholeAnswer(format)} may carry: ${this.#instead}.`;
      this.fail(new GatewayError("protocol.not_acceptable", message, { facts: { limit: maxBytes } }));
    } else if (this.#take(audio.byteLength)) this.#parts.push(audio);
  }

  /** @returns whether there was room; else the answer has failed */
  #take(bytes: number): boolean {
    const { budget, onRefused } = this.#options;
    if (budget.tryTake(bytes)) {
      this.#takenBytes += bytes;
      return true;
    }
    onRefused();
    const message = `Answers that are sent whole hold as much memory as they may: ${this.#instead}, or try again.`;
    const facts = { budget: "json-answers" };
    this.fail(new GatewayError("capacity.overloaded", message, { facts, retryAfterMs: RETRY_AFTER_MS }));
    return false;
  }

  #giveBack(bytes: number): void {
    this.#takenBytes -= bytes;
    this.#options.budget.giveBack(bytes);
  }

  /** Safe to call twice. */
  #letGo(): void {
    this.#state = "over";
    this.#parts = [];
    this.#giveBack(this.#takenBytes);
  }

  /** Takes back what is longer. */
  #keep(bytes: number): void {
    if (this.#bytes <= bytes) return;
    this.#parts = [Buffer.concat(this.#parts).subarray(0, bytes)];
    this.#giveBack(this.#bytes - bytes);
    this.#bytes = bytes;
  }

  #addWords({ words, replacesFromMs }: WordsEvent): void {
    if (!this.#take(words.length * WORD_BYTES)) return;
    const [first] = words;
    if (first === undefined) return;
    this.#words.length = firstReplaced(this.#words, first, replacesFromMs);
    for (const word of words) this.#words.push(word);
  }

  #complete(completed: CompletedSpeech): void {
    const { exchange, format, sampleRateHz, form, onDone } = this.#options;
    if (!exchange.isOpen) return;
    this.#state = "answering";
    const answer = new GatheredAnswer({
      exchange,
      headers: {
        ...(form?.headers(completed) ?? audioHeaders(format, sampleRateHz)),
        "x-cache": completed.cache ?? "off",
        ...toSubstitutedHeader(this.#substituted),
      },
      pcm: this.#parts,
      envelope: form?.envelope(this.#bytes) ?? this.#envelope(completed),
      onTaken: (pcmBytes) => this.#giveBack(pcmBytes),
      onDone: () => {
        this.#letGo();
        onDone();
      },
    });
    this.#parts = [];
    answer.write();
  }

  #envelope({ samples, durationMs, cache }: CompletedSpeech): AnswerEnvelope {
    const { exchange, format, sampleRateHz } = this.#options;
    if (format === "pcm") return { before: "", encode: (pcm) => pcm, after: "" };
    if (format === "wav") {
      const before = wavHeader(sampleRateHz, this.#bytes);
      return { before, encode: (pcm) => pcm, after: "" };
    }
    const rest = JSON.stringify({
      encoding: "pcm_s16le",
      sample_rate: sampleRateHz,
      samples,
      duration_ms: durationMs,
      words: this.#words.map(({ text, startMs, endMs }) => ({ text, start_ms: startMs, end_ms: endMs })),
      cache: cache ?? "off",
      ...(this.#substituted === undefined ? {} : { substituted: this.#substituted }),
      request_id: exchange.requestId,
    });
    return {
      before: '{"audio":"',
      encode: (pcm) => pcm.toString("base64"),
      after: `",${rest.slice(1)}`,
    };
  }
}
