import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { STATUS_CODES } from "node:http";
import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { Door } from "@tts-labs/core/http/door";
import { SECURITY_HEADERS } from "@tts-labs/core/http/security-headers";
import { newRequestId, REQUEST_ID_PATTERN } from "@tts-labs/core/ids";
import { toErrorBody } from "@tts-labs/protocol/error-body";
import { GatewayError, toHttpStatus } from "@tts-labs/protocol/errors";
import type { Caller } from "../access/caller.ts";
import { type Credentials, toCredentials } from "../access/credentials.ts";

/** Bytes of a request's address that are told back in an error. */
const MAX_SHOWN_PATH = 100;
/** Statuses whose answers have no body, and say no length. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

/** An error as one dialect tells it over HTTP. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

export type ErrorForm = (error: GatewayError, requestId: string) => ErrorAnswer;

/** The form of our own routes. */
const ownForm: ErrorForm = (error, requestId) => ({
  status: toHttpStatus(error),
  headers: retryAfter(error),
  body: { error: toErrorBody(error), request_id: requestId },
});

/** In whole seconds, as the header has it. */
export const retryAfter = ({ retryAfterMs }: GatewayError): Readonly<Record<string, string>> =>
  retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };

/** The `x-request-id` of a request where it is fit to be logged, else one of our own. */
export function toRequestId(request: HttpRequest): string {
  const given = request.getHeader("x-request-id");
  return REQUEST_ID_PATTERN.test(given) ? given : newRequestId();
}

/** Of a route that asks for no credentials. */
const UNASKED: Promise<Caller> = Promise.reject(new GatewayError("authentication.missing"));
UNASKED.catch(() => undefined);

/**
 * One HTTP request and its answer. uWS forgets the request when its handler returns, ends the process when a
 * handler neither answers nor listens for the abort, and throws when an aborted response is touched: so what
 * is needed is copied here at once, the abort is listened for at once, and every answer asks first.
 */
export class HttpExchange {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly accept: string;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly ifNoneMatch: string;
  /** The header of ElevenLabs' clients that holds their key; never logged. */
  readonly xiApiKey: string;
  /** Names a synthesis that may be sent again, and must not be made again; "": none. */
  readonly idempotencyKey: string;
  /** The model, where a client of Vercel's names it; "": none. */
  readonly aiModelId: string;
  readonly host: string;
  readonly origin: string;
  /** For `Access`, and for no log. */
  readonly credentials: Credentials;
  /** Asks what a page of another site may send: the method it names is not this request's. */
  readonly isPreflight: boolean;
  readonly response: HttpResponse;
  /** Of every answer, unless it brings its own. */
  readonly #headers: Readonly<Record<string, string>>;
  #authentication: Promise<Caller> = UNASKED;
  #caller: Caller | undefined;
  readonly #onGone: (() => void)[] = [];
  readonly #onOver: (() => void)[] = [];
  #state: "open" | "answered" | "gone" = "open";
  #isLast = false;
  /** Nothing more is read of this request: what follows it on the connection would never be seen. */
  #isPaused = false;

  readonly #errorForm: ErrorForm;

