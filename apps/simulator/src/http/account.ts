import type { IncomingMessage, ServerResponse } from "node:http";
import { parseFault } from "../faults/faults.ts";
import type { Services } from "../services.ts";
import { findVoice, VOICES } from "../voice/voices.ts";
import { sendError, sendJson, serviceHeaders } from "./answer.ts";
import { httpErrors } from "./error.ts";
import {
  defaultSettings,
  manyVoices,
  modelList,
  subscription,
  toVoiceJson,
  user,
  voiceList,
  voicePage,
  voicesBomb,
} from "./listings.ts";

const VOICE = /^\/v1\/voices\/([^/]+)$/;
const SETTINGS = /^\/v1\/voices\/([^/]+)\/settings$/;
const TOKEN = /^\/v1\/single-use-token\/(tts_websocket|realtime_scribe|batch_scribe)$/;
const LISTS = new Set(["/v1/voices", "/voices", "/v2/voices"]);

/** The routes about the account: its voices, models, plan and tokens. */
export class HttpAccount {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  answer(request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams): void {
    if (request.method === "POST" && TOKEN.test(path)) {
      sendJson(response, 200, { token: this.#services.keyring.issueToken() });
    } else if (request.method !== "GET") sendError(response, httpErrors.wrongMethod());
    else if (LISTS.has(path)) this.#listVoices(request, response, path, query);
    else this.#tell(response, path);
  }

  #tell(response: ServerResponse, path: string): void {
    const used = this.#services.witness.totals().characters;
    const { limit } = this.#services.slots;
    const [, settingsOf] = SETTINGS.exec(path) ?? [];
    const [, voiceId = settingsOf] = VOICE.exec(path) ?? [];
    if (path === "/v1/models" || path === "/models") sendJson(response, 200, modelList());
    else if (path === "/v1/user") sendJson(response, 200, user(used, limit));
    else if (path === "/v1/user/subscription") sendJson(response, 200, subscription(used, limit));
    else if (path === "/v1/voices/settings/default") sendJson(response, 200, defaultSettings());
    else if (voiceId === undefined) sendError(response, httpErrors.noRoute());
    else {
      const voice = findVoice(voiceId);
      if (voice === undefined) sendError(response, httpErrors.voiceNotFound(voiceId));
      else sendJson(response, 200, settingsOf === undefined ? toVoiceJson(voice) : defaultSettings());
    }
  }

  #listVoices(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
  ): void {
    const { faults, witness } = this.#services;
    const header = request.headers["x-simulator-fault"];
    const fault = typeof header === "string" ? parseFault(header) : faults.takeForListing();
    if (fault !== undefined) witness.fault(fault);
    if (fault?.name === "voices-bomb") {
      response.writeHead(200, {
        "content-type": "application/json",
        "content-encoding": "gzip",
        ...serviceHeaders(),
      });
      response.end(voicesBomb());
      return;
    }
    const voices = fault?.name === "voices-many" ? manyVoices() : VOICES;
    if (path !== "/v2/voices") {
      sendJson(response, 200, voiceList(voices));
      return;
    }
    const page = voicePage(voices, query);
    if ("status" in page) sendError(response, page);
    else sendJson(response, 200, page);
  }
}

/** A closed set of names, however clients misspell. */
export function routeName(path: string): string {
  if (path.startsWith("text-to-speech/")) return path;
  if (SETTINGS.test(path) || path === "/v1/voices/settings/default") return "voice-settings";
  if (VOICE.test(path)) return "voice";
  if (TOKEN.test(path)) return "single-use-token";
  return /^(\/v[12])?\/(voices|models|user|user\/subscription)$/.test(path) ? path : "other";
}
