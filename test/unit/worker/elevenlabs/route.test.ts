import {
  connectUrl,
  openingMessage,
  type Route,
  routeKey,
  toKeyId,
  toRoute,
} from "@tts-labs/worker/elevenlabs/route";
import { describe, expect, it } from "vitest";

const FULL: Route = {
  url: "https://api.elevenlabs.io",
  keyId: toKeyId("sk_secret"),
  voice: "21m00Tcm4TlvDq8ikWAM",
  model: "eleven_flash_v2_5",
  language: "de",
  voiceSettings: { stability: 0.5, similarity_boost: 0.75, style: 0, use_speaker_boost: true, speed: 1 },
  chunkLengthSchedule: [50, 90],
  autoMode: false,
  seed: 7,
  textNormalization: "off",
  languageTextNormalization: true,
  dictionaries: [{ pronunciation_dictionary_id: "dict", version_id: "v1" }],
  ssml: true,
  logging: false,
  sampleRateHz: 24_000,
  inactivityTimeoutS: 180,
};

/** Every field changed once. */
const CHANGES: Record<Exclude<keyof Route, "natural" | "ssml" | "logging">, Partial<Route>> = {
  url: { url: "https://api.us.elevenlabs.io" },
  keyId: { keyId: toKeyId("sk_other") },
  voice: { voice: "other" },
  model: { model: "eleven_turbo_v2_5" },
  language: { language: "en" },
  voiceSettings: { voiceSettings: { ...FULL.voiceSettings, speed: 1.1 } },
  chunkLengthSchedule: { chunkLengthSchedule: [50] },
  autoMode: { autoMode: true },
  seed: { seed: 8 },
  textNormalization: { textNormalization: "on" },
  languageTextNormalization: { languageTextNormalization: false },
  dictionaries: { dictionaries: [{ pronunciation_dictionary_id: "dict", version_id: "v2" }] },
  sampleRateHz: { sampleRateHz: 16_000 },
  inactivityTimeoutS: { inactivityTimeoutS: 20 },
};

describe("a route's key", () => {
  it("is the same for equal routes, in whatever order their fields were written", () => {
    const reversed = Object.fromEntries(Object.entries(FULL).reverse()) as unknown as Route;
    const settings = Object.fromEntries(Object.entries(FULL.voiceSettings ?? {}).reverse());
    expect(routeKey({ ...reversed, voiceSettings: settings })).toBe(routeKey(FULL));
    expect(routeKey(FULL)).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });

  it.each(Object.entries(CHANGES))("is another when %s is another", (_field, change) => {
    expect(routeKey({ ...FULL, ...change })).not.toBe(routeKey(FULL));
  });

  it("is the same where only our own way with the text differs", () => {
    expect(routeKey({ ...FULL, natural: true })).toBe(routeKey(FULL));
  });

  it("tells optional fields that are absent from any value", () => {
    const { language: _language, seed: _seed, ...rest } = FULL;
    expect(routeKey(rest)).not.toBe(routeKey(FULL));
    const { ssml: _ssml, ...readAloud } = FULL;
    const { logging: _logging, ...logged } = FULL;
    expect(new Set([FULL, readAloud, logged].map(routeKey)).size).toBe(3);
    expect(routeKey({ ...rest, seed: 0 })).not.toBe(routeKey(rest));
  });

  it("holds nothing of the API key", () => {
    expect(toKeyId("sk_secret")).not.toContain("secret");
    expect(toKeyId("sk_secret")).not.toBe(toKeyId("sk_other"));
    expect(toKeyId(undefined)).toBe("none");
  });
});

describe("the address of a route", () => {
  it("carries everything fixed at connect, in the provider's spelling", () => {
    const url = connectUrl(FULL);
    expect(url.origin + url.pathname).toBe(
      "wss://api.elevenlabs.io/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM/stream-input",
    );
    expect(Object.fromEntries(url.searchParams)).toEqual({
      model_id: "eleven_flash_v2_5",
      output_format: "pcm_24000",
      inactivity_timeout: "180",
      sync_alignment: "true",
      language_code: "de",
      seed: "7",
      apply_text_normalization: "off",
      apply_language_text_normalization: "true",
      enable_ssml_parsing: "true",
      enable_logging: "false",
    });
    expect(connectUrl({ ...FULL, autoMode: true }).searchParams.get("auto_mode")).toBe("true");
  });

  it.each([
    ["http://127.0.0.1:8016", "ws://127.0.0.1:8016/v1/text-to-speech/a%2F..%2Fb/stream-input"],
    ["https://proxy.example/eleven/", "wss://proxy.example/eleven/v1/text-to-speech/a%2F..%2Fb/stream-input"],
    ["ws://localhost:1?x=1", "ws://localhost:1/v1/text-to-speech/a%2F..%2Fb/stream-input"],
  ])("under %s keeps host and path, and a voice can't leave its place", (url, expected) => {
    expect(connectUrl({ ...FULL, url, voice: "a/../b" }).href.split("?")[0]).toBe(expected);
  });
});

describe("the opening message", () => {
  it("is one space with the settings", () => {
    expect(JSON.parse(openingMessage(FULL))).toEqual({
      text: " ",
      voice_settings: FULL.voiceSettings,
      generation_config: { chunk_length_schedule: [50, 90] },
      pronunciation_dictionary_locators: [{ pronunciation_dictionary_id: "dict", version_id: "v1" }],
    });
  });

  it("says nothing it need not: the voice's own settings apply, and auto_mode has no schedule", () => {
    const bare = toRoute(
      { voice: "v", model: "m", autoMode: true, chunkLengthSchedule: [50], sampleRateHz: 24_000 },
      { url: FULL.url, keyId: "none", inactivityTimeoutS: 20 },
    );
    expect(JSON.parse(openingMessage(bare))).toEqual({ text: " " });
  });
});
