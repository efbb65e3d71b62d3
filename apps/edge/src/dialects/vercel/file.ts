import { validate } from "@tts-labs/protocol/client-message";
import { parseJsonObject } from "@tts-labs/protocol/json-object";
import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import { z } from "zod";
import type { OutputFormat } from "../../delivery/encoders/output-format.ts";
import type { HttpExchange } from "../../http/exchange.ts";
import { assertJsonBody } from "../json-body.ts";
import {
  type AnswerCalls,
  type AnswerSink,
  encodedAnswer,
  speakOnce,
  takeSpeechRequest,
} from "../one-utterance.ts";
import { GatheredSink } from "../synthesize/gathered-sink.ts";
import { ESTIMATE_SLACK } from "../synthesize/speech-estimate.ts";
import type { VercelServices } from "./connection.ts";
import { toFileFormat, understand, type Warning } from "./speech-request.ts";

/** The body of `POST …/speech-model`. Fields that are not known are ignored. */
export const vercelBodySchema = z.object({
  text: z
    .string()
    .max(MAX_UTTERANCE_CHARACTERS)
    .regex(/\S/, "must hold something to say")
    .describe("What to say, complete."),
  voice: z.string().min(1).max(100).optional(),
  outputFormat: z.string().max(100).optional().describe("mp3 where it is missing."),
  instructions: z.string().optional().describe("Not followed."),
  speed: z.number().optional().describe("The nearest that the provider has: 0.7 to 1.2."),
  language: z.string().max(35).optional(),
  providerOptions: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
});

const BODY = { what: "The body", example: `{"text":"Hello."}` };

/** `POST …/speech-model`. Must be called in the request's own tick. */
export const speakAsVercel = (exchange: HttpExchange, services: VercelServices): Promise<void> =>
  takeSpeechRequest(
    exchange,
    services,
    async () => {
      assertJsonBody(exchange);
      await services.voices.ready();
    },
    (bytes, _, attempt) => {
      const { text, outputFormat, ...wishes } = validate(
        vercelBodySchema,
        parseJsonObject(bytes, BODY),
        "the body",
      );
      const { sampleRateHz, model: ownModel } = services.settings.defaults;
      const { requested, warnings } = understand(wishes, exchange.aiModelId, {
        voices: services.voices,
        ownModel,
      });
      const format = toFileFormat(outputFormat, sampleRateHz);
      const answer = { format, warnings, characters: text.length };
      const openSink = (calls: AnswerCalls) => openAnswer(exchange, answer, services, calls);
      speakOnce(exchange, { dialect: "vercel", attempt, text, requested, openSink }, services);
    },
  );

interface Answer {
  readonly format: OutputFormat;
  readonly warnings: readonly Warning[];
  readonly characters: number;
}

function openAnswer(
  exchange: HttpExchange,
  { format, warnings, characters }: Answer,
  services: VercelServices,
  calls: AnswerCalls,
): AnswerSink {
  const { settings, budget, observer } = services;
  const { sampleRateHz: fromHz } = settings.defaults;
  const rest = {
    warnings,
    usage: { inputCharacters: characters },
    providerMetadata: { tts: { requestId: exchange.requestId } },
  };
  const sink = new GatheredSink({
    exchange,
    format: "json",
    sampleRateHz: fromHz,
    maxBytes: settings.maxJsonAudioBytes * ESTIMATE_SLACK,
    budget: budget.jsonAnswers,
    onRefused: () => observer.budgetReached("json-answers", "refused"),
    onDone: calls.onDone,
    form: {
      take: () => 0,
      headers: () => ({ "content-type": "application/json" }),
      envelope: () => ({
        before: '{"audio":"',
        encode: (audio) => audio.toString("base64"),
        after: `",${JSON.stringify(rest).slice(1)}`,
      }),
      instead: "stream it over the socket of the same path",
    },
  });
  return encodedAnswer({ sink, format, fromHz }, exchange, services, calls);
}
