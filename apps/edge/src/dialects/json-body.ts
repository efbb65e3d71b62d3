import { GatewayError } from "@tts-labs/protocol/errors";
import type { HttpExchange } from "../http/exchange.ts";

/** @throws GatewayError `protocol.unsupported_media_type` where the headers say that the body is no plain JSON in UTF-8 */
export function assertJsonBody({ contentType, contentEncoding }: HttpExchange): void {
  if (!/^(identity)?$/i.test(contentEncoding)) {
    throw unsupported(
      `The body must not be compressed: content-encoding is ${shown(contentEncoding)}; send it plain.`,
    );
  }
  const [type = "", charset] = contentType.split(/;\s*charset\s*=\s*/i, 2);
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw unsupported(`The body must be application/json, not ${shown(contentType)}.`);
  }
  if (charset !== undefined && !/^"?utf-?8"?\s*(;|$)/i.test(charset)) {
    throw unsupported(`The body must be in UTF-8, as JSON is; content-type says ${shown(contentType)}.`);
  }
}

const MAX_SHOWN_HEADER = 100;
const shown = (header: string): string => `"${header.slice(0, MAX_SHOWN_HEADER)}"`;
const unsupported = (message: string) => new GatewayError("protocol.unsupported_media_type", message);
