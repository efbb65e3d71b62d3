import { keyVerdictOn, verdictOn } from "@tts-labs/core/breaker/faults";
import { ERROR_NAMES } from "@tts-labs/worker/elevenlabs/errors/error-names";
import {
  toCloseError,
  toConnectError,
  toProviderError,
  toSocketError,
  toUpgradeError,
} from "@tts-labs/worker/elevenlabs/errors/provider-error";
import { withoutSecret } from "@tts-labs/worker/elevenlabs/errors/provider-reason";
import { describe, expect, it } from "vitest";

const rows = Object.entries(ERROR_NAMES);

describe("the table of the provider's names", () => {
  it("has the 73 documented codes", () => {
    expect(rows.filter(([, row]) => row.documented === true)).toHaveLength(73);
  });

  it("lets only the provider's own faults count, and only what is wrong with a key rest it", () => {
    const names = (of: (row: (typeof rows)[number][1]) => boolean) =>
      rows.filter(([, row]) => of(row)).map(([name]) => name);
    expect(names(({ fault }) => fault === true).sort()).toEqual([
      "internal_error",
      "internal_server_error",
      "maintenance",
      "service_unavailable",
      "something_went_wrong",
    ]);
    for (const [name, { code, key }] of rows) {
      if (key === "rest") expect(["provider.invalid_key", "provider.quota_exceeded"], name).toContain(code);
    }
  });

  it.each(rows)("%s is judged by its row on a socket", (name, row) => {
    const error = toProviderError(name, "");
    expect(error.code).toBe(row.code);
    expect(verdictOn(error) === "fault").toBe(row.fault === true);
    expect(keyVerdictOn(error)).toBe(row.key ?? "same");
    expect(error.facts).toEqual({ providerError: name });
  });
});

