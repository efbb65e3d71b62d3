import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import type { Door } from "@tts-labs/core/http/door";
import { HttpExchange } from "./exchange.ts";

export type RequestHandler = (exchange: HttpExchange) => void;
/** HEAD is answered by GET's handler. */
export type RouteMethods = Readonly<Partial<Record<"GET" | "POST", RequestHandler>>>;

/** Every HTTP route of one port. What is asked of all requests is asked here, before any handler runs. */
export class Routes {
  readonly #app: TemplatedApp;
  readonly #door: Door;

  constructor(app: TemplatedApp, door: Door) {
    this.#app = app;
    this.#door = door;
  }

  /** Methods without a handler are told which ones there are; preflights of other sites' pages are answered. */
  add(path: string, methods: RouteMethods): void {
    const taken = Object.keys(methods).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    this.#app.any(path, (response, request) => {
      const exchange = this.enter(response, request);
      if (exchange === undefined) return;
      const method = exchange.method === "HEAD" ? "GET" : exchange.method;
      const handle = Object.hasOwn(methods, method) ? methods[method as keyof RouteMethods] : undefined;
      if (handle !== undefined) handle(exchange);
      else if (method === "OPTIONS" && exchange.isPreflight) {
        exchange.answer(204, this.#door.preflightHeaders(exchange.origin, taken));
      } else exchange.methodNotAllowed(taken);
    });
  }

  /** What no route takes. */
  addRest(): void {
    this.#app.any("/*", (response, request) => this.enter(response, request)?.notFound());
  }

  /** The request, once the door has let it in; undefined where it has been answered instead. */
  enter(response: HttpResponse, request: HttpRequest): HttpExchange | undefined {
    const exchange = new HttpExchange(response, request, this.#door);
    const refusal = this.#door.refusal(exchange);
    if (refusal === undefined) return exchange;
    exchange.answerError(refusal);
    return undefined;
  }
}
