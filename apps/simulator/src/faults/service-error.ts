/** An error as the sockets tell it; keys in the order of the wire. */
export interface ServiceError {
  readonly code: 1008;
  /** Missing where the service gives it no name. */
  readonly error?: string;
  readonly message: string;
}

const serviceError = (error: string, message: string): ServiceError => ({ code: 1008, error, message });

/** Recorded or reported texts (docs/elevenlabs.md 1.7); those marked "guess" are not established. */
export const serviceErrors = {
  /** Any error by its name (error-names.ts), or one without a name. What its text says is made up. */
  named: (name: string | undefined): ServiceError =>
    name === undefined
      ? { code: 1008, message: "The request could not be served." }
      : serviceError(name, `The request could not be served (${name}).`),
  invalidKey: () => serviceError("invalid_api_key", "Invalid API key"),
  noKey: () =>
    serviceError(
      "authentication_required",
      "No authentication provided. Use the xi-api-key header, an authorization bearer token or a single-use token.",
    ),
  unknownVoice: (voiceId: string) =>
    serviceError("voice_id_does_not_exist", `A voice with voice_id ${voiceId} does not exist.`),
  idle: (seconds: number) =>
    serviceError(
      "input_timeout_exceeded",
      `Have not received a new text input within the timeout of ${seconds.toFixed(1)} seconds. ` +
        "Streaming input terminated. Please make sure to send text in time.",
    ),
  changedSetting: (field: string) =>
    // The error's name is a guess.
    serviceError(
      "invalid_input",
      `The field ${field} must be given in the first message and be absent or unchanged in later ones.`,
    ),
  invalidSetting: (field: string, problem: string) =>
    // Guess: refused values are only documented for HTTP.
    serviceError("invalid_input", `The field ${field} is not valid: ${problem}`),
  malformed: (problem: string) => serviceError("invalid_message", problem), // guess
  unsupportedFormat: (name: string) =>
    serviceError("invalid_output_format", `The output format ${name} is not supported.`), // guess: the name of HTTP
  opus: (name: string) =>
    serviceError("invalid_output_format", `The simulator can't encode ${name}; the real service can.`),
  unsupportedLanguage: (model: string, language: string) =>
    serviceError("unsupported_language", `Model '${model}' does not support the language_code ${language}.`), // guess
  textTooLong: (limit: number) =>
    serviceError("max_character_limit_exceeded", `The text is longer than ${limit} characters.`),
  quota: () =>
    serviceError("quota_exceeded", "This request exceeds your quota. You have 0 credits remaining."),
  wentWrong: () =>
    serviceError(
      "something_went_wrong",
      "Something went wrong on our side, you are not charged for this request. Please try again.",
    ),
  // Guess: only the HTTP form is known.
  tooManyConcurrent: (limit: number) =>
    serviceError(
      "too_many_concurrent_requests",
      `Too many concurrent requests. Your current subscription is limited to ${limit} concurrent requests.`,
    ),
  textAfterEnd: () => serviceError("invalid_input", "No text is accepted after the end of the input."), // guess
  tooManyContexts: (limit: number) =>
    serviceError(
      "max_active_conversations",
      `Maximum simultaneous contexts per WebSocket connection exceeded (${limit}). Close a context before opening another.`,
    ),
} as const;

/** A close reason holds at most 123 bytes of UTF-8. */
export function toCloseReason(message: string): string {
  const bytes = Buffer.from(message, "utf8");
  return bytes.length <= 123
    ? message
    : bytes
        .subarray(0, 123)
        .toString("utf8")
        .replace(/\uFFFD+$/u, "");
}