  constructor(
    response: HttpResponse,
    request: HttpRequest,
    door: Pick<Door, "answerHeaders">,
    errorForm: ErrorForm = ownForm,
  ) {
    this.response = response;
    this.#errorForm = errorForm;
    this.requestId = toRequestId(request);
    this.method = request.getCaseSensitiveMethod();
    this.path = request.getUrl();
    // Without a "?" it is undefined, whatever the typings say.
    this.query = request.getQuery() ?? "";
    this.accept = request.getHeader("accept");
    this.contentType = request.getHeader("content-type");
    this.contentEncoding = request.getHeader("content-encoding");
    this.ifNoneMatch = request.getHeader("if-none-match");
    this.xiApiKey = request.getHeader("xi-api-key");
    this.idempotencyKey = request.getHeader("idempotency-key");
    this.aiModelId = request.getHeader("ai-model-id");
    this.host = request.getHeader("host");
    this.origin = request.getHeader("origin");
    this.credentials = toCredentials((name) => request.getHeader(name), this.query, this.origin);
    this.isPreflight = this.method === "OPTIONS" && request.getHeader("access-control-request-method") !== "";
    this.#headers = { ...SECURITY_HEADERS, ...door.answerHeaders(this.origin) };
    response.onAborted(() => {
      if (this.#state === "open") this.#end("gone");
      for (const act of this.#onGone.splice(0)) act();
    });
  }

  /** The path as errors show it. */
  get shownPath(): string {
    return this.path.slice(0, MAX_SHOWN_PATH);
  }

  /** Whether a key or a token was shown, good or bad. */
  get hasCredentials(): boolean {
    return this.credentials.key !== "" || this.credentials.token !== "";
  }

  /** As `caller`; `undefined` while it is not known. */
  get knownCaller(): Caller | undefined {
    return this.#caller;
  }

  /**
   * The party that asks, once it is known. @throws GatewayError `authentication.missing` before, so that a handler that does not
   * await `authenticated` refuses rather than serves
   */
  get caller(): Caller {
    if (this.#caller === undefined) throw new GatewayError("authentication.missing");
    return this.#caller;
  }

  /** Resolves when `caller` is known. @throws GatewayError as `Access.authenticate` */
  get authenticated(): Promise<Caller> {
    return this.#authentication;
  }

  /** @param asked the caller itself where access is open: then `knownCaller` is there in this very tick */
  authenticateBy(asked: Promise<Caller> | Caller): void {
    if (!(asked instanceof Promise)) {
      this.#caller = asked;
      this.#authentication = Promise.resolve(asked);
      return;
    }
    this.#authentication = asked.then((caller) => {
      this.#caller = caller;
      return caller;
    });
    // It is awaited when the body is there, and not at all where that fails.
    this.#authentication.catch(() => undefined);
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** The client went away before the answer was complete. */
  onGone(act: () => void): void {
    if (this.#state === "gone") act();
    else this.#onGone.push(act);
  }

  /** The answer is complete, or will never be: called once, at once where that is so already. */
  onOver(act: () => void): void {
    if (this.#state === "open") this.#onOver.push(act);
    else act();
  }

  /** The answer will close the connection. */
  closeAfterAnswer(): void {
    this.#isLast = true;
  }

  /** The answer is complete: from now on nothing may touch it. */
  markAnswered(): void {
    if (this.#state === "open") this.#end("answered");
  }

  answer(status: number, headers: Readonly<Record<string, string>>, body: string | Uint8Array = ""): void {
    if (this.#state !== "open") return;
    this.#end("answered");
    this.response.cork(() => {
      this.writeHead(status, headers);
      // When a length is set, uWS takes an answer without a body for one that is not complete, and leaves it open.
      if (this.method === "HEAD") {
        this.response.writeHeader("content-length", String(Buffer.byteLength(body))).endWithoutBody();
      } else if (BODILESS.has(status)) this.response.endWithoutBody();
      else this.response.end(body, this.#isLast);
    });
  }

  answerJson(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
    this.answer(status, { "content-type": "application/json", ...headers }, JSON.stringify(body));
  }

  /** The typed error as JSON in the dialect's form, with the status that belongs to it. */
  answerError(error: GatewayError, headers: Readonly<Record<string, string>> = {}): void {
    const { status, headers: own, body } = this.#errorForm(error, this.requestId);
    this.answerJson(status, body, { ...own, ...headers });
  }

  /** Cuts the connection: an answer that has begun and can't be completed must not look complete. */
  abort(): void {
    if (this.#state !== "open") return;
    this.#end("answered");
    // This waits: the response may be corked, and must not die inside its own cork.
    queueMicrotask(() => this.response.close());
  }

  notFound(): void {
    this.answerError(new GatewayError("protocol.not_found", `There is no ${this.shownPath} here.`));
  }

  methodNotAllowed(allowed: readonly string[]): void {
    const allow = allowed.join(", ");
    this.answerError(
      new GatewayError(
        "protocol.method_not_allowed",
        `${this.shownPath} takes ${allow}, not ${this.method.slice(0, 16)}.`,
      ),
      { allow },
    );
  }

  /** Status and headers; the caller has corked the response and goes on with the body. */
  writeHead(status: number, headers: Readonly<Record<string, string>>): void {
    this.response.writeStatus(`${status} ${STATUS_CODES[status] ?? "Status"}`);
    for (const [name, value] of Object.entries({ ...this.#headers, ...headers })) {
      this.response.writeHeader(name, value);
    }
    this.response.writeHeader("x-request-id", this.requestId);
    if (this.#isPaused) this.response.writeHeader("connection", "close");
  }

  #end(state: "answered" | "gone"): void {
    this.#state = state;
    for (const act of this.#onOver.splice(0)) act();
  }

  /** Until uWS closes the connection for its silence. Closing it at once could cost the client the answer. */
  #stopReading(): void {
    this.#isPaused = true;
    this.response.pause();
  }

  /**
   * The whole body, at most `limitBytes`, and while it comes of `budget`, which all requests share; uWS cuts off a
   * client that stops sending it. Of one that is refused for its length nothing more is read.
   * @throws GatewayError `protocol.message_too_large`, `capacity.overloaded`, `cancelled.client_gone`
   */
  readBody(limitBytes: number, budget: ByteBudget): Promise<Uint8Array> {
    let takenBytes = 0;
    const parts: Uint8Array[] = [];
    const read = new Promise<Uint8Array>((resolve, reject) => {
      let bytes = 0;
      this.onGone(() => reject(new GatewayError("cancelled.client_gone")));
      this.response.onData((part, isLast) => {
        if (!this.isOpen) return;
        bytes += part.byteLength;
        if (bytes <= limitBytes && budget.tryTake(part.byteLength)) takenBytes += part.byteLength;
        else if (bytes <= limitBytes) {
          this.#stopReading();
          reject(bodiesFull());
          return;
        }
        if (bytes > limitBytes) {
          this.#stopReading();
          const message = `The body has more than ${limitBytes} bytes.`;
          reject(new GatewayError("protocol.message_too_large", message, { facts: { limit: limitBytes } }));
          return;
        }
        // uWS takes its memory back when this returns.
        parts.push(new Uint8Array(part.slice(0)));
        if (isLast) resolve(Buffer.concat(parts));
      });
    });
    return read.finally(() => {
      parts.length = 0;
      budget.giveBack(takenBytes);
    });
  }
}

const bodiesFull = (): GatewayError =>
  new GatewayError("capacity.overloaded", "The bodies of all requests take as much memory as they may.", {
    facts: { budget: "request-bodies" },
    retryAfterMs: 1_000,
  });
