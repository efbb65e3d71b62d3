import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import type { TokenPurpose } from "@tts-labs/core/access/browser-tokens";
import type { Role } from "@tts-labs/core/access/key-store";
import type { Door } from "@tts-labs/core/http/door";
import { toGatewayError } from "@tts-labs/protocol/errors";
import type { Access } from "../access/access.ts";
import { OPEN_CALLER } from "../access/caller.ts";
import type { RequestGate } from "../budget/request-gate.ts";
import { type ErrorForm, HttpExchange } from "./exchange.ts";

export type RequestHandler = (exchange: HttpExchange) => void;
/** HEAD is answered by GET's handler. */
export type RouteMethods = Readonly<Partial<Record<"GET" | "POST", RequestHandler>>>;

export interface RoutesOptions {
  readonly door: Door;
  readonly gate: RequestGate;
  readonly access: Pick<Access, "authenticate" | "isOpen">;
  /** What credentials must be good for on this port. */
  readonly role: Role;
}

/** Every HTTP route of one port. What is asked of all requests is asked here, before any handler runs. */
export class Routes {
  readonly #app: TemplatedApp;
  readonly #options: RoutesOptions;

  constructor(app: TemplatedApp, options: RoutesOptions) {
    this.#app = app;
    this.#options = options;
    app.filter((response, change) => this.#onConnection(response, Number(change)));
  }

  /**
   * Methods without a handler are told which ones there are; preflights of other sites' pages are answered. A POST is
   * handled at once, since its body would be missed later; its handler asks for a turn when it has that, and awaits
   * `exchange.authenticated`. A GET's handler runs only once its caller is known.
   * @param errorForm of the route's dialect, also for what is refused before its handler is asked
   */
  add(path: string, methods: RouteMethods, errorForm?: ErrorForm): void {
    this.#add(path, methods, (exchange) => this.authenticate(exchange, "synthesize"), errorForm);
  }

  /** A route for which a key has to be shown: a token won't do. */
  addForKeys(path: string, methods: RouteMethods, errorForm?: ErrorForm): void {
    this.#add(path, methods, (exchange) => this.authenticate(exchange), errorForm);
  }

  /** A route that answers everybody: a page, a probe. No session can be opened there. */
  addPublic(path: string, methods: RouteMethods): void {
    this.#add(path, methods, undefined);
  }

  /** Finds out which party asks, so that `exchange.caller` is known. @throws GatewayError as `Access.authenticate` */
  authenticate(exchange: HttpExchange, token?: TokenPurpose): Promise<unknown> {
    const { access, role } = this.#options;
    const purpose = token === undefined ? { role } : { role, token };
    exchange.authenticateBy(access.isOpen ? OPEN_CALLER : access.authenticate(exchange.credentials, purpose));
    return exchange.authenticated;
  }

  #add(
    path: string,
    methods: RouteMethods,
    authenticate: ((exchange: HttpExchange) => Promise<unknown>) | undefined,
    errorForm?: ErrorForm,
  ): void {
    const { door, gate } = this.#options;
    const taken = Object.keys(methods).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    this.#app.any(path, (response, request) => {
      const exchange = this.enter(response, request, errorForm);
      if (exchange === undefined) return;
      const method = exchange.method === "HEAD" ? "GET" : exchange.method;
      const handle = Object.hasOwn(methods, method) ? methods[method as keyof RouteMethods] : undefined;
      if (handle !== undefined) {
        const known = authenticate?.(exchange);
        if (method === "POST") handle(exchange);
        else if (known === undefined) gate.run(exchange, () => handle(exchange));
        else {
          const refuse = (error: unknown) => exchange.answerError(toGatewayError(error));
          known.then(
            () => gate.run(exchange, () => handle(exchange)),
            (error: unknown) => gate.run(exchange, () => refuse(error)),
          );
        }
      } else if (method === "OPTIONS" && exchange.isPreflight) {
        const headers = door.preflightHeaders(exchange.origin, taken);
        gate.run(exchange, () => exchange.answer(204, headers));
      } else gate.run(exchange, () => exchange.methodNotAllowed(taken));
    });
  }

  /** What no route takes. */
  addRest(): void {
    this.#app.any("/*", (response, request) => {
      const exchange = this.enter(response, request);
      if (exchange !== undefined) this.#options.gate.run(exchange, () => exchange.notFound());
    });
  }

  /** The request, once the door has let it in; undefined where it has been answered instead. */
  enter(response: HttpResponse, request: HttpRequest, errorForm?: ErrorForm): HttpExchange | undefined {
    const { door, gate } = this.#options;
    const exchange = new HttpExchange(response, request, door, errorForm);
    gate.enter(exchange);
    const refusal = door.refusal(exchange);
    if (refusal === undefined) return exchange;
    gate.run(exchange, () => exchange.answerError(refusal));
    return undefined;
  }

  /** What is beyond all bounds is closed before it has said anything. uWS tells of no end after an upgrade. */
  #onConnection(response: HttpResponse, change: number): void {
    const { connections } = this.#options.gate;
    if (change < 0) connections.closed();
    else if (!connections.opened()) response.close();
  }
}
