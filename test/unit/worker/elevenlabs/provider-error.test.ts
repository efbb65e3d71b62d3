import {
  toCloseError,
  toConnectError,
  toProviderError,
  toSocketError,
  toUpgradeError,
} from "@tts-labs/worker/elevenlabs/provider-error";
import { describe, expect, it } from "vitest";

describe("an error the provider names", () => {
  it.each([
    ["invalid_api_key", "provider.invalid_key", false],
    ["authentication_required", "provider.invalid_key", false],
    ["authentication_error", "provider.invalid_key", false],
    ["unauthorized", "provider.invalid_key", false],
    ["missing_permissions", "provider.invalid_key", false],
    ["detected_unusual_activity", "provider.invalid_key", false],
    ["quota_exceeded", "provider.quota_exceeded", false],
    ["max_character_limit_exceeded", "provider.quota_exceeded", false],
    ["subscription_required", "provider.quota_exceeded", false],
    ["only_for_creator+", "provider.quota_exceeded", false],
    ["voice_id_does_not_exist", "provider.voice_not_found", false],
    ["voice_does_not_exist", "provider.voice_not_found", false],
    ["voice_not_found", "provider.voice_not_found", false],
    ["unsupported_model", "provider.unsupported_model", false],
    ["model_not_found", "provider.unsupported_model", false],
    ["invalid_input", "provider.invalid_request", false],
    ["invalid_voice_settings", "provider.invalid_request", false],
    ["validation_error", "provider.invalid_request", false],
    ["unsupported_output_format", "provider.invalid_request", false],
    ["input_timeout_exceeded", "provider.idle_closed", true],
    ["too_many_concurrent_requests", "provider.overloaded", true],
    ["concurrent_limit_exceeded", "provider.overloaded", true],
    ["rate_limit_exceeded", "provider.overloaded", true],
    ["system_busy", "provider.overloaded", true],
    ["max_active_conversations", "provider.overloaded", true],
    ["something_went_wrong", "provider.fault", true],
    ["internal_server_error", "provider.fault", true],
    ["service_unavailable", "provider.fault", true],
    ["never_seen_before", "provider.fault", true],
  ])("%s is %s", (error, code, retryable) => {
    expect(toProviderError(error, "")).toMatchObject({ code, retryable, facts: { providerError: error } });
  });

  it.each([
    ["This request exceeds your quota of 10000.", "provider.quota_exceeded"],
    ["Something went wrong, you are not charged.", "provider.fault"],
    ["voice_settings must be in the first message", "provider.invalid_request"],
    ["Invalid API key", "provider.invalid_key"],
    ["A voice with voice_id x does not exist.", "provider.voice_not_found"],
    ["", "provider.fault"],
  ])("without a name is known by its text: %s", (text, code) => {
    expect(toProviderError("", text)).toMatchObject({ code, facts: {} });
  });

  it("never shows what it quotes: no key, no text for people", () => {
    const error = toProviderError("sk_0123456789abcdef", "Invalid API key sk_0123456789abcdef");
    expect(JSON.stringify([error.message, error.facts])).not.toContain("sk_");
    const other = toProviderError("Your key: abc", "said the user's secret text");
    expect(JSON.stringify([other.message, other.facts])).not.toMatch(/abc|secret/);
  });
});

describe("a refused upgrade", () => {
  const body = (code: string) => JSON.stringify({ detail: { code, status: code, message: "…" } });
  it.each([
    [400, body("unsupported_model"), "provider.unsupported_model", false],
    [403, body("unsupported_model"), "provider.unsupported_model", false],
    [400, body("invalid_api_key"), "provider.invalid_key", false],
    [400, "", "provider.invalid_request", false],
    [401, "", "provider.invalid_key", false],
    [401, body("quota_exceeded"), "provider.quota_exceeded", false],
    [403, "", "provider.refused", false],
    [403, body("subscription_required"), "provider.quota_exceeded", false],
    [404, body("voice_not_found"), "provider.voice_not_found", false],
    [418, "", "provider.refused", false],
    [422, JSON.stringify({ detail: [{ msg: "?" }] }), "provider.invalid_request", false],
    [429, body("too_many_concurrent_requests"), "provider.overloaded", true],
    [429, "slow down", "provider.overloaded", true],
    [500, body("something_went_wrong"), "provider.fault", true],
    [502, "<html>", "provider.fault", true],
    [503, "", "provider.overloaded", true],
  ])("with %i and %s is %s", (status, text, code, retryable) => {
    expect(toUpgradeError(status, text, undefined)).toMatchObject({
      code,
      retryable,
      facts: { httpStatus: status },
    });
  });

  it("says when to come back, in seconds or as a date, within reason", () => {
    expect(toUpgradeError(429, "", "7").retryAfterMs).toBe(7_000);
    expect(toUpgradeError(429, "", "99999999").retryAfterMs).toBe(3_600_000);
    expect(toUpgradeError(429, "", "soon").retryAfterMs).toBeUndefined();
    const date = new Date(Date.now() + 30_000).toUTCString();
    expect(toUpgradeError(429, "", date).retryAfterMs).toBeGreaterThan(25_000);
  });
});

describe("a close without a final message", () => {
  it.each([
    [1000, "", "provider.truncated"],
    [1006, "", "provider.truncated"],
    [1008, "", "provider.truncated"],
    [1008, "Invalid API key", "provider.invalid_key"],
    [1008, "Have not received a new text input within the timeout of 20.0 seconds", "provider.idle_closed"],
    [1000, "Invalid API key", "provider.truncated"],
  ])("with %i and “%s” is %s", (code, reason, expected) => {
    expect(toCloseError(code, reason)).toMatchObject({ code: expected, facts: { closeCode: code } });
  });
});

describe("a broken connection", () => {
  it("tells Node's reason", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    expect(toConnectError(refused)).toMatchObject({
      code: "provider.connect_failed",
      facts: { reason: "ECONNREFUSED" },
    });
    expect(toSocketError(Object.assign(new Error(), { code: "ECONNRESET" }))).toMatchObject({
      code: "provider.truncated",
    });
    expect(toSocketError(Object.assign(new Error(), { code: "WS_ERR_INVALID_UTF8" }))).toMatchObject({
      code: "provider.fault",
    });
  });
});
