import { type ErrorCode, type GatewayError, toHttpStatus } from "@tts-labs/protocol/errors";
import { type ErrorForm, retryAfter } from "../../http/exchange.ts";

/** An error as OpenAI's clients know it: their class goes by the status, the rest is shown. */
export interface OpenAiError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

interface Named {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly param?: string;
}

const INVALID = "invalid_request_error";
const RATE_LIMITED: Named = { status: 429, type: "rate_limit_error", code: "rate_limit_exceeded" };

/** What is not here keeps our own status and code; from 500 on it is a `server_error`. */
const NAMES: Readonly<Partial<Record<ErrorCode, Named>>> = {
  "protocol.invalid_json": { status: 400, type: INVALID, code: "invalid_json" },
  "protocol.invalid_utf8": { status: 400, type: INVALID, code: "invalid_json" },
  "protocol.invalid_message": { status: 400, type: INVALID, code: "invalid_value" },
  "protocol.not_acceptable": {
    status: 400,
    type: INVALID,
    code: "unsupported_format",
    param: "response_format",
  },
  "protocol.not_found": { status: 404, type: INVALID, code: "not_found" },
  "protocol.method_not_allowed": { status: 405, type: INVALID, code: "method_not_allowed" },
  "authentication.missing": { status: 401, type: INVALID, code: "invalid_api_key" },
  "authentication.invalid": { status: 401, type: INVALID, code: "invalid_api_key" },
  "authentication.forbidden": { status: 403, type: INVALID, code: "forbidden" },
  "capacity.text_too_long": { status: 400, type: INVALID, code: "string_above_max_length", param: "input" },
  "capacity.too_many_sessions": RATE_LIMITED,
  "capacity.too_many_utterances": RATE_LIMITED,
  "capacity.slot_timeout": RATE_LIMITED,
  "capacity.rate_limited": RATE_LIMITED,
  "provider.voice_not_found": { status: 400, type: INVALID, code: "voice_not_found", param: "voice" },
  "provider.unsupported_model": { status: 404, type: INVALID, code: "model_not_found", param: "model" },
  "provider.invalid_request": { status: 400, type: INVALID, code: "invalid_value" },
  "provider.quota_exceeded": { status: 429, type: "insufficient_quota", code: "insufficient_quota" },
};

export function toOpenAiError(error: GatewayError): { readonly status: number; readonly error: OpenAiError } {
  const status = toHttpStatus(error);
  const own = { status, type: status >= 500 ? "server_error" : INVALID, code: error.code };
  const named: Named = NAMES[error.code] ?? own;
  const { field } = error.facts;
  const param = field === undefined ? (named.param ?? null) : String(field);
  return {
    status: named.status,
    error: { message: error.message, type: named.type, param, code: named.code },
  };
}

/** `x-should-retry` goes before what their clients would do by the status alone. */
export const openAiErrors: ErrorForm = (gatewayError) => {
  const { status, error } = toOpenAiError(gatewayError);
  const { retryAfterMs, retryable } = gatewayError;
  const headers = {
    ...retryAfter(gatewayError),
    ...(retryAfterMs === undefined ? {} : { "retry-after-ms": String(Math.ceil(retryAfterMs)) }),
    "x-should-retry": String(retryable),
  };
  return { status, headers, body: { error } };
};
