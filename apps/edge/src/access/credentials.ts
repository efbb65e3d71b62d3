/** What a request shows of itself. */
export interface Credentials {
  /** An API key, of the headers `authorization` (Bearer), `xi-api-key` and `x-api-key` the first that has one; "": none. */
  readonly key: string;
  /** A browser token, in the query's `token`; "": none. */
  readonly token: string;
  /** Of the page it comes from; "": from none. */
  readonly origin: string;
}

/** Reads a request's header; "" where it is missing. */
export type HeaderReader = (name: string) => string;

const BEARER = /^bearer +(\S+) *$/i;
const TOKEN = /(?:^|&)token=([A-Za-z0-9_-]{1,128})(?:&|$)/;

/** Keys are taken from headers only: addresses are logged and remembered by everything that they pass. */
export function toCredentials(header: HeaderReader, query: string, origin: string): Credentials {
  const [, bearer = ""] = BEARER.exec(header("authorization")) ?? [];
  const [, token = ""] = TOKEN.exec(query) ?? [];
  return { key: bearer || header("xi-api-key") || header("x-api-key"), token, origin };
}
