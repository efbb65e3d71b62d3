import { toCharacterTimes } from "@tts-labs/simulator/speech/character-times";
import { resample } from "@tts-labs/simulator/speech/resample";
import { alignPieces, normalise } from "@tts-labs/simulator/wire/alignments";
import { falsify } from "@tts-labs/simulator/wire/false-alignments";
import { cutPieces, MAX_LAG_MS, type PieceOptions, streamPieceBytes } from "@tts-labs/simulator/wire/pieces";
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
    const pieces = [9_600, 12_000, 24_000].map((timedEnd) => ({ audioEnd: timedEnd - 100, timedEnd }));
    const charsOf = (sync: boolean) =>
      alignPieces(speech, pieces, sync).map((told) => told?.alignment?.chars.join("") ?? null);
    expect(charsOf(false)).toEqual(["Hi  you ", null, null]);
    expect(charsOf(true)).toEqual(["Hi  y", "o", "u "]);
  });

  it("tells each character once, where a fault cuts inside another piece's timings", () => {
    const pieces = [
      { audioEnd: 9_000, timedEnd: 9_600 },
      { audioEnd: 9_300, timedEnd: 9_300 },
      { audioEnd: 23_000, timedEnd: 24_000 },
    ];
    const told = alignPieces(speech, pieces, true).map((one) => one?.alignment?.chars.join("") ?? null);
    expect(told).toEqual(["Hi  y", null, "ou "]);
  });

  it("leaves out the white space at its head; the normalised one has a space there", () => {
    const padded = { ...speech, chars: [..."  a you "] };
    const [told] = alignPieces(padded, [{ audioEnd: 24_000, timedEnd: 24_000 }], false);
    expect(told?.alignment?.chars.join("")).toBe("a you ");
    expect(told?.normalized?.chars.join("")).toBe(" a you ");
  });
});

describe("a false alignment", () => {
  const pieces = [
    { audioEnd: 9_000, timedEnd: 9_600 },
    { audioEnd: 23_000, timedEnd: 24_000 },
  ];
  const told = (fault: Parameters<typeof falsify>[1]) =>
    falsify(alignPieces(speech, pieces, true), fault).map((one) => one?.alignment ?? null);
  const text = (fault: Parameters<typeof falsify>[1]) =>
    told(fault).map((alignment) => alignment?.chars.join("") ?? null);
  const endMs = (fault: Parameters<typeof falsify>[1]) => {
    const last = told(fault).at(-1);
    return (last?.startMs.at(-1) ?? 0) + (last?.durationMs.at(-1) ?? 0);
  };

  it("is longer or shorter than its audio, by as much as was asked", () => {
    expect(endMs(undefined)).toBe(1_000);
    expect(endMs({ name: "alignment-long", byMs: 250 })).toBe(1_250);
    expect(endMs({ name: "alignment-short" })).toBe(880);
    expect(endMs({ name: "alignment-short", byMs: 5_000 })).toBe(0);
  });

  it("lacks letters, joins them, or goes on for ever", () => {
    expect(text({ name: "alignment-gaps" })).toEqual(["Hi  ", "ou "]);
    expect(told({ name: "alignment-merged" }).map((alignment) => alignment?.chars)).toEqual([
      ["Hi  y"],
      ["ou "],
    ]);
    expect(told({ name: "alignment-huge" })[0]?.chars.length).toBeGreaterThan(400_000);
    expect(told({ name: "alignment-null" })).toEqual([null, null]);
  });

  it("comes in part and then whole, while the normalised one goes on", () => {
    expect(text({ name: "alignment-twice" })).toEqual(["Hi  ", "Hi  you "]);
    const normal = falsify(alignPieces(speech, pieces, false), { name: "alignment-twice" });
    expect(normal.map((one) => one?.normalized?.chars.join(""))).toEqual([" Hi ", "you "]);
  });
});

describe("audio is cut into pieces", () => {
  const options = (over: Partial<PieceOptions> = {}): PieceOptions => ({
    sampleRateHz: 24_000,
    key: "key",
    starts: Array.from({ length: 4_000 }, (_, i) => i * 1_900),
    last: false,
    autoMode: false,
    ...over,
  });
  const maxLag = MAX_LAG_MS * 24;

  it("that end at most 36 ms before their timings, always the same for the same text", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 400_000 }),
        fc.string(),
        fc.nat(400_000),
        fc.boolean(),
        (samples, key, cutAt, last) => {
          const pieces = cutPieces(samples, options({ key, last }));
          expect(cutPieces(samples, options({ key, last }))).toEqual(pieces);
          expect(pieces.at(-1)?.timedEnd).toBe(samples);
          let before = -1;
          for (const { audioEnd, timedEnd } of pieces) {
            expect(audioEnd).toBeGreaterThan(before);
            expect(timedEnd - audioEnd).toBeLessThanOrEqual(maxLag);
            expect(audioEnd).toBeLessThanOrEqual(timedEnd);
            before = audioEnd;
          }
          const cut = cutPieces(samples, options({ key, last, cutAt })).map(({ audioEnd }) => audioEnd);
          expect(cut.includes(cutAt)).toBe(cutAt > 0 && cutAt <= (pieces.at(-1)?.audioEnd ?? 0));
          expect(cut.toSorted((a, b) => a - b)).toEqual(cut);
        },
      ),
    );
  });

  it("one and what is held back: about 10 ms at the end of a text, 33 ms at that of clips", () => {
    for (const [autoMode, least, most] of [
      [false, 9, 10.3],
      [true, 32, 33.5],
    ] as const) {
      const [piece, ...more] = cutPieces(24_000, options({ last: true, autoMode }));
      expect(more).toEqual([]);
      const heldMs = (24_000 - (piece?.audioEnd ?? 0)) / 24;
      expect(heldMs).toBeGreaterThanOrEqual(least);
      expect(heldMs).toBeLessThanOrEqual(most + 0.05);
    }
  });
});

describe("a streamed answer's pieces", () => {
  it("are of 279 to 16,656 bytes, most of them odd, and the same for the same text", () => {
    const take = (key: string) => {
      const sizes = streamPieceBytes(key);
      return Array.from({ length: 1_000 }, () => sizes.next().value);
    };
    const sizes = take("a");
    expect(take("a")).toEqual(sizes);
    expect(take("b")).not.toEqual(sizes);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(279);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16_656);
    const odd = sizes.filter((bytes) => bytes % 2 === 1).length;
    expect(odd).toBeGreaterThan(500);
    expect(odd).toBeLessThan(750);
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
