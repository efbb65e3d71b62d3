import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { wavHeader } from "@tts-labs/protocol/audio/wav-header";
import { validate } from "@tts-labs/protocol/client-message";
import { GatewayError } from "@tts-labs/protocol/errors";
import { parseJsonObject } from "@tts-labs/protocol/json-object";
import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import { type RequestedOptions, speechOptionsShape } from "@tts-labs/protocol/speech-options";
import { z } from "zod";
import { isPlain, type OutputFormat, parseOutputFormat } from "../../delivery/encoders/output-format.ts";
import type { HttpExchange } from "../../http/exchange.ts";
import { type AcceptedFormat, type AudioFormat, parseAccept } from "../accept.ts";
import { assertJsonBody } from "../json-body.ts";
import {
  type AnswerCalls,
  type AnswerSink,
  encodedAnswer,
  type SpeechRequestServices,
  type SpeechRequestSettings,
  speakOnce,
  takeSpeechRequest,
} from "../one-utterance.ts";
import { GatheredSink, insteadOfWhole, wholeAnswer } from "./gathered-sink.ts";
import { audioHeaders, encodedHeaders, ResponseSink } from "./response-sink.ts";
import { ESTIMATE_SLACK, estimateSpeechBytes } from "./speech-estimate.ts";

/** The body of `POST /api/v1/synthesize`. */
export const synthesizeBodySchema = z.strictObject({
  text: z
    .string()
    .max(MAX_UTTERANCE_CHARACTERS)
    .regex(/\S/, "must hold something to say")
    .describe("What to say, complete."),
  whole: z
    .boolean()
    .optional()
    .describe(
      "With `Accept: audio/wav` or `audio/pcm`: answer once the speech is complete, so that a WAV states its true length; else it is streamed as it is made. JSON always is whole.",
    ),
  format: z
    .string()
    .max(40)
    .optional()
    .describe(
      "What the audio is: `mp3`, `opus`, `flac`, `mulaw`, `alaw`, `wav`, `pcm`, or one of these with its rates, such as `pcm_16000` or `mp3_44100_128`. It goes before `Accept`; docs/formats.md has all.",
    ),
  ...speechOptionsShape,
});

type Answer =
  | {
      readonly kind: "own";
      readonly format: AudioFormat;
      /** It is sent once it is complete, and not as it is made. */
      readonly isGathered: boolean;
    }
  | { readonly kind: "encoded"; readonly format: OutputFormat };

const NOTHING: Uint8Array = new Uint8Array(0);

/** `POST /api/v1/synthesize`. Must be called in the request's own tick. */
export const synthesize = (exchange: HttpExchange, services: SpeechRequestServices): Promise<void> =>
  takeSpeechRequest(
    exchange,
    services,
    () => parseHeaders(exchange),
    (bytes, accepted, attempt) => {
      const body = parseJsonObject(bytes, BODY);
      const { text, whole, format, ...requested } = validate(synthesizeBodySchema, body, "the body");
      const answer = chooseAnswer(format ?? accepted, whole === true, services.settings);
      if (answer.kind === "own" && answer.isGathered) {
        assertFits(text, requested, answer.format, services.settings);
      }
      const openSink = (calls: AnswerCalls) => openAnswer(exchange, answer, services, calls);
      speakOnce(exchange, { dialect: "synthesize", attempt, text, requested, openSink }, services);
    },
  );

/** @throws GatewayError `protocol.not_acceptable`, `protocol.invalid_message` */
function chooseAnswer(name: string, isWhole: boolean, { defaults }: SpeechRequestSettings): Answer {
  if (name === "json") return { kind: "own", format: "json", isGathered: true };
  const format = parseOutputFormat(name, defaults.sampleRateHz);
  const { codec } = format;
  if (isPlain(format, defaults.sampleRateHz) && (codec === "wav" || codec === "pcm")) {
    return { kind: "own", format: codec, isGathered: isWhole };
  }
  if (!isWhole) return { kind: "encoded", format };
  const message = `"whole" goes with wav and pcm at ${defaults.sampleRateHz} Hz; ${format.name} is streamed: leave it out.`;
  throw new GatewayError("protocol.invalid_message", message, { facts: { field: "whole" } });
}

/**
 * Before anything is asked of the provider: what has been spoken is paid for.
 * @throws GatewayError `protocol.not_acceptable`
 */
function assertFits(
  text: string,
  requested: RequestedOptions,
  format: AudioFormat,
  settings: SpeechRequestSettings,
): void {
  const { maxJsonAudioBytes: limit, defaults } = settings;
  const estimatedBytes = estimateSpeechBytes(text, defaults.sampleRateHz, requested.voice_settings?.speed);
  if (estimatedBytes <= limit) return;
  throw new GatewayError(
    "protocol.not_acceptable",
    `Text of ${text.length} characters makes more speech than the ${limit} bytes that ${wholeAnswer(format)} may carry: ${insteadOfWhole(format)}.`,
    { facts: { limit, characters: text.length, estimatedBytes } },
  );
}

const BODY = { what: "The body", example: `{"text":"Hello."}` };

/** @throws GatewayError `protocol.not_acceptable`, `protocol.unsupported_media_type` */
function parseHeaders(exchange: HttpExchange): AcceptedFormat {
  const format = parseAccept(exchange.accept);
  assertJsonBody(exchange);
  return format;
}

function openAnswer(
  exchange: HttpExchange,
  answer: Answer,
  services: SpeechRequestServices,
  calls: AnswerCalls,
): AnswerSink {
  if (answer.kind === "encoded") return openEncodedAnswer(exchange, answer.format, services, calls);
  const { settings, budget, observer } = services;
  const { format, isGathered } = answer;
  const { sampleRateHz } = settings.defaults;
  if (isGathered) {
    return new GatheredSink({
      exchange,
      format,
      sampleRateHz,
      maxBytes: settings.maxJsonAudioBytes * ESTIMATE_SLACK,
      onDone: calls.onDone,
      budget: budget.jsonAnswers,
      onRefused: () => observer.budgetReached("json-answers", "refused"),
    });
  }
  const headers = () => ({ ...audioHeaders(format, sampleRateHz), "x-cache": calls.cacheUse() });
  const preamble = () => {
    if (format !== "wav") return NOTHING;
    const samples = calls.knownSamples();
    return wavHeader(sampleRateHz, samples === undefined ? undefined : samples * BYTES_PER_SAMPLE);
  };
  return new ResponseSink({
    exchange,
    format: { headers, preamble },
    ...calls,
    unread: budget.unreadResponses,
    onUnread: () => observer.budgetReached("unread-responses", "closed"),
  });
}

function openEncodedAnswer(
  exchange: HttpExchange,
  format: OutputFormat,
  services: SpeechRequestServices,
  calls: AnswerCalls,
): AnswerSink {
  const { settings, budget, observer } = services;
  const sink = new ResponseSink({
    exchange,
    format: {
      headers: () => ({ ...encodedHeaders(format), "x-cache": calls.cacheUse() }),
      preamble: () => NOTHING,
    },
    ...calls,
    unread: budget.unreadResponses,
    onUnread: () => observer.budgetReached("unread-responses", "closed"),
  });
  return encodedAnswer({ sink, format, fromHz: settings.defaults.sampleRateHz }, exchange, services, calls);
}
