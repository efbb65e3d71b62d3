import { parseWorkerConfig } from "@tts-labs/worker/config";
import { expect, it } from "vitest";

const RATES = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

it.each(RATES)("TTS_SAMPLE_RATE_HZ may be %i, as the provider has it", (rate) => {
  expect(parseWorkerConfig({ TTS_SAMPLE_RATE_HZ: String(rate) }).sampleRateHz).toBe(rate);
});

it.each(["12345", "11025", "96000", "0", "fast"])(
  "TTS_SAMPLE_RATE_HZ=%s is refused, and the rates are listed",
  (rate) => {
    expect(() => parseWorkerConfig({ TTS_SAMPLE_RATE_HZ: rate })).toThrow(
      expect.objectContaining({
        code: "config.invalid",
        message: expect.stringMatching(/TTS_SAMPLE_RATE_HZ=.*8000, 16000, 22050, 24000, 32000, 44100, 48000/),
      }),
    );
  },
);
