import { GatewayError } from "./errors.ts";

/** What is parsed, for errors: "The body", and an object that would be right. */
export interface JsonSubject {
  readonly what: string;
  readonly example: string;
}

/** Objects and arrays within each other; nothing that is asked for has more than three. */
const MAX_DEPTH = 16;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Parses bytes that must be one JSON object, in time linear in their number. A byte order mark before it is skipped.
 * @throws GatewayError `protocol.invalid_utf8`, `protocol.invalid_json`, or `protocol.invalid_message` for what is no
 *   object, is nested too deeply, or names a field twice, of which another reader might take the other one
 */
export function parseJsonObject(bytes: Uint8Array, { what, example }: JsonSubject): Record<string, unknown> {
  if (bytes.byteLength === 0) {
    throw new GatewayError("protocol.invalid_json", `${what} is empty: send JSON such as ${example}.`);
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new GatewayError("protocol.invalid_utf8", `${what} is not valid UTF-8, as JSON must be.`, {
      cause,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError(
      "protocol.invalid_json",
      `${what} is not JSON: send an object such as ${example}.`,
      {
        cause,
      },
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const found = value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
    throw new GatewayError("protocol.invalid_message", `${what} must be a JSON object, not ${found}.`);
  }
  assertUnambiguous(text, what);
  return value as Record<string, unknown>;
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPENING: ReadonlySet<number> = new Set([0x7b, 0x5b]);
const CLOSING: ReadonlySet<number> = new Set([0x7d, 0x5d]);

/** `text` is JSON: a string followed by a colon is a field's name. */
function assertUnambiguous(text: string, what: string): void {
  const names: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (OPENING.has(unit)) {
      if (names.push(undefined) > MAX_DEPTH) {
        const message = `${what} is nested deeper than ${MAX_DEPTH} objects and arrays.`;
        throw new GatewayError("protocol.invalid_message", message, { facts: { limit: MAX_DEPTH } });
      }
    } else if (CLOSING.has(unit)) names.pop();
    else if (unit === QUOTE) {
      const end = endOfString(text, at);
      if (text.charCodeAt(skipSpace(text, end + 1)) === COLON) {
        const name = JSON.parse(text.slice(at, end + 1)) as string;
        const seen = names.at(-1) ?? new Set();
        if (seen.has(name)) {
          const field = name.slice(0, MAX_SHOWN_NAME);
          throw new GatewayError("protocol.invalid_message", `${what} has the field "${field}" twice.`, {
            facts: { field },
          });
        }
        names[names.length - 1] = seen.add(name);
      }
      at = end;
    }
  }
}

const MAX_SHOWN_NAME = 60;

/** Place of the quote that ends the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) <= 0x20) at++;
  return at;
}
