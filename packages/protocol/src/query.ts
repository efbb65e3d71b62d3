import { GatewayError } from "./errors.ts";

/**
 * The parameters of a URL's query, `+` and percent-encoding undone. `URLSearchParams` would put U+FFFD for what is no
 * UTF-8, so that two ids could become one.
 * @throws GatewayError `protocol.invalid_message` for an encoding that is none, and a name given twice
 */
export function parseQuery(query: string): Record<string, string> {
  const found: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const part of query.split("&")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    const name = decode(at < 0 ? part : part.slice(0, at));
    if (Object.hasOwn(found, name)) {
      throw new GatewayError(
        "protocol.invalid_message",
        `Not valid, the query: it has ${shown(name)} twice.`,
      );
    }
    found[name] = at < 0 ? "" : decode(part.slice(at + 1));
  }
  return found;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (cause) {
    const message = `Not valid, the query: ${shown(text)} is not percent-encoded UTF-8; write "%" as %25.`;
    throw new GatewayError("protocol.invalid_message", message, { cause });
  }
}

const MAX_SHOWN = 60;

/** Quoted, and control characters escaped. */
const shown = (text: string): string => JSON.stringify(text.slice(0, MAX_SHOWN));
