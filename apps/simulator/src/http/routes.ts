import type { IncomingMessage, ServerResponse } from "node:http";
import type { BuildInfo } from "@tts-labs/core/process/build-info";
import { chooseFault } from "../choose-fault.ts";
import { faultDurationMs } from "../faults/faults.ts";
import type { Services } from "../services.ts";
import { passed, Timing } from "../timing.ts";
import { HttpAccount, routeName } from "./account.ts";
import { HttpAdmin } from "./admin.ts";
import { goneSignal, sendError, sendJson } from "./answer.ts";
import { type HttpError, httpErrors } from "./error.ts";
import { HttpSpeech, type SpeechRoute } from "./speech.ts";

const SPEECH = /^\/v1\/text-to-speech\/([^/]+)(?:\/(stream|with-timestamps|stream\/with-timestamps))?$/;

/** What `/metrics` answers. */
export interface MetricsPage {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Everything that is no socket. */
export class HttpRoutes {
  readonly #services: Services;
  readonly #metrics: MetricsPage;
  readonly #build: BuildInfo;
  readonly #admin: HttpAdmin;
  readonly #account: HttpAccount;
  readonly #speech: HttpSpeech;

  constructor(services: Services, metrics: MetricsPage, build: BuildInfo) {
    this.#services = services;
    this.#metrics = metrics;
    this.#build = build;
    this.#admin = new HttpAdmin(services);
    this.#account = new HttpAccount(services);
    this.#speech = new HttpSpeech(services);
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => response.destroy());
    try {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://simulator");
      await this.#route(request, response, decodeURIComponent(pathname), searchParams);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else if (error instanceof URIError) sendError(response, httpErrors.noRoute());
      else sendError(response, httpErrors.wentWrong());
    } finally {
      request.resume();
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams) {
    if (path === "/healthz" || path === "/readyz") sendJson(response, 200, { status: "ok" });
    else if (path === "/version") sendJson(response, 200, this.#build);
    else if (path === "/metrics") {
      response.setHeader("content-type", this.#metrics.contentType);
      response.end(await this.#metrics.text());
    } else if (path.startsWith("/admin/")) await this.#admin.answer(request, response, path);
    else await this.#serve(request, response, path, query);
  }

  /** The service's own routes: counted, and for those with a key. */
  async #serve(request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams) {
    const [, voiceId, route = ""] = SPEECH.exec(path) ?? [];
    const name = voiceId === undefined ? path : `text-to-speech/${route}`;
    response.on("close", () => this.#services.witness.requested(routeName(name), response.statusCode));
    const refusal = this.#authenticate(request, query);
    if (refusal !== undefined) sendError(response, refusal);
    else if (voiceId === undefined) this.#account.answer(request, response, path, query);
    else if (request.method !== "POST") sendError(response, httpErrors.wrongMethod());
    else {
      const { witness, settings, faults } = this.#services;
      const fault = chooseFault(request, voiceId, faults);
      if (fault === "unknown") {
        sendError(response, httpErrors.unknownFault());
        return;
      }
      if (fault !== undefined) witness.fault(fault);
      const slowMs = fault?.name === "slow-upgrade" ? faultDurationMs(fault) : 0;
      if (!(await passed(slowMs, goneSignal(response)))) return;
      await this.#speech.answer(request, response, {
        voiceId,
        route: route as SpeechRoute,
        query,
        fault,
        timing: new Timing(settings, witness.nextConnectionNumber()),
      });
    }
  }

  #authenticate(request: IncomingMessage, query: URLSearchParams): HttpError | undefined {
    switch (this.#services.keyring.judge(request.headers, query)) {
      case "good":
        return undefined;
      case "none":
        return httpErrors.noKey();
      case "bad":
        return httpErrors.invalidKey(String(request.headers["xi-api-key"] ?? ""));
    }
  }
}
