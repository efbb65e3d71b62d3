import type { CompletedSpeech } from "@tts-labs/core/session/utterance-end";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { EncodedSink } from "../../delivery/encoders/encoding-sink.ts";
import type { SpeechEvent } from "../../delivery/speech-event.ts";
import type { ToldFormat } from "./speech-request.ts";

/** What a part sink writes to. */
export interface PartSocket {
  readonly writable: boolean;
  batch(send: () => void): void;
  send(part: object): void;
}

export interface PartSinkOptions {
  readonly socket: PartSocket;
  readonly audioFormat: ToldFormat;
  /** All of it has been sent. */
  readonly onCompleted: (completed: CompletedSpeech) => void;
  readonly onFailed: (error: GatewayError) => void;
}

/** Speech as the parts of Vercel's stream: what is sent in one batch is one part. Words ride beside empty audio. */
export class PartSink implements EncodedSink {
  readonly #options: PartSinkOptions;
  #pieces: Uint8Array[] = [];

  constructor(options: PartSinkOptions) {
    this.#options = options;
  }

  get writable(): boolean {
    return this.#options.socket.writable;
  }

  batch(send: () => void): void {
    this.#options.socket.batch(() => {
      send();
      this.#sendPieces();
    });
  }

  sendEncoded(piece: Uint8Array): void {
    this.#pieces.push(piece);
  }

  tell(event: SpeechEvent): void {
    if (event.kind === "words") {
      const words = event.words.map(({ text, startMs, endMs }) => ({ text, startMs, endMs }));
      this.#tell({
        words,
        ...(event.replacesFromMs === undefined ? {} : { replacesFromMs: event.replacesFromMs }),
      });
    } else if (event.kind === "substituted") this.#tell({ substituted: { ...event.substitute } });
    else if (event.kind === "ended") this.#end(event);
  }

  #end({ end }: Extract<SpeechEvent, { kind: "ended" }>): void {
    this.#sendPieces();
    if (end.kind === "completed") this.#options.onCompleted(end);
    else if (end.kind === "failed") this.#options.onFailed(end.error);
  }

  /** In order with the audio: what was gathered goes before it. */
  #tell(tts: object): void {
    this.#sendPieces();
    const { socket, audioFormat } = this.#options;
    socket.send({ type: "audio", audio: "", audioFormat, providerMetadata: { tts } });
  }

  #sendPieces(): void {
    if (this.#pieces.length === 0) return;
    const audio = Buffer.concat(this.#pieces).toString("base64");
    this.#pieces = [];
    const { socket, audioFormat } = this.#options;
    socket.send({ type: "audio", audio, audioFormat });
  }
}
