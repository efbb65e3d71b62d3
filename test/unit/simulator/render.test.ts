import { Espeak } from "@tts-labs/simulator/speech/espeak";
import { renderMessages, renderSpeech } from "@tts-labs/simulator/voice/render";
import { VOICES } from "@tts-labs/simulator/voice/voices";
import { describe, expect, it } from "vitest";

const grace = "simEnglishGrace0000A";
const anna = "simGermanAnna000000A";
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

describe("a rendering", () => {
  it("is the same each time, whatever was spoken in between", async () => {
    const engine = await Espeak.load();
    const grace = { espeakVoice: "en-us+f3", rate: 130, pitch: 52, range: 50, volume: 90 };
    const first = engine.speak("The same words, the same sound.", grace);
    engine.speak("Etwas ganz anderes.", { ...grace, espeakVoice: "de+m1", pitch: 20 });
    const second = engine.speak("The same words, the same sound.", grace);
    expect(second.samples.length).toBeGreaterThan(20_000);
    expect(second).toEqual(first);
  });

  it("of a text is that of its sentences, one after the other", async () => {
    const sentences = ["Hello world. ", "It is 25 degrees in Berlin! ", "And “now”? ", "no end"];
    const whole = await renderSpeech({ text: sentences.join(""), voice: grace });
    const parts = await Promise.all(sentences.map((text) => renderSpeech({ text, voice: grace })));
    expect(whole.pcm.equals(Buffer.concat(parts.map(({ pcm }) => pcm)))).toBe(true);
  });

  it("does not hear white space at its ends", async () => {
    const [bare, padded] = await Promise.all(
      ["Guten Tag.", "  Guten Tag.   "].map((text) => renderSpeech({ text, voice: anna })),
    );
    expect(bare?.pcm.equals(padded?.pcm ?? Buffer.alloc(0))).toBe(true);
  });

  it.each(VOICES.map(({ voiceId }) => voiceId))(
    "by %s is speech of its own, aligned to the millisecond",
    async (voice) => {
      const { pcm, alignment } = await renderSpeech({ text: "Am 3. Mai 2025: 17 Uhr, ok?", voice });
      const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2);
      expect(sum(alignment.durationMs)).toBe(Math.round(samples.length / 24));
      expect(alignment.chars.join("")).toBe("Am 3. Mai 2025: 17 Uhr, ok? ");
      expect(Math.min(...alignment.durationMs)).toBeGreaterThanOrEqual(0);
      let end = 0;
      for (const [i, start] of alignment.startMs.entries()) {
        expect(start).toBe(end);
        end = start + (alignment.durationMs[i] ?? 0);
      }
      const loudness = Math.sqrt(sum(Array.from(samples, (sample) => sample * sample)) / samples.length);
      expect(loudness).toBeGreaterThan(500);
      const others = VOICES.filter(({ voiceId }) => voiceId !== voice);
      const renderings = await Promise.all(
        others.map(({ voiceId }) => renderSpeech({ text: "Am 3. Mai 2025: 17 Uhr, ok?", voice: voiceId })),
      );
      expect(renderings.some((other) => other.pcm.equals(pcm))).toBe(false);
    },
  );

  it("takes longer at a lower speed, and sounds different for every audible option", async () => {
    const text = "Every option is audible.";
    const speech = (options: object) => renderSpeech({ text, voice: grace, ...options });
    const plain = await speech({});
    expect((await speech({ settings: { speed: 0.7 } })).pcm.length).toBeGreaterThan(plain.pcm.length * 1.2);
    const others = await Promise.all([
      speech({ settings: { stability: 0.9 } }),
      speech({ settings: { similarity_boost: 0.1 } }),
      speech({ settings: { style: 1 } }),
      speech({ settings: { use_speaker_boost: false } }),
      speech({ seed: 7 }),
      speech({ model: "eleven_turbo_v2_5" }),
      speech({ language: "de" }),
    ]);
    const distinct = new Set([plain, ...others].map(({ pcm }) => pcm.toString("base64")));
    expect(distinct.size).toBe(others.length + 1);
  });

  it.each([
    ["pl", "Dzień dobry, jak się masz?"],
    ["hi", "सुप्रभात, आप कैसे हैं?"],
    ["zh", "早上好，你好吗？"],
    ["ja", "おはようございます。"],
    ["fil", "Magandang umaga, kumusta ka?"],
  ])("of %s is speech of its own, as every language of the models", async (language, text) => {
    const { pcm, alignment } = await renderSpeech({ text, voice: grace, language });
    expect(pcm.length / 48).toBeGreaterThan(600);
    expect(alignment.chars.join("")).toBe(`${text} `);
    const english = await renderSpeech({ text, voice: grace });
    expect(english.pcm.equals(pcm)).toBe(false);
  });

  it("takes about 80 ms per character", async () => {
    const text = "The quick brown fox jumps over the lazy dog, and then it runs away into the dark forest.";
    const { pcm } = await renderSpeech({ text, voice: grace });
    const perCharacter = pcm.length / 48 / text.length;
    expect(perCharacter).toBeGreaterThan(65);
    expect(perCharacter).toBeLessThan(95);
  });

  it("of marks and markup is harmless", async () => {
    for (const text of [
      "...",
      "“”",
      "<break time='9s'/>",
      "a\u0000b",
      "👋🏽",
      "x".repeat(3_000),
      "\n\n \n",
      "",
    ]) {
      const { pcm, alignment } = await renderSpeech({ text, voice: grace });
      expect(sum(alignment.durationMs)).toBe(Math.round(pcm.length / 48));
    }
  });
});

describe("the rendering of messages", () => {
  const query = { voice: grace, output_format: "pcm_24000", model_id: "eleven_flash_v2_5" };

  it("is that of their text, if it is cut at sentence ends", async () => {
    const text = "One is here. Two is there. Three is nowhere.";
    const [whole, flushed] = [
      await renderSpeech({ text, voice: grace }),
      await renderMessages(
        [
          { text: " " },
          { text: "One is here. Two is" },
          { text: " there.", flush: true },
          { text: " Three is nowhere." },
          { text: "" },
        ],
        query,
      ),
    ];
    expect(flushed.generations).toEqual(["One is here. Two is there.", " Three is nowhere."]);
    expect(flushed.pcm.equals(whole.pcm)).toBe(true);
  });

  it("speaks each message by itself in auto mode, and none shorter than 450 ms", async () => {
    const tokens = ["Hel", "lo", " world", "."].map((text) => ({ text }));
    const [whole, auto] = [
      await renderMessages([{ text: " " }, ...tokens, { text: "" }], query),
      await renderMessages([{ text: " " }, ...tokens, { text: "" }], { ...query, auto_mode: "true" }),
    ];
    expect(auto.generations).toEqual(["Hel", "lo", " world", "."]);
    expect(auto.pcm.length).toBeGreaterThan(whole.pcm.length * 1.4);
    for (const segment of auto.segments) expect(sum(segment.durationMs)).toBeGreaterThanOrEqual(450);
  });
});
