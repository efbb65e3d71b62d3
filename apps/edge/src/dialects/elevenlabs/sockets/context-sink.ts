import type { Alignment } from "@tts-labs/core/audio/alignment";
import { samplesToMs } from "@tts-labs/protocol/audio/pcm";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { EncodedSink } from "../../../delivery/encoders/encoding-sink.ts";
import type { SpeechEvent } from "../../../delivery/speech-event.ts";
import type { DeliveryTally } from "../../../delivery/tally.ts";
import { toBase64 } from "../wire/base64.ts";
import { ToldAlignment } from "../wire/told-alignment.ts";
import type { JsonSocket } from "./json-socket.ts";

export interface ContextSinkOptions {
  readonly socket: JsonSocket;
  /** Absent on the socket that has but one. */
  readonly contextId: string | undefined;
  /** Of the frames, before they were encoded. */
  readonly fromHz: number;
  readonly alignmentBase: "context" | "segment";
  /** It has ended: with all of its audio, or with an error. Called once. */
  readonly onEnded: (error: GatewayError | undefined) => void;
}

/**
 * One context's speech as ElevenLabs' messages. The audio of one batch is one message, with the characters that came
 * with it.
 */
export class ContextSink implements EncodedSink {
  readonly #options: ContextSinkOptions;
  readonly #told = new ToldAlignment();
  #parts: Uint8Array[] = [];
  /** Number of the first sample in `#parts`, and of the one after the last. */
  #firstSample = 0;
  #nextSample = 0;

  constructor(options: ContextSinkOptions) {
    this.#options = options;
  }

  get writable(): boolean {
    return this.#options.socket.writable;
  }

  batch(send: () => void): void {
    this.#options.socket.batch(() => {
      send();
      this.#sendParts();
    });
  }

  sendEncoded(piece: Uint8Array, _of: DeliveryTally, upToSample: number): void {
    this.#nextSample = upToSample;
    this.#parts.push(piece);
  }

  tell(event: SpeechEvent): void {
    if (event.kind === "alignment") this.#told.add(event.alignment);
    if (event.kind !== "ended") return;
    this.#sendParts();
    const { end } = event;
    this.#options.onEnded(end.kind === "failed" ? end.error : undefined);
  }

  #sendParts(): void {
    if (this.#parts.length === 0) return;
    const { socket, contextId, fromHz, alignmentBase } = this.#options;
    const audio = Buffer.concat(this.#parts);
    this.#parts = [];
    const baseMs = alignmentBase === "context" ? 0 : samplesToMs(this.#firstSample, fromHz);
    this.#firstSample = this.#nextSample;
    if (audio.byteLength === 0) return;
    const taken = this.#told.take();
    const alignment = taken === undefined ? null : toSocketAlignment(taken, baseMs);
    socket.send({
      alignment,
      audio: toBase64(audio),
      isFinal: null,
      // The edge knows one spelling of the text: the one that was spoken.
      normalizedAlignment: alignment,
      ...toContextNames(contextId),
    });
  }
}

/** Clients read one or the other. */
export const toContextNames = (
  contextId: string | undefined,
): { readonly contextId?: string; readonly context_id?: string } =>
  contextId === undefined ? {} : { contextId, context_id: contextId };

export const toFinalMessage = (contextId: string | undefined): object => ({
  alignment: null,
  audio: null,
  isFinal: true,
  normalizedAlignment: null,
  ...toContextNames(contextId),
});

/** Whole milliseconds, under both spellings that are in circulation. */
function toSocketAlignment({ chars, startMs, durationMs }: Alignment, baseMs: number): object {
  const starts = startMs.map((start) => Math.max(0, Math.round(start - baseMs)));
  const durations = durationMs.map((duration) => Math.round(duration));
  return {
    chars,
    charStartTimesMs: starts,
    charDurationsMs: durations,
    charsStartTimesMs: starts,
    charsDurationsMs: durations,
  };
}
