import { defaultWorkerConfig, type WorkerConfig } from "@tts-labs/worker/config";
import { toProviderKeys } from "@tts-labs/worker/elevenlabs/account/provider-keys";
import { toFallbackProvider } from "@tts-labs/worker/fallback-config";
import { expect, test } from "vitest";

const SECOND = "https://second.example";

function configure(overrides: Partial<WorkerConfig>) {
  const config = defaultWorkerConfig({ apiKey: "sk_first", ...overrides });
  return toFallbackProvider(config, toProviderKeys({ ...config, slots: 0 }));
}

test("there is no second provider unless its address is given", () => {
  expect(configure({})).toBeUndefined();
  expect(configure({ fallbackVoice: "henry", fallbackModel: "eleven_v3" })).toBeUndefined();
});

test("a second provider has keys and slots of its own", () => {
  const second = configure({ fallbackUrl: SECOND, fallbackApiKeys: "sk_a:7,sk_b", fallbackSlots: 3 });
  expect(second?.keys.map(({ secret, slots }) => [secret, slots])).toEqual([
    ["sk_a", 7],
    ["sk_b", 3],
  ]);
});

test("the same address with another key is a second provider too", () => {
  const { elevenLabsUrl: fallbackUrl } = defaultWorkerConfig();
  expect(configure({ fallbackUrl, fallbackApiKey: "sk_other" })).toMatchObject({ url: fallbackUrl });
});

test.each<[string, Partial<WorkerConfig>, RegExp]>([
  ["a key without an address", { fallbackApiKey: "sk_second" }, /no FALLBACK_ELEVENLABS_URL/],
  ["an address that is none", { fallbackUrl: "second.example" }, /FALLBACK_ELEVENLABS_URL="second.example"/],
  ["a voice that can't be one", { fallbackVoice: "no such voice" }, /FALLBACK_VOICE="no such voice"/],
  ["a model that can't be one", { fallbackModel: "a/b" }, /FALLBACK_MODEL="a\/b"/],
  [
    "a key that can't be one",
    { fallbackUrl: SECOND, fallbackApiKey: "sk second" },
    /FALLBACK_ELEVENLABS_API_KEY/,
  ],
  [
    "the first provider again",
    { fallbackUrl: "https://api.elevenlabs.io/", fallbackApiKey: "sk_first" },
    /first provider itself/,
  ],
])("%s is refused, in words that say which variable", (_name, overrides, words) => {
  expect(() => configure(overrides)).toThrow(words);
  expect(() => configure(overrides)).not.toThrow(/sk.second|sk_first/);
});
