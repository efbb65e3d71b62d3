import { ProviderError, verdictOnCode } from "@tts-labs/core/breaker/faults";
import { ERROR_CATALOGUE, type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import { findErrorName, isErrorName, type NamedError, UNKNOWN_NAME } from "./error-names.ts";
import { limitIn } from "./provider-limit.ts";
import { toSafeReason, withoutSecret } from "./provider-reason.ts";

/**
 * The provider's errors in our words. They are judged in this order: HTTP 429 and 5xx by their status; everything
 * else by the provider's name for it (`error-names.ts`), never by the close code, since 1008 covers wrong keys, idle
 * sockets and faults that pass; without a name by the HTTP status; and without that by the sentences below. Only what
 * is known to be the provider's own fault counts for the circuit: what came with a name or with words that are not
 * known is refused, told, and counts against no provider (docs/provider-errors.md).
 */

/** What the provider has been seen to write where it gave no name. */
const SENTENCES: readonly (readonly [string, RegExp])[] = [
  ["input_timeout_exceeded", /text input within the timeout/i],
  ["invalid_api_key", /^(?:invalid api key|api key is invalid)/i],
  ["detected_unusual_activity", /^unusual activity detected/i],
  ["quota_exceeded", /^this request exceeds your (?:\w+ )?quota/i],
  ["voice_id_does_not_exist", /^a voice .{0,100}does not exist/i],
  ["too_many_concurrent_requests", /^too many concurrent requests/i],
  ["invalid_input", /voice_settings/i],
  ["something_went_wrong", /^something went wrong/i],
];

const STATUSES: Readonly<Record<number, ErrorCode>> = {
  400: "provider.invalid_request",
  401: "provider.invalid_key",
  402: "provider.quota_exceeded",
  403: "provider.refused",
  404: "provider.voice_not_found",
  408: "provider.fault",
  409: "provider.overloaded",
  422: "provider.invalid_request",
  425: "provider.overloaded",
  429: "provider.overloaded",
  503: "provider.overloaded",
};

/** What the provider said of an error, as far as it said it. */
interface Said {
  /** Its name for the error; empty where there is none in the form of a name. */
  readonly name: string;
  /** For people. */
  readonly words: string;
}

/**
 * An error message on the socket.
 * @param unknown what a name that is not in the table becomes; for tests, which show what another rule does
 */
export function toProviderError(
  error: string,
  text: string,
  unknown: NamedError = UNKNOWN_NAME,
): GatewayError {
  const said = toSaid(error, text);
  return toError(judged(said, unknown) ?? withoutName(said.words), said, {});
}

/** An error message on the socket, without the API key that it may quote. */
export function toMessageError(
  { error, text }: { readonly error: string; readonly text: string },
  apiKey: string | undefined,
): GatewayError {
  return toProviderError(withoutSecret(error, apiKey), withoutSecret(text, apiKey));
}

/**
 * A close without a final message, whatever its code: 1000 as well. The reason tells more where the error message
 * before it was lost: it may be a name, or one of the known sentences. In other words than those it is not the
 * provider's fault, unless the close code itself says so (1011, an internal error).
 */
export function toCloseError(code: number, reason: string): GatewayError {
  const name = toName(reason);
  const said = findErrorName(name) === undefined ? { name: "", words: reason } : { name, words: "" };
  const facts = { closeCode: code };
  const known = code === 1000 ? undefined : (findErrorName(said.name) ?? ofSentence(said.words));
  if (known !== undefined) return toError(known, said, facts);
  return toError({ code: "provider.truncated", fault: reason === "" || code === 1011 }, said, facts);
}

/** A refused upgrade, or a refused HTTP request. */
export function toUpgradeError(status: number, body: string, retryAfter: string | undefined): GatewayError {
  const { said, param } = readBody(body);
  const retryAfterMs = parseRetryAfter(retryAfter);
  return toError(
    ofStatus(status, said, param),
    said,
    { httpStatus: status, ...(isErrorName(param) ? { providerParam: param } : {}) },
    retryAfterMs,
  );
}

function ofStatus(status: number, said: Said, param: string): NamedError {
  if (status === 429 || status >= 500) {
    return { code: STATUSES[status] ?? "provider.fault", fault: status >= 500 };
  }
  // "Unsupported by the model" is said of other fields, too.
  const isOfField = said.name === "unsupported_model" && !["", "model", "model_id"].includes(param);
  if (isOfField) return { code: "provider.invalid_request" };
  const code = STATUSES[status] ?? "provider.refused";
  return (
    judged(said) ?? { code, fault: status === 408, key: status === 401 || status === 402 ? "rest" : "same" }
  );
}

const judged = ({ name, words }: Said, unknown: NamedError = UNKNOWN_NAME): NamedError | undefined =>
  name === "" ? ofSentence(words) : (findErrorName(name) ?? unknown);

const ofSentence = (words: string): NamedError | undefined => {
  const name = SENTENCES.find(([, sentence]) => sentence.test(words))?.[0];
  return name === undefined ? undefined : findErrorName(name);
};

/** An error that is neither named nor explained can't be anything that was asked for. */
const withoutName = (words: string): NamedError =>
  words === "" ? { code: "provider.fault", fault: true } : UNKNOWN_NAME;

function toError(
  { code, fault = false, key = "same" }: NamedError,
  { name, words }: Said,
  facts: Readonly<Record<string, string | number>>,
  retryAfterMs?: number,
): GatewayError {
  const { retryable } = ERROR_CATALOGUE[code];
  const reason = toSafeReason(words);
  const limit = code === "provider.overloaded" ? limitIn(words) : undefined;
  return new ProviderError(
    code,
    { verdict: fault ? "fault" : verdictWithoutFault(code, retryable), key },
    toMessage(code, name, reason),
    {
      facts: {
        ...facts,
        ...(name === "" ? {} : { providerError: name }),
        ...(reason === "" ? {} : { providerReason: reason }),
        ...(limit === undefined ? {} : { limit }),
      },
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  );
}

function verdictWithoutFault(code: ErrorCode, retryable: boolean): "alive" | "nothing" {
  const verdict = verdictOnCode(code, retryable);
  return verdict === "fault" ? "nothing" : verdict;
}

/** Our sentence, and the provider's own reason. */
function toMessage(code: ErrorCode, name: string, reason: string): string {
  const { meaning } = ERROR_CATALOGUE[code];
  if (reason === "") return name === "" ? meaning : `${meaning} It calls this ${name}.`;
  const end = /[.!?…]$/.test(reason) ? "" : ".";
  return `${meaning} It says${name === "" ? "" : ` (${name})`}: ${reason}${end}`;
}

const DEADLINE_CODES = {
  connect: "provider.connect_timeout",
  "first-audio": "provider.first_audio_timeout",
  silence: "provider.first_audio_timeout",
  "more-audio": "provider.gap_timeout",
  final: "provider.final_timeout",
  pong: "provider.unresponsive",
} as const satisfies Record<string, ErrorCode>;

/** A deadline that has passed. A provider that was silent only for the budget may be slow: see `verdictOn`. */
export const toDeadlineError = (deadline: keyof typeof DEADLINE_CODES): GatewayError =>
  new GatewayError(
    DEADLINE_CODES[deadline],
    undefined,
    deadline === "silence" ? { facts: { early: true } } : {},
  );

/** A connection that broke, or that does not keep to the WebSocket protocol; `ws` names the latter `WS_ERR_…`. */
export function toSocketError(cause: Error): GatewayError {
  const reason = (cause as NodeJS.ErrnoException).code ?? "";
  const code = reason.startsWith("WS_ERR_") ? "provider.fault" : "provider.truncated";
  return new GatewayError(code, undefined, { cause, ...(reason === "" ? {} : { facts: { reason } }) });
}

/** A connection that did not come about. Node's code says why: ECONNREFUSED, ENOTFOUND, a certificate … */
export function toConnectError(cause: Error): GatewayError {
  if (cause.message === "Opening handshake has timed out") return toDeadlineError("connect");
  const reason = (cause as NodeJS.ErrnoException).code ?? "";
  return new GatewayError("provider.connect_failed", undefined, {
    cause,
    ...(reason === "" ? {} : { facts: { reason } }),
  });
}

/** A "name" in another form than the provider's is read as words. */
function toSaid(error: string, text: string): Said {
  const name = toName(error);
  return { name, words: text === "" && name === "" ? error : text };
}

function toName(error: string): string {
  const name = error.trim().toLowerCase();
  return isErrorName(name) ? name : "";
}

/**
 * `{detail: {type, code, status, message, param}}`, of which older answers have only some, or an array of failed
 * checks.
 */
function readBody(body: string): { readonly said: Said; readonly param: string } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return { said: { name: "", words: body }, param: "" };
  }
  const around = toRecord(parsed);
  const detail = around["detail"] ?? around["error"] ?? around;
  if (Array.isArray(detail)) {
    const first = toRecord(detail[0]);
    return { said: { name: "validation_error", words: textOf(first["msg"]) }, param: "" };
  }
  const fields = toRecord(detail);
  // The legacy status may be known where the code is not; the type says too little of an error that has a code.
  const names = [textOf(detail), textOf(fields["code"]), textOf(fields["status"])]
    .map(toName)
    .filter((it) => it !== "");
  // "unauthorized" is said of a wrong key and of one that lacks a permission; the status tells them apart.
  const known = names.filter((it) => findErrorName(it) !== undefined);
  const told = known[0] === "unauthorized" ? known.at(-1) : known[0];
  const name = told ?? names[0] ?? toName(textOf(fields["type"]));
  const words = textOf(fields["message"]) || textOf(around["message"]);
  const unnamed = typeof detail === "string" && name === "" ? detail : "";
  return { said: { name, words: words || unnamed }, param: textOf(fields["param"]) };
}

const toRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** Seconds or an HTTP date; at most an hour is believed. */
function parseRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? Math.min(ms, 3_600_000) : undefined;
}
