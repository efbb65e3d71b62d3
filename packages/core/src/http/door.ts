import { GatewayError } from "@tts-labs/protocol/errors";

export interface DoorOptions {
  /** Address that the server listens on. */
  readonly boundTo: string;
  /** Host names, without ports, under which the server is reached besides those of this machine. */
  readonly allowedHosts?: readonly string[];
  /** Origins of other sites whose pages may use the server, as browsers write them; "*": any but `null`. */
  readonly allowedOrigins?: readonly string[];
}

/** What a request says of the server it means, and of the page it comes from; "" where it says nothing. */
export interface Claims {
  readonly host: string;
  readonly origin: string;
}

/** Name and port of a `Host` header; a name with anything else in it matches nothing. */
const HOST = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]]+?)\.?(?::(\d{1,5}))?$/;
const ORIGIN = /^(https?):\/\/(.+)$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };
const LOOPBACK = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/;
const ADDRESS = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[[0-9a-f:.]+\])$/;

/**
 * What every request passes before anything else is asked, so that no web page of a stranger's uses a server that its
 * visitor can reach.
 *
 * - `Host`: a server on a loopback address answers to the names of this machine and to `allowedHosts` only, else a
 *   stranger's page could reach it by a name of its own that it lets point here (DNS rebinding). On other addresses any
 *   name will do unless `allowedHosts` are given; addresses always will, since no name can be made to point at them.
 * - `Origin`: absent from programs, which pass. A page passes that comes from this very host and port, or from one of
 *   `allowedOrigins`. `null` (a file, a sandbox) never passes: any page can become that.
 *
 * `Forwarded` and `X-Forwarded-*` are not looked at.
 */
export class Door {
  readonly #isLoopback: boolean;
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;

  constructor({ boundTo, allowedHosts = [], allowedOrigins = [] }: DoorOptions) {
    this.#isLoopback = isLoopback(boundTo);
    this.#hosts = new Set(allowedHosts.map((it) => it.toLowerCase()));
    this.#origins = new Set(allowedOrigins.map((it) => it.toLowerCase()));
  }

  /** @returns why the request is not served: `authentication.host_refused` or `authentication.origin_refused` */
  refusal({ host, origin }: Claims): GatewayError | undefined {
    if (!this.#takesHost(host)) {
      const message =
        "This server does not answer to the Host of the request: reach it by localhost or by an address of this machine, or name it in ALLOWED_HOSTS.";
      return new GatewayError("authentication.host_refused", message);
    }
    if (origin === "" || this.isListed(origin) || isSame(origin, host)) return undefined;
    return new GatewayError("authentication.origin_refused");
  }

  /** Whether pages of another site may use the server: their answers need CORS headers. */
  isListed(origin: string): boolean {
    if (origin === "" || origin === "null") return false;
    return this.#origins.has("*") || this.#origins.has(origin.toLowerCase());
  }

  /** Headers of every answer: what a page of `origin` may read of it, where that is another site's. */
  answerHeaders(origin: string): Readonly<Record<string, string>> {
    if (this.#origins.size === 0) return NO_HEADERS;
    if (!this.isListed(origin)) return VARY;
    return {
      ...VARY,
      "access-control-allow-origin": origin,
      "access-control-expose-headers": EXPOSED_HEADERS,
    };
  }

  /** Headers of the answer to a preflight (`OPTIONS` with `Access-Control-Request-Method`). */
  preflightHeaders(origin: string, methods: readonly string[]): Readonly<Record<string, string>> {
    if (!this.isListed(origin)) return NO_HEADERS;
    return {
      "access-control-allow-methods": methods.join(", "),
      "access-control-allow-headers": REQUEST_HEADERS,
      "access-control-max-age": String(PREFLIGHT_AGE_S),
    };
  }

  #takesHost(host: string): boolean {
    const [, name = ""] = HOST.exec(host.toLowerCase()) ?? [];
    if (name === "") return false;
    if (LOOPBACK.test(name) || this.#hosts.has(name)) return true;
    if (this.#isLoopback) return false;
    return this.#hosts.size === 0 || ADDRESS.test(name);
  }
}

/** How long a browser may remember the answer to a preflight. */
const PREFLIGHT_AGE_S = 600;
const REQUEST_HEADERS =
  "accept, authorization, content-type, idempotency-key, x-api-key, x-request-id, xi-api-key";
const EXPOSED_HEADERS = "retry-after, x-cache, x-request-id, x-sample-rate";
const NO_HEADERS: Readonly<Record<string, string>> = {};
/** Caches must not give one site's answer to another. */
const VARY: Readonly<Record<string, string>> = { vary: "origin" };

/** Whether a page of `origin` has come from the server that `host` names. */
function isSame(origin: string, host: string): boolean {
  const [, scheme = "", authority = ""] = ORIGIN.exec(origin.toLowerCase()) ?? [];
  const from = HOST.exec(authority);
  const here = HOST.exec(host.toLowerCase());
  if (from === null || here === null || from[1] !== here[1]) return false;
  const port = DEFAULT_PORTS[scheme];
  return (from[2] ?? port) === (here[2] ?? port);
}

/** Whether a server that listens there can be reached from its own machine only. */
export const isLoopback = (boundTo: string): boolean =>
  LOOPBACK.test(boundTo.includes(":") ? `[${boundTo}]` : boundTo.toLowerCase());

/** Whether `origin` is one that a browser could send; what else is in an allow-list is a mistake. */
export function isOrigin(origin: string): boolean {
  const [, , authority = ""] = ORIGIN.exec(origin.toLowerCase()) ?? [];
  return HOST.test(authority);
}
