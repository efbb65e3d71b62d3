import { toCharacterTimes } from "@tts-labs/simulator/speech/character-times";
import { resample } from "@tts-labs/simulator/speech/resample";
import { alignmentTexts, normalise } from "@tts-labs/simulator/wire/alignments";
import { pieceEnds } from "@tts-labs/simulator/wire/pieces";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const word = (text_position: number, audio_position: number) =>
  ({ type: "word", text_position, audio_position }) as const;
const phoneme = (audio_position: number, id: string) =>
  ({ type: "phoneme", text_position: 0, audio_position, id }) as const;

describe("characters are placed", () => {
  it("by the events of their words, the marks in the pause behind", () => {
    const events = [word(1, 0), phoneme(100, "i"), phoneme(200, ""), word(5, 300)];
    expect(toCharacterTimes([..."Hi, you"], events, 600)).toEqual([0, 100, 200, 250, 300, 400, 500]);
  });

  it("within a number by those of its events that lead further", () => {
    const events = [word(1, 0), word(2, 400), word(2, 500), word(1, 600)];
    expect(toCharacterTimes([..."25"], events, 1_000)).toEqual([0, 400]);
  });

  it("evenly where the engine tells nothing", () => {
    expect(toCharacterTimes([..."ab"], [], 100)).toEqual([0, 50]);
  });

  it("in order, whatever the events are", () => {
    const event = fc.record({
      type: fc.constantFrom("word", "phoneme", "end"),
      text_position: fc.integer({ min: 0, max: 12 }),
      audio_position: fc.integer({ min: 0, max: 1_200 }),
      id: fc.constantFrom("", "a"),
    });
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 10 }),
        fc.array(event, { maxLength: 20 }),
        (text, events) => {
          const chars = [...text];
          const ordered = events.toSorted((a, b) => a.audio_position - b.audio_position);
          const times = toCharacterTimes(chars, ordered, 1_000);
          expect(times).toHaveLength(chars.length);
          for (const [i, time] of times.entries()) {
            expect(time).toBeGreaterThanOrEqual(times[i - 1] ?? 0);
            expect(time).toBeLessThanOrEqual(1_000);
          }
        },
      ),
    );
  });
});

const speech = {
  chars: [..."Hi  you "],
  starts: [0, 2_400, 4_800, 7_200, 7_200, 9_600, 12_000, 14_400],
  samples: new Int16Array(24_000),
  sampleRateHz: 24_000,
};

describe("an alignment", () => {
  it("is normalised to a leading space and single white space, and lasts as long", () => {
    const { chars, starts } = normalise(speech);
    expect(chars.join("")).toBe(" Hi you ");
    expect(starts).toEqual([0, 600, 2_400, 4_800, 7_200, 9_600, 12_000, 14_400]);
    expect(normalise({ ...speech, chars: [], starts: [] })).toEqual({ chars: [], starts: [] });
  });

  it("goes with the first piece, or each piece gets its own characters", () => {
    const ends = [9_600, 12_000, 24_000];
    const charsOf = (sync: boolean) =>
      alignmentTexts(speech, ends, { sync, oddSpelling: false }).map((texts) => {
        const parsed = JSON.parse(texts?.alignment ?? "null") as { chars: string[] } | null;
        return parsed?.chars.join("") ?? null;
      });
    expect(charsOf(false)).toEqual(["Hi  you ", null, null]);
    expect(charsOf(true)).toEqual(["Hi  y", "o", "u "]);
  });
});

describe("audio is cut into pieces", () => {
  it("that grow, never less than a tail, and always the same for the same text", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400_000 }), fc.string(), fc.nat(400_000), (samples, key, cut) => {
        const ends = pieceEnds(samples, 24_000, key);
        expect(pieceEnds(samples, 24_000, key)).toEqual(ends);
        expect(ends.at(-1)).toBe(samples);
        expect(ends.toSorted((a, b) => a - b)).toEqual(ends);
        expect(new Set(ends).size).toBe(ends.length);
        const cutting = pieceEnds(samples, 24_000, key, cut);
        expect(cutting.includes(cut)).toBe(cut > 0 && cut <= samples);
      }),
    );
  });

  it("one and a tail of about 10 ms, when it is short", () => {
    const [body = 0, end = 0, ...more] = pieceEnds(24_000, 24_000, "short");
    expect(more).toEqual([]);
    expect(end).toBe(24_000);
    expect((end - body) / 24).toBeGreaterThan(8);
    expect((end - body) / 24).toBeLessThan(11);
  });
});

describe("resampling", () => {
  const tone = (hz: number, rate: number) =>
    Int16Array.from({ length: rate }, (_, i) => Math.round(8_000 * Math.sin((2 * Math.PI * hz * i) / rate)));

  it.each([8_000, 16_000, 24_000, 44_100, 48_000])("to %i Hz keeps a tone as it is", (rate) => {
    const expected = tone(440, rate);
    const actual = resample(tone(440, 22_050), 22_050, rate);
    expect(actual).toHaveLength(rate);
    const inside = { from: rate / 10, to: rate - rate / 10 };
    for (let i = inside.from; i < inside.to; i++) {
      expect(Math.abs((actual[i] ?? 0) - (expected[i] ?? 0))).toBeLessThan(80);
    }
  });

  it("to a lower rate leaves out what it can't hold", () => {
    const loudest = Math.max(...resample(tone(7_000, 22_050), 22_050, 8_000).subarray(800, 7_200));
    expect(loudest).toBeLessThan(80);
  });
});
