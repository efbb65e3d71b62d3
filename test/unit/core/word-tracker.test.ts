import type { Alignment } from "@tts-labs/core/audio/alignment";
import { WordTracker } from "@tts-labs/core/audio/word-tracker";
import { isWordStart } from "@tts-labs/protocol/words/word-starts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cpuStopwatch } from "../../../testkit/ground/cpu-time.ts";

const RATE = 24_000;
const MS = RATE / 1_000;

/** Each character lasts `charMs`, from `fromMs` on. */
function timed(chars: string, charMs = 50, fromMs = 0): Alignment {
  const units = [...chars];
  return {
    chars: units,
    startMs: units.map((_, i) => fromMs + i * charMs),
    durationMs: units.map(() => charMs),
  };
}

function track(text: string, from = { char: 0, sample: 0 }): WordTracker {
  return new WordTracker({ text: () => text, sampleRateHz: RATE, from });
}

describe("how far a text has been spoken", () => {
  const TEXT = "Good morning, all.";
  test.each([
    ["before its first sample", 0, { char: 0, sample: 0 }],
    ["within a word: that word, from its first sample", 320, { char: 5, sample: 250 * MS }],
    ["in the pause after a word: the next one, from here", 230, { char: 5, sample: 230 * MS }],
    ["after a word's last letter, in its comma", 620, { char: 14, sample: 620 * MS }],
    ["at its end", 900, { char: 18, sample: 900 * MS }],
    ["past its end", 2_000, { char: 18, sample: 2_000 * MS }],
  ])("%s", (_, atMs, point) => {
    const words = track(TEXT);
    words.hear(timed(TEXT));
    expect(words.at(atMs * MS)).toEqual(point);
  });

  test("a word whose other half is yet to be timed is not over", () => {
    const words = track(TEXT);
    words.hear(timed("Good mor"));
    expect(words.at(400 * MS)).toEqual({ char: 5, sample: 250 * MS });
    words.hear(timed("ning,", 50, 400));
    expect(words.at(650 * MS)).toEqual({ char: 14, sample: 650 * MS });
  });

  test("a continuation counts from its own place in text and audio", () => {
    const words = track(TEXT, { char: 5, sample: 1_000 * MS });
    words.hear(timed("morning, all.", 50, 1_000));
    expect(words.at(1_100 * MS)).toEqual({ char: 5, sample: 1_000 * MS });
    expect(words.at(1_480 * MS)).toEqual({ char: 14, sample: 1_450 * MS });
  });

  test.each([
    ["without its punctuation", "Good morning all", 720, { char: 14, sample: 650 * MS }],
    ["in another case", "GOOD MORNING, ALL.", 720, { char: 14, sample: 700 * MS }],
    ["with marks of its own", "«Good» – morning, all.", 970, { char: 14, sample: 900 * MS }],
  ])("times %s still tell the word", (_, chars, atMs, point) => {
    const words = track(TEXT);
    words.hear(timed(chars));
    expect(words.at(atMs * MS)).toEqual(point);
  });

  test("where times are of another text the place is reckoned from the pace so far, and said to be so", () => {
    const text = "It will be twenty degrees or 17 at noon, perhaps some more.";
    const words = track(text);
    words.hear(timed("It will be twenty degrees or seventeen at noon, perhaps some more."));
    expect(words.at(1_320 * MS)).toEqual({ char: text.indexOf("or"), sample: 1_300 * MS });
    const seventeen = text.indexOf("17");
    expect(words.at(1_480 * MS)).toEqual({ char: seventeen, sample: seventeen * 50 * MS, estimated: true });
    // Twenty characters later at 50 ms each.
    expect(words.at((seventeen + 20) * 50 * MS)).toEqual({
      char: text.indexOf("perhaps"),
      sample: (seventeen + 20) * 50 * MS,
      estimated: true,
    });
  });

  test("without any times it is reckoned from how people speak, never to the text's end", () => {
    const words = track(TEXT);
    expect(words.at(100 * MS)).toEqual({ char: 0, sample: 0, estimated: true });
    expect(words.at(600 * MS)).toEqual({ char: 5, sample: 600 * MS, estimated: true });
    expect(words.at(60_000 * MS)).toEqual({ char: 14, sample: 60_000 * MS, estimated: true });
  });

  test("audio that runs on without times is more than a pause", () => {
    const words = track(TEXT);
    words.hear(timed("Good "));
    expect(words.at(600 * MS)).toEqual({ char: 5, sample: 600 * MS });
    expect(words.at(1_250 * MS)).toEqual({ char: 14, sample: 1_250 * MS, estimated: true });
  });

  test("text that comes later is waited for at the end of what was there", () => {
    let text = "Good ";
    const words = new WordTracker({ text: () => text, sampleRateHz: RATE, from: { char: 0, sample: 0 } });
    words.hear(timed("Good "));
    expect(words.at(250 * MS)).toEqual({ char: 5, sample: 250 * MS });
    text += "morning";
    words.hear(timed("morning", 50, 250));
    expect(words.at(300 * MS)).toEqual({ char: 5, sample: 250 * MS });
  });

  test("a text that is one word of any length costs no more than its characters", () => {
    const text = "a".repeat(40_000);
    const words = track(text);
    const cpuMs = cpuStopwatch();
    for (let at = 0; at < text.length; at += 100) {
      words.hear(timed(text.slice(at, at + 100), 1, at));
      expect(words.at((at + 50) * MS)).toEqual({ char: 0, sample: 0 });
    }
    expect(cpuMs()).toBeLessThan(2_000);
  });

  test("scripts without spaces are followed character by character", () => {
    const text = "今日は良い天気です。";
    const words = track(text);
    words.hear(timed(text));
    expect(words.at(120 * MS)).toEqual({ char: 2, sample: 100 * MS });
  });
});

const pieces = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.constantFrom("Good", "morning,", "it's", "“17", "Änd", "x", "😀", "—", "naïve."),
    },
    { weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 6 }) },
  ),
  { minLength: 1, maxLength: 12 },
);

test("whatever the text, the times and the places asked: a word's start, rising, never past what was asked", () => {
  fc.assert(
    fc.property(
      pieces,
      fc.constantFrom(" ", "  ", "\n"),
      fc.array(fc.nat(3_000), { minLength: 1, maxLength: 12 }),
      fc.oneof(fc.constant(undefined), fc.nat(40)),
      (words, space, places, wrongAt) => {
        const text = words.join(space);
        const tracker = track(text);
        const chars = [...text].map((char, i) => (i === wrongAt ? "Q" : char)).join("");
        tracker.hear(timed(chars));
        let char = 0;
        for (const atMs of places.sort((a, b) => a - b)) {
          const point = tracker.at(atMs * MS);
          expect(point.sample).toBeLessThanOrEqual(atMs * MS);
          expect(point.char).toBeGreaterThanOrEqual(char);
          const isStart = point.char === text.length || isWordStart(text, point.char);
          expect(isStart || text.slice(point.char).trim() === "").toBe(true);
          // Nothing before it is left out: its last letter is over. Units are characters where there are no pairs.
          const isTimed =
            wrongAt === undefined && point.estimated === undefined && chars.length === [...chars].length;
          const letters = text.slice(0, point.char).search(/[\p{L}\p{N}][^\p{L}\p{N}]*$/u) + 1;
          if (isTimed) expect(letters * 50).toBeLessThanOrEqual(atMs + 1);
          char = point.char;
        }
      },
    ),
    { seed: 20261122, numRuns: 2_000 },
  );
});
