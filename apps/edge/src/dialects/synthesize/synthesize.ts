import { newSessionId } from "@tts-labs/core/ids";
import type { Logger } from "@tts-labs/core/logger";
import type { CacheUse } from "@tts-labs/core/session/utterance-end";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { wavHeader } from "@tts-labs/protocol/audio/wav-header";
import { validate } from "@tts-labs/protocol/client-message";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { parseJsonObject } from "@tts-labs/protocol/json-object";
import { MAX_CLIENT_MESSAGE_BYTES, MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import {
  type RequestedOptions,
  type SpeechDefaults,
  speechOptionsShape,
} from "@tts-labs/protocol/speech-options";
import { z } from "zod";
import type { EdgeBudget } from "../../budget/edge-budget.ts";
import { Outbound } from "../../delivery/outbound.ts";
import type { EdgeObserver } from "../../edge-observer.ts";
import type { HttpExchange } from "../../http/exchange.ts";
import type { SessionRegistry } from "../../session/registry.ts";
import type { Session } from "../../session/session.ts";
import { type AudioFormat, parseAccept } from "../accept.ts";
import { GatheredSink, insteadOfWhole, wholeAnswer } from "./gathered-sink.ts";
import { audioHeaders, ResponseSink } from "./response-sink.ts";
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
  ...speechOptionsShape,
});

export interface SynthesizeSettings {
  readonly defaults: SpeechDefaults;
  readonly frameSamples: number;
  readonly outboundFrames: number;
  readonly slowClientNoticeMs: number;
  readonly slowClientMs: number;
  readonly maxJsonAudioBytes: number;
}

export interface SynthesizeServices {
  readonly registry: SessionRegistry;
  readonly settings: SynthesizeSettings;
  readonly budget: Pick<
    EdgeBudget,
    "requestBodies" | "jsonAnswers" | "unreadResponses" | "turns" | "connections" | "unsettled" | "givenUp"
  >;
  readonly observer: EdgeObserver;
  readonly logger: Logger;
}

type AnswerSink = GatheredSink | ResponseSink;

interface Answer {
  readonly format: AudioFormat;
  /** It is sent once it is complete, and not as it is made. */
  readonly isGathered: boolean;
}

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * `POST /api/v1/synthesize`: one request is one session with one utterance. Answers in every case; must be
 * called in the request's own tick, so that its body is not missed.
 */
export async function synthesize(exchange: HttpExchange, services: SynthesizeServices): Promise<void> {
  const { observer, logger } = services;
  try {
    const { budget } = services;
    budget.connections.assertRoom();
    // The body first, also of a request that will be refused: what came after an answer could not be bounded.
    const bytes = await exchange.readBody(MAX_CLIENT_MESSAGE_BYTES, budget.requestBodies);
    const format = parseHeaders(exchange);
    await budget.givenUp.mayBegin(exchange);
    if (!exchange.isOpen) return;
    await budget.unsettled.mayBegin();
    if (!exchange.isOpen) return;
    await budget.turns.run(() => {
      const {
        text,
        whole = false,
        ...requested
      } = validate(synthesizeBodySchema, parseJsonObject(bytes, BODY), "the body");
      const isGathered = whole || format === "json";
      if (isGathered) assertFits(text, requested, format, services.settings);
      speak(openSession(exchange, { format, isGathered }, services), text, requested);
    });
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.family === "cancelled") return;
    observer.errorTold(error.code);
    if (error.code === "internal") {
      logger.error({ err: error.cause, requestId: exchange.requestId }, "a request failed");
    }
    exchange.answerError(error);
  }
}

/** @throws GatewayError as `Session.text`; the session is closed then */
function speak(session: Session, text: string, requested: RequestedOptions): void {
  try {
    session.text(text, requested, true);
  } catch (error) {
    session.close(toGatewayError(error));
    throw error;
  }
}

/**
 * Before anything is asked of the provider: what has been spoken is paid for.
 * @throws GatewayError `protocol.not_acceptable`
 */
function assertFits(
  text: string,
  requested: RequestedOptions,
  format: AudioFormat,
  settings: SynthesizeSettings,
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
function parseHeaders({ accept, contentType, contentEncoding }: HttpExchange): AudioFormat {
  const format = parseAccept(accept);
  if (!/^(identity)?$/i.test(contentEncoding)) {
    throw unsupported(
      `The body must not be compressed: content-encoding is ${shown(contentEncoding)}; send it plain.`,
    );
  }
  const [type = "", charset] = contentType.split(/;\s*charset\s*=\s*/i, 2);
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw unsupported(`The body must be application/json, not ${shown(contentType)}.`);
  }
  if (charset !== undefined && !/^"?utf-?8"?\s*(;|$)/i.test(charset)) {
    throw unsupported(`The body must be in UTF-8, as JSON is; content-type says ${shown(contentType)}.`);
  }
  return format;
}

const MAX_SHOWN_HEADER = 100;
const shown = (header: string): string => `"${header.slice(0, MAX_SHOWN_HEADER)}"`;
const unsupported = (message: string) => new GatewayError("protocol.unsupported_media_type", message);

/** @throws GatewayError `capacity.too_many_sessions`, `draining` */
function openSession(exchange: HttpExchange, answer: Answer, services: SynthesizeServices): Session {
  const { registry, settings, observer } = services;
  const onDone = () => queueMicrotask(() => session.close(new GatewayError("cancelled.client_gone")));
  const cacheUse = () => session.utterances[0]?.cacheUse ?? "off";
  const knownSamples = () => session.utterances[0]?.knownSamples;
  const sink = openSink(exchange, answer, services, {
    onWritable: () => outbound.resume(),
    onDone,
    cacheUse,
    knownSamples,
  });
  const outbound: Outbound = new Outbound({
    sink,
    observer,
    maxFrames: settings.outboundFrames,
    overflow: "wait",
    slowClient: { noticeAfterMs: settings.slowClientNoticeMs, cutAfterMs: settings.slowClientMs },
    onOverflow: (error) => session.disconnect(error),
  });
  const session: Session = registry.open({
    sessionId: newSessionId(),
    requestId: exchange.requestId,
    dialect: "synthesize",
    outbound,
    sentenceCache: false,
    frameSize: { samples: settings.frameSamples },
    disconnect: (reason) => sink.fail(reason),
  });
  exchange.onGone(() => session.close(new GatewayError("cancelled.client_gone")));
  return session;
}

function openSink(
  exchange: HttpExchange,
  { format, isGathered }: Answer,
  { settings, budget, observer }: SynthesizeServices,
  calls: {
    readonly onWritable: () => void;
    readonly onDone: () => void;
    /** The cache's part, which is known when the first frame is there. */
    readonly cacheUse: () => CacheUse;
    /** Of the whole speech, where the cache has it. */
    readonly knownSamples: () => number | undefined;
  },
): AnswerSink {
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
