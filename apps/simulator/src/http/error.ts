import { randomBytes } from "node:crypto";
import { type GatewayError, toHttpStatus } from "@tts-labs/protocol/errors";
import { findNamedError } from "../faults/error-names.ts";
import { FORMAT_NAMES, OPUS_NAMES } from "../wire/audio-format.ts";

/** An HTTP error answer in the service's current form (docs/elevenlabs.md 3.3). */
export interface HttpError {
  readonly status: number;
  readonly body: { readonly detail: unknown };
}

function httpError(
  status: number,
  type: string,
  code: string,
  message: string,
  more: { readonly param?: string; readonly legacyStatus?: string } = {},
): HttpError {
  return {
    status,
    body: {
      detail: {
        type,
        code,
        message,
        ...(more.param === undefined ? {} : { param: more.param }),
        request_id: randomBytes(16).toString("hex"),
        status: more.legacyStatus ?? code,
      },
    },
  };
}

/** What the real service lists when a format is none of its own; it says more than the simulator can encode. */
const LISTED_FORMATS = [...FORMAT_NAMES, ...OPUS_NAMES, "m4a_aac_44100_128"];

export const httpErrors = {
  /** Any error by its name (error-names.ts); without one, an answer of which nothing can be said but its status. */
  named: (name: string | undefined): HttpError => {
    if (name === undefined) return { status: 400, body: { detail: "The request could not be served." } };
    const { httpStatus, type, code, legacyStatus } = findNamedError(name);
    return httpError(httpStatus, type, code, `The request could not be served (${name}).`, { legacyStatus });
  },
  unknownFault: () =>
    httpError(400, "validation_error", "unknown_fault", "x-simulator-fault names no fault of the simulator."),
  /** The real service has no such check: it is for the machine that the simulator runs on. */
  refusedAtDoor: (refusal: GatewayError) =>
    httpError(toHttpStatus(refusal), "forbidden", refusal.code, refusal.message),
  noRoute: () => httpError(404, "not_found", "not_found", "There is no such route."),
  wrongMethod: () => httpError(405, "method_not_allowed", "method_not_allowed", "Not with this method."),
  /** An unknown key of the right form: 400; a malformed one: 401. */
  invalidKey: (key: string) =>
    /^sk_[0-9a-f]{16,}$/.test(key)
      ? httpError(400, "authentication_error", "invalid_api_key", "API key is invalid.", {
          param: "api_key",
        })
      : httpError(401, "authentication_error", "unauthorized", "Invalid API key", {
          legacyStatus: "invalid_api_key",
        }),
  noKey: () =>
    httpError(401, "authentication_error", "missing_api_key", "No authentication was provided.", {
      legacyStatus: "needs_authorization",
    }),
  voiceNotFound: (voiceId: string) =>
    httpError(404, "not_found", "voice_not_found", `A voice with voice_id '${voiceId}' was not found.`),
  modelNotFound: (modelId: string) =>
    httpError(404, "not_found", "model_not_found", `There is no model '${modelId}'.`, {
      param: "model_id",
    }),
  unsupportedModel: (modelId: string) =>
    httpError(
      400,
      "validation_error",
      "unsupported_model",
      `Model '${modelId}' is not supported on the text-to-speech websocket endpoint. ` +
        "Use the text-to-dialogue websocket endpoint instead.",
      { param: "model_id" },
    ),
  unsupportedLanguage: (modelId: string, language: string) =>
    httpError(
      400,
      "validation_error",
      "unsupported_language",
      `Model '${modelId}' does not support the language_code ${language}.`,
      { param: "language_code" },
    ),
  unsupportedStitching: (modelId: string, param: "previous_text" | "model_id") =>
    httpError(
      400,
      "validation_error",
      "unsupported_model",
      `Model '${modelId}' does not take what the request says of its neighbours.`,
      { param },
    ),
  unsupportedFormat: (name: string) =>
    httpError(
      403,
      "validation_error",
      "invalid_output_format",
      `Output format '${name}' is not valid. Valid formats are: ${LISTED_FORMATS.join(", ")}.`,
      { param: "output_format" },
    ),
  opus: (name: string) =>
    httpError(
      400,
      "validation_error",
      "invalid_output_format",
      `The simulator can't encode '${name}'; the real service can.`,
      { param: "output_format" },
    ),
  textTooLong: (limit: number) =>
    httpError(400, "validation_error", "text_too_long", `The text is longer than ${limit} characters.`, {
      param: "text",
      legacyStatus: "max_character_limit_exceeded",
    }),
  emptyText: () =>
    httpError(400, "validation_error", "empty_text", "There is nothing to speak.", {
      param: "text",
      legacyStatus: "input_text_empty",
    }),
  invalidPage: (code: "invalid_page_size" | "invalid_cursor", param: string) =>
    httpError(400, "validation_error", code, `The parameter ${param} is not valid.`, { param }),
  quota: () => httpError(401, "payment_required", "quota_exceeded", "This request exceeds your quota."),
  tooManyConcurrent: (limit: number) =>
    httpError(
      429,
      "rate_limit_error",
      "concurrent_limit_exceeded",
      `Too many concurrent requests. Your current subscription is limited to ${limit} concurrent requests.`,
      { legacyStatus: "too_many_concurrent_requests" },
    ),
  busy: (status: 429 | 503) =>
    httpError(
      status,
      status === 429 ? "rate_limit_error" : "service_unavailable",
      status === 429 ? "system_busy" : "service_unavailable",
      "The service has too much to do. Please try again.",
    ),
  wentWrong: () =>
    httpError(500, "internal_error", "internal_error", "Something went wrong on our side.", {
      legacyStatus: "something_went_wrong",
    }),
  bodyTooLarge: () => httpError(413, "validation_error", "body_too_large", "The body is too large."),
  /** Schema violations are told in another form: a list. */
  schema: (
    problems: readonly {
      readonly input?: unknown;
      readonly loc: readonly (string | number)[];
      readonly msg: string;
      readonly type: string;
    }[],
  ): HttpError => ({
    status: 422,
    body: { detail: problems },
  }),
};
