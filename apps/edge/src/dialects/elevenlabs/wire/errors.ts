import type { ErrorCode, ErrorFamily, GatewayError } from "@tts-labs/protocol/errors";
import { type ErrorAnswer, type ErrorForm, retryAfter } from "../../../http/exchange.ts";

/** An error as ElevenLabs names it (docs/elevenlabs.md 3.3 and 10): clients of theirs decide by these names. */
interface NamedError {
  readonly status: number;
  readonly type: string;
  readonly code: string;
  /** The older name, which is sent beside the newer one. */
  readonly legacy: string;
  /** The name that their sockets use. */
  readonly socket: string;
  readonly param?: string;
}

/** In `code/legacy/socket` a name that is left out is the one before it. */
function named(status: number, type: string, names: string, param?: string): NamedError {
  const [code = names, legacy = code, socket = legacy] = names.split("/");
  const error = { status, type, code, legacy, socket };
  return param === undefined ? error : { ...error, param };
}

const WENT_WRONG = named(500, "internal_error", "internal_error/something_went_wrong");
const UNAVAILABLE = named(503, "service_unavailable", "service_unavailable");
const BUSY = named(429, "rate_limit_error", "system_busy");
const TOO_MANY = named(
  429,
  "rate_limit_error",
  "concurrent_limit_exceeded/too_many_concurrent_requests/too_many_concurrent_requests",
);
const MALFORMED = named(400, "invalid_request", "malformed_json/malformed_json/invalid_message");
const INVALID = named(400, "validation_error", "invalid_parameters/invalid_parameters/invalid_input");
const TIMED_OUT = named(408, "request_timeout", "input_timeout_exceeded");
const CONFLICT = named(409, "conflict", "conflict");
const NOT_ALLOWED = named(403, "authorization_error", "forbidden");

/** Where the code has no name of its own; other families went wrong on our side. */
const FAMILIES: Readonly<Partial<Record<ErrorFamily, NamedError>>> = {
  authentication: NOT_ALLOWED,
  capacity: TOO_MANY,
  storage: UNAVAILABLE,
};

const NAMES: Readonly<Partial<Record<ErrorCode, NamedError>>> = {
  "protocol.invalid_json": MALFORMED,
  "protocol.invalid_utf8": MALFORMED,
  "protocol.unknown_type": MALFORMED,
  "protocol.unexpected_binary": MALFORMED,
  "protocol.too_many_errors": MALFORMED,
  "protocol.invalid_message": INVALID,
  "protocol.wrong_state": INVALID,
  "protocol.idempotency_conflict": CONFLICT,
  "protocol.idempotency_spent": CONFLICT,
  "protocol.message_too_large": named(400, "invalid_request", "request_too_large"),
  "protocol.unsupported_media_type": named(400, "invalid_request", "invalid_content_type"),
  "protocol.not_acceptable": named(403, "validation_error", "invalid_output_format", "output_format"),
  "protocol.not_found": named(404, "not_found", "not_found"),
  "protocol.method_not_allowed": named(405, "invalid_request", "method_not_allowed"),
  "authentication.missing": named(
    401,
    "authentication_error",
    "missing_api_key/needs_authorization/authentication_required",
  ),
  "authentication.invalid": named(
    401,
    "authentication_error",
    "unauthorized/invalid_api_key/invalid_api_key",
  ),
  "authentication.revoked": named(
    401,
    "authentication_error",
    "unauthorized/invalid_api_key/invalid_api_key",
  ),
  "capacity.text_too_long": named(
    400,
    "validation_error",
    "text_too_long/max_character_limit_exceeded",
    "text",
  ),
  "capacity.rate_limited": named(429, "rate_limit_error", "rate_limit_exceeded"),
  "capacity.overloaded": BUSY,
  "capacity.too_many_connections": BUSY,
  "capacity.slow_client": TIMED_OUT,
  "session.idle": TIMED_OUT,
  "session.text_timeout": TIMED_OUT,
  "provider.voice_not_found": named(
    404,
    "not_found",
    "voice_not_found/voice_not_found/voice_id_does_not_exist",
  ),
  "provider.unsupported_model": named(400, "validation_error", "unsupported_model", "model_id"),
  "provider.invalid_request": INVALID,
  "provider.refused": NOT_ALLOWED,
  "provider.quota_exceeded": named(401, "payment_required", "quota_exceeded"),
  "provider.overloaded": BUSY,
  // The key is ours: a client that is told of a bad one would look for the fault at its own.
  "provider.invalid_key": UNAVAILABLE,
  "provider.circuit_open": UNAVAILABLE,
  "worker.unavailable": UNAVAILABLE,
  draining: UNAVAILABLE,
};

const TOO_MANY_CONTEXTS = named(429, "rate_limit_error", "max_active_conversations");
const EMPTY_TEXT = named(400, "validation_error", "empty_text/input_text_empty", "text");

/** Two errors of theirs are told apart by a fact of ours. */
function nameOf(error: GatewayError): NamedError {
  if (error.facts["emptyText"] === true) return EMPTY_TEXT;
  if (error.facts["contexts"] === true) return TOO_MANY_CONTEXTS;
  return NAMES[error.code] ?? FAMILIES[error.family] ?? WENT_WRONG;
}

/** The body and status of an HTTP answer: a list where a field of the body is wrong, else one object. */
export const elevenLabsErrors: ErrorForm = (error, requestId): ErrorAnswer => {
  const headers = { ...retryAfter(error), "x-trace-id": requestId };
  const { field } = error.facts;
  if (error.code === "protocol.invalid_message" && error.facts["emptyText"] !== true && field !== undefined) {
    const type = error.facts["isMissing"] === true ? "missing" : "value_error";
    const loc = [error.facts["in"] ?? "body", ...String(field).split(".")];
    return { status: 422, headers, body: { detail: [{ type, loc, msg: error.message, input: null }] } };
  }
  const { status, type, code, legacy, param } = nameOf(error);
  const detail = {
    type,
    code,
    message: error.message,
    ...(param === undefined ? {} : { param }),
    request_id: requestId,
    status: legacy,
  };
  return { status, headers, body: { detail } };
};

/** An error as their sockets tell it: keys in the order of the wire. */
export interface SocketError {
  readonly code: 1008;
  readonly error: string;
  readonly message: string;
}

export const toSocketError = (error: GatewayError): SocketError => ({
  code: 1008,
  error: nameOf(error).socket,
  message: error.message,
});

/** Bytes of a close reason. */
const MAX_REASON_BYTES = 123;

/** The message as far as a close frame holds it, never cut inside a character. */
export function toCloseReason(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.byteLength <= MAX_REASON_BYTES) return message;
  return bytes.subarray(0, MAX_REASON_BYTES).toString().replace(/�+$/u, "");
}
