import type { CacheUse } from "@tts-labs/core/session/utterance-end";
import { wavHeader } from "@tts-labs/protocol/audio/wav-header";
import { GatewayError } from "@tts-labs/protocol/errors";
import { parseQuery } from "@tts-labs/protocol/query";
import { z } from "zod";
import type { HttpExchange } from "../../../http/exchange.ts";
import {
  type AnswerCalls,
  type AnswerSink,
  encodedAnswer,
  type SpeechRequestServices,
  speakOnce,
  takeSpeechRequest,
} from "../../one-utterance.ts";
import { type GatheredForm, GatheredSink } from "../../synthesize/gathered-sink.ts";
import { type ResponseFormat, ResponseSink } from "../../synthesize/response-sink.ts";
import { ESTIMATE_SLACK, estimateSpeechBytes } from "../../synthesize/speech-estimate.ts";
import {
  DEFAULT_FORMAT,
  isOnlySamples,
  parseOutputFormat,
  type SpokenFormat,
  toContentType,
} from "../wire/output-format.ts";
import {
  checked,
  type ElevenLabsBody,
  parseSpeechBody,
  parseVoiceId,
  toRequestedOptions,
} from "../wire/speech-body.ts";
import { TimedLines, TimedWhole } from "./timed-answer.ts";

/** The query of the speech routes. Names it does not know are ignored. */
export const elevenLabsQuerySchema = z.object({
  output_format: z.string().max(64).default(DEFAULT_FORMAT).describe("Codec, sample rate and bit rate."),
  enable_logging: z
    .string()
    .max(16)
    .optional()
    .describe(
      "false: the provider is asked to keep nothing of it, and it is neither cached nor shared here.",
    ),
});

/** The four forms of the route, by what follows the voice in the path. */
export const SPEECH_FORMS = ["", "stream", "with-timestamps", "stream/with-timestamps"] as const;
export type SpeechForm = (typeof SPEECH_FORMS)[number];

interface Request {
  readonly exchange: HttpExchange;
  readonly form: SpeechForm;
  readonly spoken: SpokenFormat;
  readonly body: ElevenLabsBody;
}

const NOTHING: Uint8Array = new Uint8Array(0);
/** Place of the voice in the path, `/v1/text-to-speech/{voice_id}…`. */
const VOICE_SEGMENT = 3;

/** `POST /v1/text-to-speech/{voice_id}` in its four forms. Must be called in the request's own tick. */
export const speakAsElevenLabs = (
  exchange: HttpExchange,
  form: SpeechForm,
  services: SpeechRequestServices,
): Promise<void> =>
  takeSpeechRequest(
    exchange,
    services,
    () => {
      const query = checked(elevenLabsQuerySchema, parseQuery(exchange.query), "query");
      const place = form === "" ? "whole" : "stream";
      return {
        isLogged: query.enable_logging !== "false",
        voice: parseVoiceId(exchange.path.split("/")[VOICE_SEGMENT] ?? ""),
        spoken: parseOutputFormat(query.output_format, place, services.settings.defaults.sampleRateHz),
      };
    },
    (bytes, { voice, spoken, isLogged }, attempt) => {
      const body = parseSpeechBody(bytes);
      const requested = { ...toRequestedOptions(voice, body), ...(isLogged ? {} : { logging: false }) };
      const { fromHz: sampleRateHz } = spoken;
      const request = { exchange, form, spoken, body };
      if (isGathered(request)) assertFits(request, services);
      const openSink = (calls: AnswerCalls) => openAnswer(request, services, calls);
      speakOnce(
        exchange,
        { dialect: "elevenlabs", attempt, text: body.text, requested, sampleRateHz, openSink },
        services,
      );
    },
  );

/** It is answered once it is complete: its lengths, or its object, are not known before. */
const isGathered = ({ form, spoken }: Pick<Request, "form" | "spoken">): boolean =>
  form === "with-timestamps" || (spoken.format.codec === "wav" && isOnlySamples(spoken));

const INSTEAD: Readonly<Record<"timed" | "file", string>> = {
  timed: "ask for /stream/with-timestamps",
  file: "ask for /stream",
};

