import type { IncomingMessage, ServerResponse } from "node:http";
import { type HttpError, httpErrors } from "./http-error.ts";
import type { Services } from "./services.ts";

/** Everything that is no socket. */
export class HttpRoutes {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const { pathname } = new URL(request.url ?? "/", "http://simulator");
    if (pathname === "/healthz" || pathname === "/readyz") {
      send(response, 200, { status: "ok" });
      return;
    }
    if (pathname === "/admin/report") {
      send(response, 200, this.#services.witness.report());
      return;
    }
    fail(response, httpErrors.noRoute());
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

const fail = (response: ServerResponse, { status, body }: HttpError): void => send(response, status, body);
