import { type ErrorCode, GatewayError } from "@tts-labs/core/errors";
import { toErrorMessage } from "./messages.ts";

/**
 * The provider's errors in our words. The `error` string decides, never the close code: 1008 covers wrong
 * keys, idle sockets and faults that pass (reference/elevenlabs.md 1.7, 3.3). What the provider writes for
 * people is not passed on, since it may quote what it was given; its name for the error is.
 */
const NAMES: readonly (readonly [ErrorCode, RegExp])[] = [
  [
    "provider.quota_exceeded",
    /quota|insufficient_credits|max_character_limit|payment|subscription|only_for_creator/,
  ],
  ["provider.overloaded", /concurren|rate_limit|too_many|system_busy|overload|max_active|capacity/],
  ["provider.idle_closed", /input_timeout/],
  [
    "provider.invalid_key",
    /api_key|authentication|unauthori[sz]ed|needs_authorization|permission|unusual_activity|forbidden/,
  ],
  ["provider.voice_not_found", /voice.*(not_exist|not_found)|invalid_voice(_id)?$/],
  ["provider.unsupported_model", /model/],
  ["provider.fault", /something_went_wrong|internal|server_error|unavailable|timeout|fault/],
  [
    "provider.invalid_request",
    /invalid|validation|unsupported|not_supported|not_allowed|bad_request|not_found|too_long/,
  ],
];

/** Where there is no name: what the text says. */
const TEXTS: readonly (readonly [ErrorCode, RegExp])[] = [
  ["provider.quota_exceeded", /quota/i],
  ["provider.idle_closed", /text input within the timeout/i],
  ["provider.invalid_key", /api key|unauthori[sz]ed|authentication|unusual activity/i],
  ["provider.voice_not_found", /voice.*does not exist|voice.*not found/i],
  ["provider.unsupported_model", /model.*not supported|model.*does not exist/i],
  ["provider.overloaded", /too many|concurren|rate limit|busy|heavy traffic/i],
  ["provider.fault", /something went wrong/i],
  ["provider.invalid_request", /voice_settings|must be|not allowed|invalid/i],
];

const STATUSES: Readonly<Record<number, ErrorCode>> = {
  400: "provider.invalid_request",
  401: "provider.invalid_key",
  402: "provider.quota_exceeded",
  403: "provider.refused",
  404: "provider.voice_not_found",
  408: "provider.fault",
  422: "provider.invalid_request",
  425: "provider.overloaded",
  429: "provider.overloaded",
};

const named = (error: string, text: string): ErrorCode | undefined =>
  NAMES.find(([, pattern]) => pattern.test(error.toLowerCase()))?.[0] ??
  TEXTS.find(([, pattern]) => pattern.test(text))?.[0];

/** An error message on the socket. One that nobody has seen before is taken for a fault that may pass. */
export function toProviderError(error: string, text: string): GatewayError {
  return new GatewayError(named(error, text) ?? "provider.fault", undefined, { facts: nameFact(error) });
}

/** A close without a final message, whatever its code: 1000 as well. The reason tells more where an error message was lost. */
export function toCloseError(code: number, reason: string): GatewayError {
  const known = code === 1008 ? TEXTS.find(([, pattern]) => pattern.test(reason))?.[0] : undefined;
  return new GatewayError(known ?? "provider.truncated", undefined, { facts: { closeCode: code } });
}

/** A refused upgrade: the body's error name first, then the status. */
export function toUpgradeError(status: number, body: string, retryAfter: string | undefined): GatewayError {
  const { error, text } = bodyError(body);
  const byStatus = STATUSES[status] ?? (status >= 500 ? "provider.fault" : "provider.refused");
  // A 429 or 5xx is what it is, whatever its body says in passing.
  const code =
    status === 429 || status >= 500
      ? status === 503
        ? "provider.overloaded"
        : byStatus
      : named(error, text);
  const retryAfterMs = parseRetryAfter(retryAfter);
  return new GatewayError(code ?? byStatus, undefined, {
    facts: { httpStatus: status, ...nameFact(error) },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

const DEADLINE_CODES = {
  connect: "provider.connect_timeout",
  "first-audio": "provider.first_audio_timeout",
  silence: "provider.first_audio_timeout",
  "more-audio": "provider.gap_timeout",
  final: "provider.final_timeout",
  pong: "provider.unresponsive",
} as const satisfies Record<string, ErrorCode>;

/** A deadline that has passed. Who has only been silent for the budget may be slow: see `verdictOn`. */
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

/** Only names such as the provider uses: nothing it might have copied from a request, no key. */
const nameFact = (error: string): { readonly providerError?: string } =>
  /^[a-z][a-z0-9_+]{2,48}$/.test(error) && !error.startsWith("sk_") ? { providerError: error } : {};

function bodyError(body: string): { readonly error: string; readonly text: string } {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== "object" || parsed === null) return { error: "", text: "" };
    const fields = parsed as Record<string, unknown>;
    return toErrorMessage(fields["detail"] ?? fields["error"], fields);
  } catch {
    return { error: "", text: body };
  }
}

/** Seconds or an HTTP date; at most an hour is believed. */
function parseRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? Math.min(ms, 3_600_000) : undefined;
}
