import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { wavHeader } from "@tts-labs/protocol/audio/wav-header";
import { isPlain, type OutputFormat } from "../../delivery/encoders/output-format.ts";
import type { HttpExchange } from "../../http/exchange.ts";
import { assertJsonBody } from "../json-body.ts";
import {
  type AnswerCalls,
  type AnswerSink,
  encodedAnswer,
  type SpeechRequestServices,
  speakOnce,
  takeSpeechRequest,
} from "../one-utterance.ts";
import { type ResponseFormat, ResponseSink } from "../synthesize/response-sink.ts";
import type { VoiceNames } from "../voice-names.ts";
import { type OpenAiRequest, parseOpenAiBody } from "./body.ts";
import { SpeechEvents } from "./speech-events.ts";

export interface OpenAiServices extends SpeechRequestServices {
  readonly voices: VoiceNames;
}

const NOTHING: Uint8Array = new Uint8Array(0);

/** `POST /v1/audio/speech`. Must be called in the request's own tick. */
export const speakAsOpenAi = (exchange: HttpExchange, services: OpenAiServices): Promise<void> =>
  takeSpeechRequest(
    exchange,
    services,
    async () => {
      assertJsonBody(exchange);
      await services.voices.ready();
    },
    (bytes, _, attempt) => {
      const request = parseOpenAiBody(bytes, services.voices, services.settings.defaults);
      const { text, requested } = request;
      const openSink = (calls: AnswerCalls) => openAnswer(exchange, request, services, calls);
      speakOnce(exchange, { dialect: "openai", attempt, text, requested, openSink }, services);
    },
  );

function openAnswer(
  exchange: HttpExchange,
  request: OpenAiRequest,
  services: OpenAiServices,
  calls: AnswerCalls,
): AnswerSink {
  const { settings, budget, observer } = services;
  const fromHz = settings.defaults.sampleRateHz;
  const isWav = request.format.codec === "wav" && isPlain(request.format, fromHz);
  const format = isWav ? asPcm(request.format) : request.format;
  const preamble = () => {
    if (!isWav) return NOTHING;
    const samples = calls.knownSamples();
    return wavHeader(fromHz, samples === undefined ? undefined : samples * BYTES_PER_SAMPLE);
  };
  const audio: ResponseFormat = {
    headers: () => ({ ...toHeaders(request.format), "x-cache": calls.cacheUse() }),
    preamble,
  };
  const sink = new ResponseSink({
    exchange,
    format: request.isSse ? new SpeechEvents(request.text, audio) : audio,
    ...calls,
    unread: budget.unreadResponses,
    onUnread: () => observer.budgetReached("unread-responses", "closed"),
  });
  return encodedAnswer({ sink, format, fromHz }, exchange, services, calls);
}

/** The samples of a WAV whose header is written apart, with its length where that is known. */
const asPcm = ({ name, sampleRateHz, contentType }: OutputFormat): OutputFormat => ({
  name,
  codec: "pcm",
  sampleRateHz,
  contentType,
});

const toHeaders = ({ codec, contentType, sampleRateHz }: OutputFormat): Readonly<Record<string, string>> => ({
  // Their name for Opus in Ogg.
  "content-type": codec === "opus" ? "audio/opus" : contentType,
  "x-sample-rate": String(sampleRateHz),
  "cache-control": "no-store",
});