/** Before anything is asked of the provider. @throws GatewayError `capacity.text_too_long` */
function assertFits({ form, spoken, body }: Request, { settings }: SpeechRequestServices): void {
  const { maxJsonAudioBytes: limit } = settings;
  const bytes = estimateSpeechBytes(body.text, spoken.fromHz, body.voice_settings?.speed ?? undefined);
  if (bytes <= limit) return;
  const instead = INSTEAD[form === "with-timestamps" ? "timed" : "file"];
  throw new GatewayError(
    "capacity.text_too_long",
    `Text of ${body.text.length} characters makes more speech than a whole answer may carry: ${instead}.`,
    { facts: { limit, characters: body.text.length } },
  );
}

function openAnswer(request: Request, services: SpeechRequestServices, calls: AnswerCalls): AnswerSink {
  const { exchange, spoken } = request;
  const sink = isGathered(request)
    ? openGathered(request, services, calls)
    : openStreamed(request, services, calls);
  return isOnlySamples(spoken) ? sink : encodedAnswer({ sink, ...spoken }, exchange, services, calls);
}

function openGathered(request: Request, services: SpeechRequestServices, calls: AnswerCalls): GatheredSink {
  const { settings, budget, observer } = services;
  return new GatheredSink({
    exchange: request.exchange,
    format: "json",
    sampleRateHz: request.spoken.fromHz,
    form: toGatheredForm(request, (cache) => toHeaders(request, services, cache)),
    maxBytes: settings.maxJsonAudioBytes * ESTIMATE_SLACK,
    onDone: calls.onDone,
    budget: budget.jsonAnswers,
    onRefused: () => observer.budgetReached("json-answers", "refused"),
  });
}

function openStreamed(request: Request, services: SpeechRequestServices, calls: AnswerCalls): ResponseSink {
  const { budget, observer } = services;
  return new ResponseSink({
    exchange: request.exchange,
    format: toStreamedForm(request, () => toHeaders(request, services, calls.cacheUse())),
    ...calls,
    unread: budget.unreadResponses,
    onUnread: () => observer.budgetReached("unread-responses", "closed"),
  });
}

function toStreamedForm({ form }: Request, headers: ResponseFormat["headers"]): ResponseFormat {
  if (form !== "stream/with-timestamps") return { headers, preamble: () => NOTHING };
  const lines = new TimedLines();
  return {
    headers,
    preamble: () => NOTHING,
    take: (event) => lines.take(event),
    encode: (pcm) => lines.encode(pcm),
    finish: () => lines.finish(),
  };
}

function toGatheredForm(
  { form, spoken }: Request,
  headers: (cache: CacheUse) => Readonly<Record<string, string>>,
): GatheredForm {
  const common = { headers: ({ cache = "off" }: { readonly cache?: CacheUse }) => headers(cache) };
  if (form !== "with-timestamps") {
    const envelope = (pcmBytes: number) => {
      const before = wavHeader(spoken.fromHz, pcmBytes);
      return { before, encode: (pcm: Buffer) => pcm, after: "" };
    };
    return { ...common, take: () => 0, envelope, instead: INSTEAD.file };
  }
  const timed = new TimedWhole();
  const envelope = () => ({
    before: '{"audio_base64":"',
    encode: (pcm: Buffer) => pcm.toString("base64"),
    after: timed.rest,
  });
  return { ...common, take: (event) => timed.take(event), envelope, instead: INSTEAD.timed };
}

/** What a character costs with a model, in the provider's credits (docs/elevenlabs.md 3.2). */
const creditsPerCharacter = (model: string): number => (/flash|turbo/.test(model) ? 0.5 : 1);

function toHeaders(
  { exchange, form, spoken, body }: Request,
  { registry, settings }: SpeechRequestServices,
  cache: CacheUse,
): Readonly<Record<string, string>> {
  const model = body.model_id ?? settings.defaults.model;
  // What was spoken before, or is being spoken for another, costs nothing more.
  const isPaid = cache === "miss" || cache === "off";
  const cost = isPaid ? Math.ceil(body.text.length * creditsPerCharacter(model)) : 0;
  return {
    "content-type": form.endsWith("with-timestamps") ? "application/json" : toContentType(spoken.format),
    "cache-control": "no-store",
    "request-id": exchange.requestId,
    "x-trace-id": exchange.requestId,
    "x-cache": cache,
    "character-cost": String(cost),
    "current-concurrent-requests": String(registry.utterances),
    "maximum-concurrent-requests": String(registry.maxSessions),
  };
}
