import type { GatewayError } from "@tts-labs/protocol/errors";
import type { SpeechEvent } from "../../delivery/speech-event.ts";
import type { ResponseFormat } from "../synthesize/response-sink.ts";
import { toOpenAiError } from "./errors.ts";

/** OpenAI counts tokens, which we don't have: about four characters of text, and 50 ms of speech, are one of theirs. */
const CHARACTERS_PER_TOKEN = 4;
const MS_PER_TOKEN = 50;
const NOTHING: Uint8Array = new Uint8Array(0);

/** The speech as server-sent events, in which a fault in the middle has a name. */
export class SpeechEvents implements ResponseFormat {
  readonly #characters: number;
  readonly #audio: ResponseFormat;
  #preamble: Uint8Array = NOTHING;
  #durationMs = 0;

  /** @param audio the same answer without events */
  constructor(text: string, audio: ResponseFormat) {
    this.#characters = text.length;
    this.#audio = audio;
  }

  readonly headers = (): Readonly<Record<string, string>> => ({
    ...this.#audio.headers(),
    "content-type": "text/event-stream",
  });

  /** It goes with the first audio. */
  readonly preamble = (): Uint8Array => {
    this.#preamble = this.#audio.preamble();
    return NOTHING;
  };

  readonly take = (event: SpeechEvent): void => {
    if (event.kind === "ended" && event.end.kind === "completed") this.#durationMs = event.end.durationMs;
  };

  readonly encode = (audio: Buffer): Uint8Array => {
    const all = this.#preamble.byteLength === 0 ? audio : Buffer.concat([this.#preamble, audio]);
    this.#preamble = NOTHING;
    return toEvent({ type: "speech.audio.delta", audio: all.toString("base64") });
  };

  readonly finish = (): Uint8Array => {
    const input = Math.ceil(this.#characters / CHARACTERS_PER_TOKEN);
    const output = Math.ceil(this.#durationMs / MS_PER_TOKEN);
    const usage = { input_tokens: input, output_tokens: output, total_tokens: input + output };
    const rest = this.#preamble.byteLength === 0 ? NOTHING : this.encode(Buffer.alloc(0));
    return Buffer.concat([rest, toEvent({ type: "speech.audio.done", usage })]);
  };

  readonly fail = (error: GatewayError): Uint8Array =>
    toEvent({ error: toOpenAiError(error).error }, "error");
}

const toEvent = (data: object, name?: string): Uint8Array =>
  Buffer.from(`${name === undefined ? "" : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`);
