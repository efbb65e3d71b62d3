import { newSessionId } from "@tts-labs/core/ids";
import type { CompletedSpeech } from "@tts-labs/core/session/utterance-end";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { RequestedOptions } from "@tts-labs/protocol/speech-options";
import { type Caller, scopedId } from "../../access/caller.ts";
import { EncodingSink } from "../../delivery/encoders/encoding-sink.ts";
import { Outbound } from "../../delivery/outbound.ts";
import type { Session } from "../../session/session.ts";
import type { SpeechRequestServices } from "../one-utterance.ts";
import type { VoiceNames } from "../voice-names.ts";
import type { StartFrame, TextDelta } from "./client-frame.ts";
import { PartSink, type PartSocket } from "./part-sink.ts";
import { asksForFlush, toSocketFormat, understand } from "./speech-request.ts";

export interface SpeechStreamOptions {
  readonly start: StartFrame;
  readonly modelId: string;
  readonly requestId: string;
  readonly caller: Caller;
  readonly socket: PartSocket;
  readonly services: SpeechRequestServices & { readonly voices: VoiceNames };
  /** An utterance was opened. */
  readonly onOpened: () => void;
  /** Ends the connection: with an error that is told first, or because all has been said. */
  readonly end: (error?: GatewayError) => void;
}

/** One speech over the socket: a session of one utterance, from its `start` to its `finish`. */
export class SpeechStream {
  readonly #options: SpeechStreamOptions;
  readonly #requested: RequestedOptions;
  readonly #voice: string | undefined;
  readonly #encoding: EncodingSink;
  readonly #outbound: Outbound;
  readonly #session: Session;
  #characters = 0;
  #isComplete = false;

  /** @throws GatewayError `protocol.*`, `provider.*`, `capacity.*`, `draining` */
  constructor(options: SpeechStreamOptions) {
    this.#options = options;
    const { start, modelId, requestId, caller, socket, services, end } = options;
    const { registry, settings, encoders, observer, voices } = services;
    const { sampleRateHz: fromHz, model: ownModel } = settings.defaults;
    const { requested, warnings } = understand(start, modelId, { voices, ownModel });
    const { format, told } = toSocketFormat(start.outputFormat, fromHz);
    this.#requested = requested;
    this.#voice = start.voice;
    const sink = new PartSink({
      socket,
      audioFormat: told,
      onCompleted: (completed) => this.#finish(completed),
      onFailed: (error) => end(error),
    });
    this.#encoding = new EncodingSink({
      sink,
      format,
      fromHz,
      encoders,
      onWritable: () => this.#outbound.resume(),
      onFailed: (error) => end(error),
    });
    this.#outbound = new Outbound({
      sink: this.#encoding,
      observer,
      maxFrames: settings.outboundFrames,
      overflow: "wait",
      slowClient: { noticeAfterMs: settings.slowClientNoticeMs, cutAfterMs: settings.slowClientMs },
      onOverflow: (error) => this.#session.disconnect(error),
    });
    this.#session = registry.open({
      sessionId: scopedId(caller, newSessionId()),
      caller,
      requestId,
      dialect: "vercel",
      outbound: this.#outbound,
      sentenceCache: false,
      frameSize: { samples: settings.frameSamples },
      disconnect: (reason) => end(reason),
    });
    socket.send({ type: "stream-start", warnings });
    const headers = { "x-request-id": requestId };
    socket.send({
      type: "response-metadata",
      timestamp: new Date().toISOString(),
      modelId: modelId === "" ? ownModel : modelId,
      headers,
    });
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  get mustWait(): boolean {
    return this.#session.mustWait;
  }

  /** @throws GatewayError as `Session.text`, `protocol.invalid_message` */
  take({ delta, voice, providerOptions }: TextDelta): void {
    if (this.#isComplete) return;
    if (voice !== undefined && voice !== (this.#voice ?? voice)) throw anotherVoice();
    if (delta !== "" && (this.#characters > 0 || delta.trim() !== "")) {
      if (this.#session.text(delta, this.#requested) !== undefined) this.#options.onOpened();
      this.#characters += delta.length;
    }
    if (this.#characters > 0 && asksForFlush(providerOptions)) this.#session.flush();
  }

  /** @throws GatewayError as `Session.endText` */
  endText(): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    if (this.#characters > 0) this.#session.endText();
    else this.#sayFinish({});
  }

  /** The socket takes more again. */
  resume(): void {
    this.#outbound.resume();
  }

  /** Lets everything go, and says nothing. May be called twice. */
  close(): void {
    this.#encoding.close();
    this.#session.close(new GatewayError("cancelled.client_gone"));
  }

  #finish({ durationMs, firstAudioMs, latencyMs, cache }: CompletedSpeech): void {
    const of = { durationMs, firstAudioMs, latencyMs, ...(cache === undefined ? {} : { cache }) };
    this.#sayFinish(of);
  }

  #sayFinish(tts: object): void {
    const { socket, requestId, end } = this.#options;
    socket.send({
      type: "finish",
      usage: { inputCharacters: this.#characters },
      providerMetadata: { tts: { requestId, ...tts } },
    });
    end();
  }
}

const anotherVoice = () =>
  new GatewayError(
    "protocol.invalid_message",
    "A speech has one voice, that of its start: open another stream for another voice.",
    { facts: { field: "voice" } },
  );
