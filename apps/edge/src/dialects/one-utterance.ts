import { newRequestId, newSessionId } from "@tts-labs/core/ids";
import type { Logger } from "@tts-labs/core/logger";
import type { Dialect } from "@tts-labs/core/session/live-registry";
import type { CacheUse } from "@tts-labs/core/session/utterance-end";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { MAX_CLIENT_MESSAGE_BYTES } from "@tts-labs/protocol/limits";
import type { RequestedOptions, SpeechDefaults } from "@tts-labs/protocol/speech-options";
import { scopedId } from "../access/caller.ts";
import type { TenantLimiter } from "../access/tenant-limiter.ts";
import type { EdgeBudget } from "../budget/edge-budget.ts";
import type { Encoders } from "../delivery/encoders/encoder-threads.ts";
import { type EncodedSink, EncodingSink } from "../delivery/encoders/encoding-sink.ts";
import type { OutputFormat } from "../delivery/encoders/output-format.ts";
import { Outbound } from "../delivery/outbound.ts";
import type { Sink } from "../delivery/sink.ts";
import type { EdgeObserver } from "../edge-observer.ts";
import type { HttpExchange } from "../http/exchange.ts";
import type { SessionRegistry } from "../session/registry.ts";
import type { Session } from "../session/session.ts";
import { Attempt, type AttemptRoles } from "./attempt.ts";

export interface SpeechRequestSettings {
  readonly defaults: SpeechDefaults;
  readonly frameSamples: number;
  readonly outboundFrames: number;
  readonly slowClientNoticeMs: number;
  readonly slowClientMs: number;
  readonly maxJsonAudioBytes: number;
}

export interface SpeechRequestServices {
  readonly registry: SessionRegistry;
  readonly limiter: TenantLimiter;
  readonly settings: SpeechRequestSettings;
  readonly budget: Pick<
    EdgeBudget,
    "requestBodies" | "jsonAnswers" | "unreadResponses" | "turns" | "connections" | "unsettled" | "givenUp"
  >;
  readonly encoders: Encoders;
  readonly attempts: AttemptRoles;
  readonly observer: EdgeObserver;
  readonly logger: Logger;
}

/**
 * One HTTP request for speech, whatever the dialect: its body is read, its turn waited for, and what `speak` throws is
 * answered. Answers in every case; must be called in the request's own tick, so that its body is not missed.
 * @param judge refuses by the headers, before the request counts @param speak is given the body
 */
export async function takeSpeechRequest<Judged>(
  exchange: HttpExchange,
  services: Pick<SpeechRequestServices, "budget" | "limiter" | "observer" | "logger" | "attempts">,
  judge: () => Judged | Promise<Judged>,
  speak: (body: Uint8Array, judged: Judged, attempt: Attempt | undefined) => void,
): Promise<void> {
  const { budget, limiter, observer, logger } = services;
  let attempt: Attempt | undefined;
  try {
    budget.connections.assertRoom();
    // The body first, also of a request that will be refused: what came after an answer could not be bounded.
    const body = await exchange.readBody(MAX_CLIENT_MESSAGE_BYTES, budget.requestBodies);
    const caller = await exchange.authenticated;
    exchange.onOver(await limiter.connect(caller, newRequestId()));
    const judged = await judge();
    attempt = await Attempt.begin(exchange, body, services.attempts);
    await budget.givenUp.mayBegin(exchange);
    if (!exchange.isOpen) return;
    await budget.unsettled.mayBegin();
    if (!exchange.isOpen) return;
    await budget.turns.run(() => speak(body, judged, attempt));
  } catch (thrown) {
    attempt?.failed();
    const error = toGatewayError(thrown);
    if (error.family === "cancelled") return;
    observer.errorTold(error.code);
    if (error.code === "internal") {
      logger.error({ err: error.cause, requestId: exchange.requestId }, "a request failed");
    }
    exchange.answerError(error);
  }
}

/** What an answer's sink may ask of its session, and tell it. */
export interface AnswerCalls {
  readonly onWritable: () => void;
  /** The answer is complete, or has failed. */
  readonly onDone: () => void;
  /** The cache's part, which is known when the first frame is there. */
  readonly cacheUse: () => CacheUse;
  /** Of the whole speech, where the cache has it. */
  readonly knownSamples: () => number | undefined;
}

/** Ends in the answer to a request. */
export interface AnswerSink extends Sink {
  /** Tells the error where the answer has not begun, else cuts the connection. */
  fail(error: GatewayError): void;
}

