import type { KeyVerdict } from "@tts-labs/core/breaker/faults";
import type { ErrorCode } from "@tts-labs/protocol/errors";

/**
 * The provider's names for its errors, and what each becomes here. The table is closed: it is asked by name, never by
 * pattern, and a name that is not in it is the request's (`UNKNOWN_NAME`). docs/provider-errors.md is generated from
 * it.
 */
export interface NamedError {
  readonly code: ErrorCode;
  /** Status of an HTTP answer that carries it; absent where it has been seen on sockets alone. */
  readonly httpStatus?: number;
  /** Counts for the circuit. Only what is known to be the provider's own fault does. */
  readonly fault?: boolean;
  /** Default: another key would be told the same. */
  readonly key?: KeyVerdict;
  /** One of the 73 codes of the provider's documentation; else a legacy status, a type, or seen in the wild. */
  readonly documented?: boolean;
}

/**
 * A name that is not in the table: told to the client, held against neither the provider nor a key, not tried again.
 */
export const UNKNOWN_NAME: NamedError = { code: "provider.refused" };

const documented = (
  code: ErrorCode,
  httpStatus: number,
  more: Pick<NamedError, "fault" | "key"> = {},
): NamedError => ({ code, httpStatus, documented: true, ...more });

const seen = (
  code: ErrorCode,
  httpStatus?: number,
  more: Pick<NamedError, "fault" | "key"> = {},
): NamedError => ({ code, ...(httpStatus === undefined ? {} : { httpStatus }), ...more });

