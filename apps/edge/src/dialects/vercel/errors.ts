import type { GatewayError } from "@tts-labs/protocol/errors";
import { toHttpStatus } from "@tts-labs/protocol/errors";
import { type ErrorForm, retryAfter } from "../../http/exchange.ts";

/** The names that their client makes typed errors of; it takes any other for a fault of the server. */
export type VercelErrorType =
  | "authentication_error"
  | "invalid_request_error"
  | "forbidden"
  | "model_not_found"
  | "failed_dependency"
  | "rate_limit_exceeded"
  | "internal_server_error";

const STATUSES: Readonly<Record<VercelErrorType, number>> = {
  authentication_error: 401,
  invalid_request_error: 400,
  forbidden: 403,
  model_not_found: 404,
  failed_dependency: 424,
  rate_limit_exceeded: 429,
  internal_server_error: 500,
};

export interface VercelError {
  readonly type: VercelErrorType;
  readonly message: string;
}

export function toVercelError(error: GatewayError): VercelError {
  return { type: typeOf(error), message: error.message };
}

function typeOf({ code, family }: GatewayError): VercelErrorType {
  switch (code) {
    case "provider.unsupported_model":
      return "model_not_found";
    case "worker.unavailable":
      return "failed_dependency";
    case "provider.voice_not_found":
    case "provider.invalid_request":
    case "capacity.text_too_long":
      return "invalid_request_error";
    case "authentication.missing":
    case "authentication.invalid":
    case "authentication.revoked":
      return "authentication_error";
  }
  if (family === "authentication") return "forbidden";
  if (family === "protocol" || family === "session") return "invalid_request_error";
  if (family === "capacity") return "rate_limit_exceeded";
  return family === "provider" ? "failed_dependency" : "internal_server_error";
}

/** The form of the HTTP route. */
export const vercelErrors: ErrorForm = (gatewayError, requestId) => {
  const error = toVercelError(gatewayError);
  // What HTTP itself is about keeps its own status.
  const status = gatewayError.family === "protocol" ? toHttpStatus(gatewayError) : STATUSES[error.type];
  return { status, headers: retryAfter(gatewayError), body: { error, generationId: requestId } };
};
