import { SpeechError } from "./speech-error.ts";

const PROTOCOLS: ReadonlySet<string> = new Set(["http:", "https:", "ws:", "wss:"]);

/**
 * The address as a URL of its own.
 * @throws SpeechError `client.invalid_address`, which says how it would be right
 */
export function parseServerAddress(address: string | URL): URL {
  const url = URL.canParse(String(address)) ? new URL(address) : undefined;
  if (url !== undefined && PROTOCOLS.has(url.protocol)) return url;
  const given = String(address).slice(0, MAX_SHOWN);
  const host = given.replace(/^[a-z]*:?\/\//i, "");
  const suggestion = URL.canParse(`http://${host}`) ? `http://${host}` : "http://localhost:8006";
  throw new SpeechError(
    "client.invalid_address",
    `"${given}" is no address of a server: it begins with http:// or https://, as in ${suggestion}.`,
    { facts: { address: given } },
  );
}

const MAX_SHOWN = 200;