/** By the documentation's order of groups; within a group the documented codes come first. */
export const ERROR_NAMES: Readonly<Record<string, NamedError>> = {
  // The key and the account.
  invalid_api_key: documented("provider.invalid_key", 401, { key: "rest" }),
  missing_api_key: documented("provider.invalid_key", 401),
  unauthorized: documented("provider.invalid_key", 401, { key: "rest" }),
  sign_in_required: documented("provider.invalid_key", 401, { key: "rest" }),
  invalid_authorization_header: documented("provider.invalid_key", 401, { key: "rest" }),
  // A key may lack a permission for what one request asks and serve all others: it does not rest.
  insufficient_permissions: documented("provider.invalid_key", 403, { key: "another" }),
  workspace_access_denied: documented("provider.invalid_key", 403, { key: "another" }),
  forbidden: documented("provider.refused", 403),
  feature_not_available: documented("provider.refused", 403),
  subscription_required: documented("provider.invalid_request", 403),
  insufficient_credits: documented("provider.quota_exceeded", 402, { key: "rest" }),
  authentication_error: seen("provider.invalid_key", 401, { key: "rest" }),
  authentication_required: seen("provider.invalid_key"),
  needs_authorization: seen("provider.invalid_key", 401),
  missing_permissions: seen("provider.invalid_key", 401, { key: "another" }),
  detected_unusual_activity: seen("provider.invalid_key", 401, { key: "rest" }),
  authorization_error: seen("provider.refused", 403),
  quota_exceeded: seen("provider.quota_exceeded", 401, { key: "rest" }),
  output_format_not_allowed: seen("provider.invalid_request", 403),
  "only_for_creator+": seen("provider.invalid_request", 403),
  content_against_policy: seen("provider.refused"),
  voice_blocked_detected: seen("provider.refused"),
  famous_voice_not_permitted: seen("provider.refused"),
  ivc_not_permitted: seen("provider.refused"),
  user_in_probation: seen("provider.refused"),
  free_users_not_allowed: seen("provider.refused"),
  // The voice: another one may do.
  voice_not_found: documented("provider.voice_not_found", 404),
  invalid_voice_id: documented("provider.voice_not_found", 400),
  voice_access_denied: documented("provider.voice_not_found", 403),
  voice_does_not_exist: seen("provider.voice_not_found", 400),
  voice_id_does_not_exist: seen("provider.voice_not_found"),
  invalid_uid: seen("provider.voice_not_found", 400),
  voice_disabled: seen("provider.voice_not_found"),
  voice_not_fine_tuned: seen("provider.voice_not_found", 400),
  // A library voice on a plan without library voices.
  paid_plan_required: seen("provider.voice_not_found", 402),
  payment_required: seen("provider.voice_not_found", 402),
  // The model: another one may do.
  model_not_found: documented("provider.unsupported_model", 404),
  unsupported_model: documented("provider.unsupported_model", 400),
  model_access_denied: documented("provider.unsupported_model", 403),
  model_can_not_do_text_to_speech: seen("provider.unsupported_model", 400),
  // The rest of the request.
  pronunciation_dictionary_not_found: documented("provider.invalid_request", 404),
  text_too_long: documented("provider.invalid_request", 400),
  text_too_short: documented("provider.invalid_request", 400),
  invalid_text: documented("provider.invalid_request", 400),
  empty_text: documented("provider.invalid_request", 400),
  invalid_parameters: documented("provider.invalid_request", 400),
  missing_required_field: documented("provider.invalid_request", 400),
  invalid_voice_settings: documented("provider.invalid_request", 400),
  invalid_output_format: documented("provider.invalid_request", 400),
  bad_request: documented("provider.invalid_request", 400),
  malformed_json: documented("provider.invalid_request", 400),
  invalid_content_type: documented("provider.invalid_request", 400),
  request_too_large: documented("provider.invalid_request", 400),
  validation_error: seen("provider.invalid_request", 422),
  invalid_request: seen("provider.invalid_request", 400),
  invalid_argument: seen("provider.invalid_request", 400),
  invalid_input: seen("provider.invalid_request"),
  input_text_empty: seen("provider.invalid_request", 400),
  max_character_limit_exceeded: seen("provider.invalid_request", 400),
  unsupported_language: seen("provider.invalid_request", 400),
  unsupported_output_format: seen("provider.invalid_request", 400),
  context_closing: seen("provider.invalid_request"),
  // Busy: our doing, or theirs and said so.
  concurrent_limit_exceeded: documented("provider.overloaded", 429),
  rate_limit_exceeded: documented("provider.overloaded", 429),
  system_busy: documented("provider.overloaded", 429),
  conflict: documented("provider.overloaded", 409),
  already_running: documented("provider.overloaded", 409),
  already_processing: documented("provider.overloaded", 409),
  concurrent_modification: documented("provider.overloaded", 409),
  rate_limit_error: seen("provider.overloaded", 429),
  too_many_concurrent_requests: seen("provider.overloaded", 429),
  too_early: seen("provider.overloaded", 425),
  max_active_conversations: seen("provider.overloaded"),
  too_many_contexts: seen("provider.overloaded"),
  input_timeout_exceeded: seen("provider.idle_closed"),
  // Broken.
  internal_error: documented("provider.fault", 500, { fault: true }),
  service_unavailable: documented("provider.fault", 503, { fault: true }),
  maintenance: documented("provider.fault", 503, { fault: true }),
  something_went_wrong: seen("provider.fault", 500, { fault: true }),
  internal_server_error: seen("provider.fault", 500, { fault: true }),
  // Documented for other services of the provider. None of them says anything about speech.
  not_found: seen("provider.refused", 404),
  sample_not_found: documented("provider.refused", 404),
  voice_collection_not_found: documented("provider.refused", 404),
  user_not_found: documented("provider.refused", 404),
  auth_account_not_found: documented("provider.refused", 404),
  workspace_not_found: documented("provider.refused", 404),
  project_not_found: documented("provider.refused", 404),
  history_item_not_found: documented("provider.refused", 404),
  collection_not_found: documented("provider.refused", 404),
  document_not_found: documented("provider.refused", 404),
  file_not_found: documented("provider.refused", 404),
  conversation_not_found: documented("provider.refused", 404),
  agent_not_found: documented("provider.refused", 404),
  dubbing_not_found: documented("provider.refused", 404),
  song_not_found: documented("provider.refused", 404),
  read_not_found: documented("provider.refused", 404),
  knowledge_base_not_found: documented("provider.refused", 404),
  phone_number_not_found: documented("provider.refused", 404),
  tool_not_found: documented("provider.refused", 404),
  snapshot_not_found: documented("provider.refused", 404),
  task_not_found: documented("provider.refused", 404),
  transcript_not_found: documented("provider.refused", 404),
  keywords_list_not_found: documented("provider.refused", 404),
  category_not_found: documented("provider.refused", 404),
  invalid_audio: documented("provider.invalid_request", 400),
  invalid_audio_format: documented("provider.invalid_request", 400),
  audio_too_long: documented("provider.invalid_request", 400),
  audio_too_short: documented("provider.invalid_request", 400),
  invalid_file_type: documented("provider.invalid_request", 400),
  invalid_page_size: documented("provider.invalid_request", 400),
  invalid_cursor: documented("provider.invalid_request", 400),
  resource_already_exists: documented("provider.overloaded", 409),
  voice_already_exists: documented("provider.overloaded", 409),
  slug_already_exists: documented("provider.overloaded", 409),
};

/** The table's row, or `undefined` for a name that is not in it. */
export const findErrorName = (name: string): NamedError | undefined =>
  Object.hasOwn(ERROR_NAMES, name) ? ERROR_NAMES[name] : undefined;

/** The form of the provider's names: nothing that it may have copied from a request, and no key. */
export const isErrorName = (name: string): boolean =>
  /^[a-z][a-z0-9_+]{2,48}$/.test(name) && !/^(?:sk|xi)_/.test(name);
