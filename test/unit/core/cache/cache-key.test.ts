import {
  type AudibleRequest,
  normalizeText,
  toCacheKey,
  toProviderIdentity,
} from "@tts-labs/core/cache/cache-key";
import type { SpeechOptions, VoiceSettings } from "@tts-labs/protocol/speech-options";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const unit = fc.integer({ min: 0, max: 100 }).map((n) => n / 100);
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const compact = <T extends object>(of: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as T;

const SETTINGS: { [K in keyof Required<VoiceSettings>]: fc.Arbitrary<NonNullable<VoiceSettings[K]>> } = {
  stability: unit,
  similarity_boost: unit,
  style: unit,
  use_speaker_boost: fc.boolean(),
  speed: unit.map((n) => 0.7 + n / 2),
};
const settings = fc
  .record({
    stability: maybe(SETTINGS.stability),
    similarity_boost: maybe(SETTINGS.similarity_boost),
    style: maybe(SETTINGS.style),
    use_speaker_boost: maybe(SETTINGS.use_speaker_boost),
    speed: maybe(SETTINGS.speed),
  })
  .map((it) => compact<VoiceSettings>(it));

/** All that are heard in a text that is complete at once. */
type Audible = Omit<SpeechOptions, "natural" | "logging">;

const OPTIONS: { [K in keyof Required<Audible>]: fc.Arbitrary<NonNullable<SpeechOptions[K]>> } = {
  voice: fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/),
  model: fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/),
  language: fc.stringMatching(/^[a-z]{2}$/),
  voiceSettings: settings.filter((it) => Object.keys(it).length > 0),
  chunkLengthSchedule: fc.array(fc.integer({ min: 50, max: 500 }), { minLength: 1, maxLength: 8 }),
  autoMode: fc.boolean(),
  seed: fc.nat(),
  textNormalization: fc.constantFrom("auto", "on", "off"),
  languageTextNormalization: fc.boolean(),
  dictionaries: fc.array(
    fc.record({
      pronunciation_dictionary_id: fc.stringMatching(/^[a-z]{1,4}$/),
      version_id: fc.stringMatching(/^[a-z]{1,4}$/),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  ssml: fc.constant(true),
  sampleRateHz: fc.constantFrom(8_000, 16_000, 22_050, 24_000, 44_100),
};
const speech = fc
  .record({
    voice: OPTIONS.voice,
    model: OPTIONS.model,
    autoMode: OPTIONS.autoMode,
    sampleRateHz: OPTIONS.sampleRateHz,
    language: maybe(OPTIONS.language),
    voiceSettings: maybe(OPTIONS.voiceSettings),
    chunkLengthSchedule: maybe(OPTIONS.chunkLengthSchedule),
    seed: maybe(OPTIONS.seed),
    textNormalization: maybe(OPTIONS.textNormalization),
    languageTextNormalization: maybe(OPTIONS.languageTextNormalization),
    dictionaries: maybe(OPTIONS.dictionaries),
    ssml: maybe(OPTIONS.ssml),
  })
  .map((it) => compact<SpeechOptions>(it));
const request: fc.Arbitrary<AudibleRequest> = fc.record({
  provider: fc.domain(),
  text: fc.string({ unit: "grapheme", minLength: 1 }),
  speech,
});

const shuffled = <T extends object>(of: T): T => Object.fromEntries(Object.entries(of).reverse()) as T;

describe("the key of cached speech", () => {
  test.each(Object.keys(OPTIONS) as (keyof Audible)[])("changes with another %s", (name) => {
    fc.assert(
      fc.property(request, OPTIONS[name], (of, value) => {
        fc.pre(JSON.stringify(of.speech[name]) !== JSON.stringify(value));
        expect(toCacheKey({ ...of, speech: { ...of.speech, [name]: value } })).not.toBe(toCacheKey(of));
      }),
    );
  });

  test.each(Object.keys(SETTINGS) as (keyof VoiceSettings)[])(
    "changes with another voice setting %s",
    (name) => {
      fc.assert(
        fc.property(request, SETTINGS[name], (of, value) => {
          fc.pre(of.speech.voiceSettings?.[name] !== value);
          const voiceSettings = { ...of.speech.voiceSettings, [name]: value };
          expect(toCacheKey({ ...of, speech: { ...of.speech, voiceSettings } })).not.toBe(toCacheKey(of));
        }),
      );
    },
  );

  test("changes when an option is left to the provider", () => {
    const optional = [
      "language",
      "voiceSettings",
      "chunkLengthSchedule",
      "seed",
      "textNormalization",
    ] as const;
    fc.assert(
      fc.property(request, fc.constantFrom(...optional), (of, name) => {
        fc.pre(of.speech[name] !== undefined);
        const { [name]: _, ...rest } = of.speech;
        expect(toCacheKey({ ...of, speech: rest })).not.toBe(toCacheKey(of));
      }),
    );
  });

  test("changes with another text and another provider", () => {
    fc.assert(
      fc.property(request, request, (of, other) => {
        fc.pre(normalizeText(of.text) !== normalizeText(other.text));
        expect(toCacheKey({ ...of, text: other.text })).not.toBe(toCacheKey(of));
      }),
    );
    fc.assert(
      fc.property(request, fc.domain(), (of, provider) => {
        fc.pre(of.provider !== provider);
        expect(toCacheKey({ ...of, provider })).not.toBe(toCacheKey(of));
      }),
    );
  });

  test("stays where only the order of options, or what can't be heard, differs", () => {
    fc.assert(
      fc.property(request, (of) => {
        const voiceSettings = of.speech.voiceSettings;
        const same: SpeechOptions = shuffled({
          ...of.speech,
          ...(voiceSettings === undefined ? {} : { voiceSettings: shuffled(voiceSettings) }),
        });
        const more = { sessionId: "ses_1", requestId: "req_1", frameSamples: 480, delivery: "paced" };
        expect(toCacheKey({ ...shuffled(of), speech: same, ...more })).toBe(toCacheKey(of));
        expect(toCacheKey({ ...of, text: `  ${of.text.replaceAll(" ", " \t ")}\n` })).toBe(toCacheKey(of));
      }),
    );
  });

  test("no settings and empty settings are told apart from any setting, not from each other", () => {
    const of: AudibleRequest = {
      provider: "p",
      text: "Hello.",
      speech: { voice: "v", model: "m", autoMode: false, sampleRateHz: 24_000 },
    };
    expect(toCacheKey({ ...of, speech: { ...of.speech, voiceSettings: {} } })).toBe(toCacheKey(of));
    // Speed 1 is not the same as no speed, whatever the provider's default may be.
    expect(toCacheKey({ ...of, speech: { ...of.speech, voiceSettings: { speed: 1 } } })).not.toBe(
      toCacheKey(of),
    );
  });

  test("is one that other processes and versions come to as well", () => {
    const key = toCacheKey({
      provider: "api.elevenlabs.io",
      text: "Hello World",
      speech: { voice: "v", model: "m", autoMode: false, sampleRateHz: 24_000, seed: 7 },
    });
    expect(key).toBe("IeHMGBtWymLjXz5IxW1BSIP_MlzgjAAgvoGvj4fuONU");
  });
});

describe("text, as far as it is heard", () => {
  test.each([
    ["  Hello \t  World ", "Hello World"],
    ["e\u0301te\u0301", "\u00e9t\u00e9"],
    ["One.\r\nTwo.", "One.\nTwo."],
    ["One. \n \n Two.", "One.\n\nTwo."],
    ["\n\nOne.\n", "One."],
    ["One.\n\n\n\nTwo.", "One.\n\nTwo."],
  ])("%j is %j", (text, heard) => expect(normalizeText(text)).toBe(heard));

  test.each([
    ["Polish", "polish"],
    ["Hello.", "Hello!"],
    ["One. Two.", "One.\nTwo."],
    ["One.\nTwo.", "One.\n\nTwo."],
    ["x\u00b2", "x2"],
    ["10\u00a0000", "10 000"],
  ])("%j and %j stay apart", (a, b) => expect(normalizeText(a)).not.toBe(normalizeText(b)));

  test("costs no more than its length, however much of it is white space", { timeout: 30_000 }, () => {
    const cost = (length: number) => {
      const text = `Hi.${"\n".repeat(length)}x`;
      const before = process.cpuUsage();
      normalizeText(text);
      return process.cpuUsage(before).user / 1_000;
    };
    cost(1_000);
    expect(Math.min(cost(40_000), cost(40_000))).toBeLessThan(160);
    // As it was until issue 8.
    const before = process.cpuUsage();
    `Hi.${"\n".repeat(20_000)}x`.replace(/^[ \n]+|[ \n]+$/g, "");
    expect(process.cpuUsage(before).user / 1_000).toBeGreaterThan(160);
  });

  test("once normalized it stays as it is", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "\u0301", " ", "\n", "\r", "\t", ".", "😀") });
    fc.assert(
      fc.property(text, (it) => {
        expect(normalizeText(normalizeText(it))).toBe(normalizeText(it));
      }),
    );
  });

  test("a provider is its host and port", () => {
    expect(toProviderIdentity("https://api.elevenlabs.io/")).toBe("api.elevenlabs.io");
    expect(toProviderIdentity("http://127.0.0.1:8016")).not.toBe(toProviderIdentity("http://127.0.0.1:8017"));
  });
});
