import type { ErrorCode, GatewayError } from "./errors.ts";

/** An error as JSON, over every surface of ours. */
export interface ErrorBody {
  readonly code: ErrorCode;
  /** For people; may change. */
  readonly message: string;
  /** True when the same request may succeed later, or elsewhere, unchanged. */
  readonly retryable: boolean;
  readonly retry_after_ms?: number;
  readonly facts?: Record<string, string | number | boolean>;
}

/** The one translation of an error to what clients see; its cause stays behind. */
export const toErrorBody = (error: GatewayError): ErrorBody => ({
  code: error.code,
  message: error.message,
  retryable: error.retryable,
  ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: error.retryAfterMs }),
  ...(Object.keys(error.facts).length === 0 ? {} : { facts: { ...error.facts } }),
});