/** An answer's sink that hears the speech encoded. */
export interface EncodedAnswerSink extends EncodedSink {
  fail(error: GatewayError): void;
}

/** `sink` with the speech encoded on its way there. Of one utterance, as an answer has. */
export function encodedAnswer(
  {
    sink,
    format,
    fromHz,
  }: { readonly sink: EncodedAnswerSink; readonly format: OutputFormat; readonly fromHz: number },
  exchange: HttpExchange,
  { encoders }: Pick<SpeechRequestServices, "encoders">,
  { onWritable }: Pick<AnswerCalls, "onWritable">,
): AnswerSink {
  const fail = (error: GatewayError) => {
    encoding.close();
    sink.fail(error);
  };
  const encoding: EncodingSink = new EncodingSink({
    sink,
    format,
    fromHz,
    encoders,
    onWritable,
    onFailed: fail,
  });
  exchange.onGone(() => encoding.close());
  return {
    get writable() {
      return encoding.writable;
    },
    batch: (send) => encoding.batch(send),
    sendFrame: (frame, of) => encoding.sendFrame(frame, of),
    tell: (event, of) => encoding.tell(event, of),
    fail,
  };
}

export interface OneUtterance {
  readonly dialect: Dialect;
  /** As `takeSpeechRequest` has given it. */
  readonly attempt: Attempt | undefined;
  readonly text: string;
  readonly requested: RequestedOptions;
  /** Absent: the edge's own. */
  readonly sampleRateHz?: number;
  readonly openSink: (calls: AnswerCalls) => AnswerSink;
}

/**
 * Speaks one text as one session with one utterance, into the answer.
 * @throws GatewayError `capacity.*`, `draining`, or as `Session.text`; then nothing stays open
 */
export function speakOnce(
  exchange: HttpExchange,
  utterance: OneUtterance,
  services: SpeechRequestServices,
): void {
  const session = openSession(exchange, utterance, services);
  try {
    session.text(utterance.text, utterance.requested, true);
  } catch (error) {
    session.close(toGatewayError(error));
    throw error;
  }
}

function openSession(
  exchange: HttpExchange,
  { dialect, attempt, sampleRateHz, openSink }: OneUtterance,
  { registry, settings, observer }: SpeechRequestServices,
): Session {
  const onDone = () => {
    attempt?.failed();
    queueMicrotask(() => session.close(new GatewayError("cancelled.client_gone")));
  };
  const sink = openSink({
    onWritable: () => outbound.resume(),
    onDone,
    cacheUse: () => session.utterances[0]?.cacheUse ?? "off",
    knownSamples: () => session.utterances[0]?.knownSamples,
  });
  const outbound: Outbound = new Outbound({
    sink: attempt?.isPending === true ? spokenToItsEnd(exchange, sink, attempt, onDone) : sink,
    observer,
    maxFrames: settings.outboundFrames,
    overflow: "wait",
    slowClient: { noticeAfterMs: settings.slowClientNoticeMs, cutAfterMs: settings.slowClientMs },
    onOverflow: (error) => session.disconnect(error),
  });
  const { caller } = exchange;
  const session: Session = registry.open({
    sessionId: scopedId(caller, newSessionId()),
    caller,
    requestId: exchange.requestId,
    dialect,
    outbound,
    sentenceCache: false,
    frameSize: { samples: settings.frameSamples },
    ...(sampleRateHz === undefined ? {} : { sampleRateHz }),
    ...(attempt?.repeatOf === undefined ? {} : { repeatOf: attempt.repeatOf }),
    disconnect: (reason) => {
      attempt?.failed();
      sink.fail(reason);
    },
  });
  exchange.onGone(() => {
    if (attempt?.isPending === true) outbound.resume();
    else session.close(new GatewayError("cancelled.client_gone"));
  });
  return session;
}

/** What is made for a client that has gone is thrown away, and made all the same: a repeat hears it from the cache. */
const spokenToItsEnd = (
  exchange: HttpExchange,
  sink: AnswerSink,
  attempt: Attempt,
  onDone: () => void,
): Sink => ({
  get writable() {
    return !exchange.isOpen || sink.writable;
  },
  batch: (send) => {
    if (exchange.isOpen) sink.batch(send);
    else send();
  },
  sendFrame: (frame, of) => {
    if (exchange.isOpen) sink.sendFrame(frame, of);
  },
  tell: (event, of) => {
    if (event.kind === "ended") attempt.ended(event.end);
    if (exchange.isOpen) sink.tell(event, of);
    else if (event.kind === "ended") onDone();
  },
});
