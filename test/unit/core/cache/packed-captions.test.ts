import type { Alignment } from "@tts-labs/core/audio/alignment";
import { type Caption, packCaptions, unpackCaptions } from "@tts-labs/core/cache/packed-captions";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const double = fc.double({ noNaN: true, noDefaultInfinity: true });
const rows = (char: fc.Arbitrary<string>, start: fc.Arbitrary<number>, duration: fc.Arbitrary<number>) =>
  fc.array(fc.tuple(char, start, duration)).map(
    (all): Alignment => ({
      chars: all.map(([it]) => it),
      startMs: all.map(([, it]) => it),
      durationMs: all.map(([, , it]) => it),
    }),
  );
const anything = rows(fc.string({ unit: "binary", maxLength: 3 }), double, double);
const asProvidersSay = fc
  .tuple(
    rows(fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }), fc.nat(60_000), fc.nat(900)),
    fc.nat(9_999_999),
  )
  .map(([alignment, samples]) => ({
    ...alignment,
    startMs: alignment.startMs.map((ms) => ms + (samples * 1_000) / 24_000),
  }));
const captions = (alignment: fc.Arbitrary<Alignment>): fc.Arbitrary<Caption[]> =>
  fc.array(fc.record({ firstSample: fc.nat(100_000_000), alignment }, { noNullPrototype: true }), {
    maxLength: 8,
  });

describe("packed captions", () => {
  test("come back to the last bit, whatever a provider may have said", () => {
    for (const of of [anything, asProvidersSay]) {
      fc.assert(
        fc.property(captions(of), (it) => {
          expect(unpackCaptions(packCaptions(it))).toStrictEqual(it);
        }),
      );
    }
  });

  test("half a surrogate pair comes back as well", () => {
    const alignment = { chars: ["\ud83d", "\ude00", "\ud83d"], startMs: [0, 1, 2], durationMs: [1, 1, 1] };
    const it = [{ firstSample: 7, alignment }];
    expect(unpackCaptions(packCaptions(it))).toStrictEqual(it);
  });

  test("take under 5 bytes per character where times are whole milliseconds", () => {
    const chars = [..."The train to the coast leaves at seven, and we should be there well before."];
    const alignment = {
      chars,
      startMs: chars.map((_, i) => 1_000 / 3 + i * 81),
      durationMs: chars.map(() => 81),
    };
    expect(packCaptions([{ firstSample: 8_000, alignment }]).byteLength).toBeLessThan(5 * chars.length);
  });

  test("bytes cut short are refused, never read as something else", () => {
    const alignment = { chars: ["a", "b"], startMs: [1, 2], durationMs: [3, 4] };
    const packed = packCaptions([{ firstSample: 300, alignment }]);
    for (let length = 1; length < packed.byteLength; length++) {
      expect(() => unpackCaptions(packed.subarray(0, length))).toThrow();
    }
  });

  test("lists of different lengths are refused", () => {
    const alignment = { chars: ["a", "b"], startMs: [1], durationMs: [3, 4] };
    expect(() => packCaptions([{ firstSample: 0, alignment }])).toThrow("differ in length");
  });
});
