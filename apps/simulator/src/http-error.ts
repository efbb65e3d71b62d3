import { randomBytes } from "node:crypto";

/** An HTTP error answer in the service's current form (reference/elevenlabs.md 3.3). */
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

export const httpErrors = {
  unknownFault: () =>
    httpError(400, "validation_error", "unknown_fault", "x-simulator-fault names no fault of the simulator."),
  noRoute: () => httpError(404, "not_found", "not_found", "There is no such route."),
  wrongMethod: () => httpError(405, "method_not_allowed", "method_not_allowed", "Not with this method."),
  /** A key of the right form that nobody has: 400; a malformed one: 401. */
  invalidKey: (key: string) =>
    /^sk_[0-9a-f]{16,}$/.test(key)
      ? httpError(400, "validation_error", "invalid_api_key", "Invalid API key")
      : httpError(401, "authentication_error", "unauthorized", "Invalid API key", {
          legacyStatus: "invalid_api_key",
        }),
  noKey: () =>
    httpError(401, "authentication_error", "authentication_required", "No authentication was provided."),
  voiceNotFound: (voiceId: string) =>
    httpError(404, "not_found", "voice_not_found", `A voice with voice_id ${voiceId} was not found.`),
  modelNotFound: (modelId: string) =>
    httpError(400, "validation_error", "model_not_found", `There is no model '${modelId}'.`, {
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
  unsupportedStitching: () =>
    httpError(
      400,
      "validation_error",
      "unsupported_model",
      "Model 'eleven_v3' does not take previous_text.",
      { param: "previous_text" },
    ),
  unsupportedFormat: (name: string) =>
    httpError(400, "validation_error", "invalid_output_format", `There is no output format '${name}'.`, {
      param: "output_format",
    }),
  opus: (name: string) =>
    httpError(
      400,
      "validation_error",
      "invalid_output_format",
      `The simulator can't encode '${name}'; the real service can.`,
      { param: "output_format" },
    ),
  textTooLong: (limit: number) =>
    httpError(
      400,
      "validation_error",
      "max_character_limit_exceeded",
      `The text is longer than ${limit} characters.`,
      { param: "text" },
    ),
  emptyText: () =>
    httpError(400, "validation_error", "input_text_empty", "There is nothing to speak.", { param: "text" }),
  quota: () => httpError(401, "quota_error", "quota_exceeded", "This request exceeds your quota."),
  tooManyConcurrent: (limit: number) =>
    httpError(
      429,
      "rate_limit_error",
      "concurrent_limit_exceeded",
      `Too many concurrent requests. Your current subscription is limited to ${limit} concurrent requests.`,
      { legacyStatus: "too_many_concurrent_requests" },
    ),
  busy: (status: 429 | 503) =>
    httpError(status, "rate_limit_error", "system_busy", "The service has too much to do. Please try again."),
  wentWrong: () =>
    httpError(500, "internal_error", "something_went_wrong", "Something went wrong on our side."),
  bodyTooLarge: () => httpError(413, "validation_error", "body_too_large", "The body is too large."),
  /** Schema violations are told in another form: a list. */
  schema: (
    problems: readonly { loc: readonly (string | number)[]; msg: string; type: string }[],
  ): HttpError => ({
    status: 422,
    body: { detail: problems },
  }),
};
