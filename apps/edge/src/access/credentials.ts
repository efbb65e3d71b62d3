import { parseApiKey } from "@tts-labs/core/access/api-key";

/** What a request shows of itself. */
export interface Credentials {
  /** An API key, of the headers `authorization` (Bearer), `xi-api-key`, `x-api-key` and the subprotocols the first that has one. */
  readonly key: string;
  /** A browser token, in the query's `token` (ElevenLabs: `single_use_token`) or among the subprotocols; "": none. */
  readonly token: string;
  /** Of the page it comes from; "": from none. */
  readonly origin: string;
}

/** Reads a request's header; "" where it is missing. */
export type HeaderReader = (name: string) => string;

const BEARER = /^bearer +(\S+) *$/i;
/** Browsers can't set headers on a WebSocket: Vercel's AI SDK shows its key, or a token, among the subprotocols. */
const IN_SUBPROTOCOL = /(?:^|,) *ai-gateway-auth\.([^\s,]+)/;
const TOKEN = /(?:^|&)(?:single_use_)?token=([A-Za-z0-9_-]{1,128})(?:&|$)/;

/** Keys are taken from headers only: addresses are logged and remembered by everything that they pass. */
export function toCredentials(header: HeaderReader, query: string, origin: string): Credentials {
  const [, bearer = ""] = BEARER.exec(header("authorization")) ?? [];
  const [, token = ""] = TOKEN.exec(query) ?? [];
  const [, offered = ""] = IN_SUBPROTOCOL.exec(header("sec-websocket-protocol")) ?? [];
  const isKey = parseApiKey(offered) !== undefined;
  return {
    key: bearer || header("xi-api-key") || header("x-api-key") || (isKey ? offered : ""),
    token: token || (isKey ? "" : offered),
    origin,
  };
}