describe("an error the provider names", () => {
  it.each([
    ["invalid_api_key", "provider.invalid_key", false],
    ["authentication_required", "provider.invalid_key", false],
    ["authentication_error", "provider.invalid_key", false],
    ["unauthorized", "provider.invalid_key", false],
    ["missing_permissions", "provider.invalid_key", false],
    ["detected_unusual_activity", "provider.invalid_key", false],
    ["quota_exceeded", "provider.quota_exceeded", false],
    ["max_character_limit_exceeded", "provider.invalid_request", false],
    ["text_too_long", "provider.invalid_request", false],
    ["subscription_required", "provider.invalid_request", false],
    ["only_for_creator+", "provider.invalid_request", false],
    ["paid_plan_required", "provider.voice_not_found", false],
    ["voice_access_denied", "provider.voice_not_found", false],
    ["voice_collection_not_found", "provider.refused", false],
    ["sign_in_required", "provider.invalid_key", false],
    ["concurrent_modification", "provider.overloaded", true],
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
    ["never_seen_before", "provider.refused", false],
    ["constructor", "provider.refused", false],
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
    const error = toProviderError("", text);
    expect(error.code).toBe(code);
    expect(error.facts["providerError"]).toBeUndefined();
  });

  it("with a name or words that are not known is held against neither the provider nor a key", () => {
    const errors = [
      toProviderError("never_seen_before", ""),
      toProviderError("", "That can't be done today."),
      toProviderError("That can't be done today.", ""),
      toUpgradeError(418, "", undefined),
      toUpgradeError(
        403,
        JSON.stringify({ detail: { code: "new_rule", type: "payment_required" } }),
        undefined,
      ),
      toUpgradeError(
        401,
        JSON.stringify({ detail: { code: "new_rule", type: "authentication_error" } }),
        undefined,
      ),
    ];
    for (const error of errors) {
      expect(error).toMatchObject({ code: "provider.refused", retryable: false });
      expect([verdictOn(error), keyVerdictOn(error)]).toEqual(["alive", "same"]);
    }
  });

  it("without a name and without words is the provider's fault", () => {
    expect(verdictOn(toProviderError("", ""))).toBe("fault");
  });

  it("tells the provider's own reason in the message and as a fact", () => {
    const error = toProviderError("unsupported_language", "Model 'eleven_flash_v2' does not speak 'xx'");
    expect(error.message).toBe(
      "The provider refused the settings of this utterance. It says (unsupported_language): Model 'eleven_flash_v2' does not speak 'xx'.",
    );
    expect(error.facts).toEqual({
      providerError: "unsupported_language",
      providerReason: "Model 'eleven_flash_v2' does not speak 'xx'",
    });
  });

  it.each([
    ["sk_0123456789abcdef", "Invalid API key sk_0123456789abcdef", /sk_|0123/],
    ["invalid_text", 'The text "said in confidence to nobody" is invalid.', /confidence/],
    ["invalid_text", "The text 'said in confidence' is invalid.", /confidence/],
    ["quota_exceeded", "Upgrade at https://elevenlabs.io/app/subscription?user=abc now", /elevenlabs|abc/],
    ["quota_exceeded", "Upgrade at elevenlabs.io/app now, or ask billing@elevenlabs.io", /elevenlabs/],
    ["invalid_api_key", "Your key 0a1b2c3d4e5f60718293a4b5c6d7e8f9 is wrong", /0a1b/],
    ["invalid_api_key", "Authorization: Bearer abc.def is wrong", /abc/],
    ["invalid_input", "line one\nline two \u001b[31m \u202e <b>", /[\p{C}\p{Zl}<>]/u],
    ["invalid_input", "<html><body>Bad</body></html>", /html|Bad/],
    ["invalid_input", "x".repeat(100_000), /x{201}/],
    ["Your key: sk-abcdef", "", /abcdef/],
  ])("never shows what it quotes: %s, %s", (name, text, forbidden) => {
    const error = toProviderError(name, text);
    expect(error.message).not.toMatch(forbidden);
    expect(JSON.stringify(error.facts)).not.toMatch(forbidden);
  });

  it("keeps out the very key that was used, whatever its form", () => {
    expect(withoutSecret("the key hunter2hunter2 is wrong", "hunter2hunter2")).toBe("the key [key] is wrong");
    expect(withoutSecret("as it is", undefined)).toBe("as it is");
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
    [403, body("subscription_required"), "provider.invalid_request", false],
    [402, body("paid_plan_required"), "provider.voice_not_found", false],
    [402, "", "provider.quota_exceeded", false],
    [400, body("max_character_limit_exceeded"), "provider.invalid_request", false],
    [409, body("already_running"), "provider.overloaded", true],
    [409, "", "provider.overloaded", true],
    [404, body("voice_collection_not_found"), "provider.refused", false],
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

  it("of a field that the model does not take is not about the model", () => {
    const of = (param: string) =>
      toUpgradeError(400, JSON.stringify({ detail: { code: "unsupported_model", param } }), undefined);
    expect(of("model_id").code).toBe("provider.unsupported_model");
    expect(of("language_code")).toMatchObject({
      code: "provider.invalid_request",
      facts: { providerError: "unsupported_model", providerParam: "language_code" },
    });
  });

  it("by 503 counts, by 429 does not", () => {
    expect(verdictOn(toUpgradeError(503, body("maintenance"), undefined))).toBe("fault");
    expect(verdictOn(toUpgradeError(429, "", undefined))).toBe("nothing");
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
    [1008, "quota_exceeded", "provider.quota_exceeded"],
    [1011, "internal_error", "provider.fault"],
    [1009, "text_too_long", "provider.invalid_request"],
    [1009, "Message too big for us", "provider.truncated"],
  ])("with %i and “%s” is %s", (code, reason, expected) => {
    expect(toCloseError(code, reason)).toMatchObject({ code: expected, facts: { closeCode: code } });
  });

  it.each([
    [1006, "", "fault"],
    [1000, "", "fault"],
    [1008, "Not today, thank you", "nothing"],
    [1009, "Message too big for us", "nothing"],
    [1011, "We stumbled", "fault"],
    [1008, "voice_access_denied", "alive"],
  ])("with %i and “%s” says of the provider: %s", (code, reason, verdict) => {
    expect(verdictOn(toCloseError(code, reason))).toBe(verdict);
  });

  it("tells the words of its reason", () => {
    expect(toCloseError(1008, "Not today, thank you")).toMatchObject({
      message:
        "The provider's socket closed before the utterance was complete. It says: Not today, thank you.",
      facts: { closeCode: 1008, providerReason: "Not today, thank you" },
    });
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
