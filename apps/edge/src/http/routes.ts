import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import type { Door } from "@tts-labs/core/http/door";
import type { RequestGate } from "../budget/request-gate.ts";
import { type ErrorForm, HttpExchange } from "./exchange.ts";

export type RequestHandler = (exchange: HttpExchange) => void;
/** HEAD is answered by GET's handler. */
export type RouteMethods = Readonly<Partial<Record<"GET" | "POST", RequestHandler>>>;

/** Every HTTP route of one port. What is asked of all requests is asked here, before any handler runs. */
export class Routes {
  readonly #app: TemplatedApp;
  readonly #door: Door;
  readonly #gate: RequestGate;

  constructor(app: TemplatedApp, door: Door, gate: RequestGate) {
    this.#app = app;
    this.#door = door;
    this.#gate = gate;
    app.filter((response, change) => this.#onConnection(response, Number(change)));
  }

  /**
   * Methods without a handler are told which ones there are; preflights of other sites' pages are answered. A POST is
   * handled at once, since its body would be missed later; its handler asks for a turn when it has that.
   * @param errorForm of the route's dialect, also for what is refused before its handler is asked
   */
  add(path: string, methods: RouteMethods, errorForm?: ErrorForm): void {
    const taken = Object.keys(methods).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    this.#app.any(path, (response, request) => {
      const exchange = this.enter(response, request, errorForm);
      if (exchange === undefined) return;
      const method = exchange.method === "HEAD" ? "GET" : exchange.method;
      const handle = Object.hasOwn(methods, method) ? methods[method as keyof RouteMethods] : undefined;
      if (method === "POST" && handle !== undefined) handle(exchange);
      else if (handle !== undefined) this.#gate.run(exchange, () => handle(exchange));
      else if (method === "OPTIONS" && exchange.isPreflight) {
        const headers = this.#door.preflightHeaders(exchange.origin, taken);
        this.#gate.run(exchange, () => exchange.answer(204, headers));
      } else this.#gate.run(exchange, () => exchange.methodNotAllowed(taken));
    });
  }

  /** What no route takes. */
  addRest(): void {
    this.#app.any("/*", (response, request) => {
      const exchange = this.enter(response, request);
      if (exchange !== undefined) this.#gate.run(exchange, () => exchange.notFound());
    });
  }

  /** The request, once the door has let it in; undefined where it has been answered instead. */
  enter(response: HttpResponse, request: HttpRequest, errorForm?: ErrorForm): HttpExchange | undefined {
    const exchange = new HttpExchange(response, request, this.#door, errorForm);
    this.#gate.enter(exchange);
    const refusal = this.#door.refusal(exchange);
    if (refusal === undefined) return exchange;
    this.#gate.run(exchange, () => exchange.answerError(refusal));
    return undefined;
  }

  /** What is beyond all bounds is closed before it has said anything. uWS tells of no end after an upgrade. */
  #onConnection(response: HttpResponse, change: number): void {
    const { connections } = this.#gate;
    if (change < 0) connections.closed();
    else if (!connections.opened()) response.close();
  }
}
