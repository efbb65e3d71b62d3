import { firstAudioVerdict } from "@tts-labs/core/audio/first-audio-verdict";
import { estimateSpeechBytes } from "@tts-labs/edge/dialects/synthesize/speech-estimate";
import { expect, test } from "vitest";

test("17 letters a second are a second of speech, and a syllable of Chinese takes longer than a letter", () => {
  expect(estimateSpeechBytes("x".repeat(17), 24_000)).toBe(48_000);
  expect(estimateSpeechBytes("x".repeat(17), 24_000, 1.2)).toBe(40_000);
  expect(estimateSpeechBytes("\u4f60".repeat(34), 24_000)).toBe(48_000 * 7);
  expect(estimateSpeechBytes(`a${"\n".repeat(10_000)}b`, 24_000)).toBeLessThan(48_000);
});

test.each([
  [0, "excellent"],
  [149.9, "excellent"],
  [150, "fast"],
  [299.9, "fast"],
  [300, "slow"],
] as const)("first audio after %d ms is %s", (ms, verdict) => {
  expect(firstAudioVerdict(ms)).toBe(verdict);
});
