/**
 * The names under which the service tells errors: those it has published, the older ones it still sends beside them
 * (`status`), those that only the sockets use, and those that clients have reported (docs/elevenlabs.md 10).
 * What is done about each is the client's affair; here stands in which form it is told over HTTP.
 */
export interface NamedError {
  readonly code: string;
  readonly httpStatus: number;
  readonly type: string;
  /** The older name, where it differs. */
  readonly legacyStatus: string;
}

type Row = readonly [httpStatus: number, type: string, ...names: string[]];

/** In `code/legacy` the part behind the stroke is the older name. */
const ROWS: readonly Row[] = [
  [400, "authentication_error", "invalid_api_key"],
  [401, "authentication_error", "missing_api_key/needs_authorization", "authentication_required"],
  [401, "authentication_error", "unauthorized/missing_permissions", "sign_in_required"],
  [401, "authentication_error", "invalid_authorization_header"],
  [401, "authorization_error", "detected_unusual_activity"],
  [403, "authorization_error", "insufficient_permissions", "workspace_access_denied", "forbidden"],
  [401, "payment_required", "quota_exceeded"],
  [402, "payment_required", "insufficient_credits", "paid_plan_required/payment_required"],
  [403, "authorization_error", "subscription_required/output_format_not_allowed", "only_for_creator+"],
  [403, "authorization_error", "feature_not_available", "content_against_policy", "voice_blocked_detected"],
  [403, "authorization_error", "famous_voice_not_permitted", "ivc_not_permitted", "user_in_probation"],
  [403, "authorization_error", "free_users_not_allowed"],
  [404, "not_found", "voice_not_found/voice_does_not_exist", "voice_id_does_not_exist"],
  [400, "validation_error", "invalid_voice_id/invalid_uid", "voice_not_fine_tuned"],
  [403, "authorization_error", "voice_access_denied", "voice_disabled", "model_access_denied"],
  [404, "not_found", "model_not_found", "pronunciation_dictionary_not_found"],
  [400, "validation_error", "unsupported_model", "model_can_not_do_text_to_speech", "unsupported_language"],
  [403, "validation_error", "invalid_output_format"],
  [400, "validation_error", "text_too_long/max_character_limit_exceeded", "empty_text/input_text_empty"],
  [400, "validation_error", "text_too_short", "missing_required_field", "invalid_text", "invalid_parameters"],
  [400, "validation_error", "invalid_voice_settings", "invalid_input"],
  [400, "invalid_request", "malformed_json", "request_too_large", "bad_request", "invalid_content_type"],
  [400, "invalid_request", "invalid_argument"],
  [429, "rate_limit_error", "concurrent_limit_exceeded/too_many_concurrent_requests"],
  [429, "rate_limit_error", "rate_limit_exceeded", "system_busy"],
  [429, "rate_limit_error", "max_active_conversations", "too_many_contexts"],
  [409, "conflict", "conflict", "already_running", "already_processing", "concurrent_modification"],
  [425, "conflict", "too_early"],
  [500, "internal_error", "internal_error/something_went_wrong"],
  [503, "service_unavailable", "service_unavailable", "maintenance"],
  [408, "request_timeout", "input_timeout_exceeded"],
  [400, "validation_error", "context_closing"],
  [404, "not_found", "sample_not_found", "voice_collection_not_found", "user_not_found"],
  [404, "not_found", "auth_account_not_found", "workspace_not_found", "project_not_found"],
  [404, "not_found", "history_item_not_found", "collection_not_found", "document_not_found"],
  [404, "not_found", "file_not_found", "conversation_not_found", "agent_not_found", "dubbing_not_found"],
  [404, "not_found", "song_not_found", "read_not_found", "knowledge_base_not_found"],
  [404, "not_found", "phone_number_not_found", "tool_not_found", "snapshot_not_found", "task_not_found"],
  [404, "not_found", "transcript_not_found", "keywords_list_not_found", "category_not_found"],
  [400, "validation_error", "invalid_audio", "invalid_audio_format", "audio_too_long", "audio_too_short"],
  [400, "validation_error", "invalid_file_type", "invalid_page_size", "invalid_cursor"],
  [409, "conflict", "resource_already_exists", "voice_already_exists", "slug_already_exists"],
];

const byName = new Map<string, NamedError>();
for (const [httpStatus, type, ...names] of ROWS) {
  for (const written of names) {
    const [code = written, legacyStatus = code] = written.split("/");
    const error = { code, httpStatus, type, legacyStatus };
    byName.set(code, error);
    byName.set(legacyStatus, error);
  }
}

/** Every name, old and new. */
export const ERROR_NAMES: readonly string[] = [...byName.keys()];

/** What such a name looks like; one that is in no list is told with status 400. */
export const ERROR_NAME_FORM = /^[a-z0-9_+]{1,64}$/;

export const findNamedError = (name: string): NamedError =>
  byName.get(name) ?? { code: name, httpStatus: 400, type: "validation_error", legacyStatus: name };
