import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Fault, faultDurationMs } from "./faults.ts";
import { goneSignal, readJson, sendError, sendJson, serviceHeaders } from "./http-answer.ts";
import { type HttpError, httpErrors } from "./http-error.ts";
import { parseSpeechOrder, type SpeechOrder } from "./http-speech-request.ts";
import type { Services } from "./services.ts";
import { type Speech, speak } from "./speech/compose.ts";
import { toSpeechParameters } from "./speech-parameters.ts";
import { passed, reached, type Timing } from "./timing.ts";
import { encodeFile, openEncoder } from "./wire/encode-audio.ts";
import { alignSeconds } from "./wire/seconds-alignment.ts";

export type SpeechRoute = "" | "stream" | "with-timestamps" | "stream/with-timestamps";

/** Pieces of a streamed answer: 26 were recorded for 2.93 s. */
const PIECE_MS = 112;

interface Errand {
  readonly voiceId: string;
  readonly route: SpeechRoute;
  readonly query: URLSearchParams;
  readonly timing: Timing;
  readonly fault: Fault | undefined;
}

/** The four speech routes (reference/elevenlabs.md 3). A request holds a slot while it is open. */
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
    const dueMs = performance.now() + timing.firstAudioMs(order.model);
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
    const headers = this.#headers(order);
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
    { format }: SpeechOrder,
    made: { readonly speech: Speech; readonly headers: Record<string, string>; readonly signal: AbortSignal },
  ): Promise<void> {
    const { speech, headers, signal } = made;
    const timed = route === "stream/with-timestamps";
    response.writeHead(200, { ...headers, "content-type": timed ? "application/json" : format.contentType });
    const encoder = await openEncoder(format);
    const step = Math.round((PIECE_MS * speech.sampleRateHz) / 1000);
    const total = speech.samples.length;
    const beganMs = performance.now();
    let held: Buffer = Buffer.alloc(0);
    let struck = false;
    for (let from = 0; from < total; from += step) {
      const until = Math.min(total, from + step);
      const audibleMs = (until * 1000) / speech.sampleRateHz;
      if (!(await reached(beganMs + timing.generationMs(audibleMs - PIECE_MS), signal))) return;
      const last = until === total;
      const made = [
        held,
        encoder.encode(speech.samples.subarray(from, until)),
        ...(last ? [encoder.finish()] : []),
      ];
      let audio = Buffer.concat(made);
      held = Buffer.alloc(0);
      if (fault?.name === "odd-pcm" && format.codec === "pcm" && !last && audio.length % 2 === 0) {
        held = Buffer.from(audio.subarray(-1));
        audio = audio.subarray(0, -1);
      }
      const line = () =>
        `${JSON.stringify({ audio_base64: audio.toString("base64"), ...alignSeconds(speech, [from, until]) })}\n`;
      if (!(await write(response, timed ? line() : audio, signal))) return;
      if (struck || fault === undefined || audibleMs < (fault.afterMs ?? 0)) continue;
      if (fault.name === "drop-after-audio" || fault.name === "error-mid-stream") {
        response.destroy();
        return;
      }
      if (fault.name === "stall-mid-segment") {
        struck = true;
        if (!(await passed(faultDurationMs(fault), signal))) return;
      }
    }
    response.end();
  }

  #headers({ text, model }: SpeechOrder): Record<string, string> {
    const { slots } = this.#services;
    return {
      ...serviceHeaders(),
      "request-id": randomBytes(10).toString("hex"),
      "character-cost": String(Math.ceil(text.length * model.creditsPerCharacter)),
      "current-concurrent-requests": String(slots.taken),
      "maximum-concurrent-requests": String(slots.limit),
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
    default:
      return undefined;
  }
}

/** Waits until the client has room again. False when it is gone. */
async function write(
  response: ServerResponse,
  piece: Buffer | string,
  signal: AbortSignal,
): Promise<boolean> {
  if (signal.aborted) return false;
  if (response.write(piece)) return true;
  return await new Promise((resolve) => {
    const done = (more: boolean) => {
      response.off("drain", onDrain);
      signal.removeEventListener("abort", onGone);
      resolve(more);
    };
    const onDrain = () => done(true);
    const onGone = () => done(false);
    response.once("drain", onDrain);
    signal.addEventListener("abort", onGone, { once: true });
  });
}
