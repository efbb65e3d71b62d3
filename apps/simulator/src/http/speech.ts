import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Fault, faultDurationMs } from "../faults/faults.ts";
import type { Services } from "../services.ts";
import { type Speech, speak } from "../speech/compose.ts";
import { reached, type Timing } from "../timing.ts";
import { toSpeechParameters } from "../voice/speech-parameters.ts";
import { encodeFile } from "../wire/encode-audio.ts";
import { alignSeconds } from "../wire/seconds-alignment.ts";
import { goneSignal, readJson, sendError, sendJson, serviceHeaders } from "./answer.ts";
import { type HttpError, httpErrors } from "./error.ts";
import { parseSpeechOrder, type SpeechOrder } from "./speech-request.ts";
import { sendPieces, sendTimedLines } from "./stream.ts";

export type SpeechRoute = "" | "stream" | "with-timestamps" | "stream/with-timestamps";

interface Errand {
  readonly voiceId: string;
  readonly route: SpeechRoute;
  readonly query: URLSearchParams;
  readonly timing: Timing;
  readonly fault: Fault | undefined;
}

/** The four speech routes (docs/elevenlabs.md 3). A request holds a slot while it is open. */
export class HttpSpeech {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  async answer(request: IncomingMessage, response: ServerResponse, errand: Errand): Promise<void> {
    const read = await readJson(request);
    if ("status" in read) {
      sendError(response, read);
      return;
    }
    const whole = errand.route === "" || errand.route === "with-timestamps";
    const order = parseSpeechOrder(errand.voiceId, errand.query, read.json, whole);
    const refusal = "status" in order ? order : refusalFor(errand.fault);
    if (refusal !== undefined) {
      sendError(response, refusal);
      return;
    }
    if ("status" in order) return;
    const signal = goneSignal(response);
    const { slots } = this.#services;
    if (!(await slots.enter(errand.timing.queueWaitMs(), signal))) {
      sendError(response, httpErrors.tooManyConcurrent(slots.limit));
      return;
    }
    try {
      await this.#speak(response, errand, order, signal);
    } finally {
      slots.leave();
    }
  }

  async #speak(response: ServerResponse, errand: Errand, order: SpeechOrder, signal: AbortSignal) {
    const { timing, route, fault } = errand;
    const beganMs = performance.now();
    const dueMs = beganMs + timing.firstAudioMs(order.model);
    const speech = await speak(this.#services.engine, {
      text: order.text,
      parameters: toSpeechParameters(order),
      sampleRateHz: order.format.sampleRateHz,
    });
    const stallMs = fault?.name === "stall-before-audio" ? faultDurationMs(fault) : 0;
    const totalMs = (speech.samples.length * 1000) / speech.sampleRateHz;
    const whole = route === "" || route === "with-timestamps";
    const generationMs = whole ? timing.generationMs(totalMs) : 0;
    if (!(await reached(dueMs + stallMs + generationMs, signal))) return;
    if (fault?.name === "drop-before-audio") {
      response.destroy();
      return;
    }
    const headers = this.#headers(order, performance.now() - beganMs, whole);
    if (route === "with-timestamps") {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      const audio = await encodeFile(speech.samples, order.format);
      sendJson(response, 200, { audio_base64: audio.toString("base64"), ...alignSeconds(speech) });
    } else if (route === "") {
      const audio = await encodeFile(speech.samples, order.format);
      response.writeHead(200, { ...headers, "content-type": order.format.contentType });
      response.end(audio);
    } else await this.#stream(response, errand, order, { speech, headers, signal });
  }

  async #stream(
    response: ServerResponse,
    { route, timing, fault }: Errand,
    order: SpeechOrder,
    made: { readonly speech: Speech; readonly headers: Record<string, string>; readonly signal: AbortSignal },
  ): Promise<void> {
    const { speech, headers, signal } = made;
    const { format } = order;
    const timed = route === "stream/with-timestamps";
    response.writeHead(200, { ...headers, "content-type": timed ? "application/json" : format.contentType });
    const answer = { response, speech, timing, fault, signal, format, key: order.text };
    if (await (timed ? sendTimedLines(answer) : sendPieces(answer))) response.end();
  }

  /** The plan's limit is told by them, never as 0: where there is none, it is the number of sockets held open. */
  #headers({ text, model }: SpeechOrder, tookMs: number, whole: boolean): Record<string, string> {
    const { slots, settings } = this.#services;
    return {
      ...serviceHeaders(),
      "request-id": randomBytes(10).toString("hex"),
      "history-item-id": randomBytes(10).toString("hex"),
      "character-cost": String(Math.ceil(text.length * model.creditsPerCharacter)),
      "current-concurrent-requests": String(slots.taken),
      "maximum-concurrent-requests": String(slots.limit > 0 ? slots.limit : settings.maxConnections),
      "workspace-concurrent-requests": String(slots.taken),
      ...(whole ? { "tts-latency-ms": String(Math.round(tookMs)) } : {}),
    };
  }
}

function refusalFor(fault: Fault | undefined): HttpError | undefined {
  switch (fault?.name) {
    case "upgrade-429":
      return httpErrors.busy(429);
    case "upgrade-500":
      return httpErrors.wentWrong();
    case "upgrade-503":
      return httpErrors.busy(503);
    case "quota-error":
      return httpErrors.quota();
    case "upgrade-error":
    case "opening-error":
    case "named-error":
      return httpErrors.named(fault.errorName);
    default:
      return undefined;
  }
}
