import { MAX_ESPEAK_CHARACTERS } from "@tts-labs/simulator/speech/espeak";
import { cutIntoUnits, sentenceEnds } from "@tts-labs/simulator/speech/sentences";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstFlush } from "../../../testkit/speech/flushed-text.ts";

describe("a text is cut into", () => {
  it.each([
    ["One. Two! Three? Four", ["One. ", "Two! ", "Three? ", "Four"]],
    ["“Is it?” he asked. Yes…  No", ["“Is it?” ", "he asked. ", "Yes…  ", "No"]],
    ["It costs 3.50 at v1.2.3 or a.b", ["It costs 3.50 at v1.2.3 or a.b"]],
    ["Dr. Smith sagt z. B. nichts. Gut.", ["Dr. Smith sagt z. B. nichts. ", "Gut."]],
    ["First line\nsecond\n\nthird", ["First line\n", "second\n\n", "third"]],
    ["你好。再见！", ["你好。", "再见！"]],
    ["  Hello. ", ["  Hello. "]],
    ["\n\nHello", ["\n\nHello"]],
    ["   ", ["   "]],
    ["", []],
  ])("%j", (text, units) => {
    expect(cutIntoUnits(text)).toEqual(units);
  });

  const text = fc
    .array(fc.constantFrom("Hello", "Dr", "z", "25", ".", "!", "?”", " ", "\n", "ü", "👋", "。", ","), {
      maxLength: 40,
    })
    .map((parts) => parts.join(""));

  it("nothing less and nothing more than it is", () => {
    fc.assert(
      fc.property(text, (whole) => {
        expect(cutIntoUnits(whole).join("")).toBe(whole);
      }),
    );
  });

  it("the same, given in parts that end at sentence ends", () => {
    fc.assert(
      fc.property(text, fc.nat(), (whole, at) => {
        const ends = sentenceEnds(whole).filter((end) => whole.slice(0, end).trim() !== "");
        const end = ends[at % Math.max(1, ends.length)] ?? 0;
        const spoken = (part: string) =>
          cutIntoUnits(part)
            .map((unit) => unit.trim())
            .filter((unit) => unit !== "");
        expect([...spoken(whole.slice(0, end)), ...spoken(whole.slice(end))]).toEqual(spoken(whole));
      }),
    );
  });

  it("units that end wherever the worker flushes, so that its flushes are not heard", () => {
    const part = fc.constantFrom(..."Hello,Dr,z,B,25,.,!,?,…,。,？,”,),」, ,\n,ü,👋,etc,我".split(","), ",");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        const whole = parts.join("");
        const end = firstFlush(whole);
        if (end < 0) return;
        const spoken = (some: string) =>
          cutIntoUnits(some)
            .map((unit) => unit.trim())
            .filter((unit) => unit !== "");
        expect([...spoken(whole.slice(0, end)), ...spoken(whole.slice(end))]).toEqual(spoken(whole));
      }),
      { numRuns: 3_000 },
    );
  });

  it("pieces the engine can take, without splitting a character", () => {
    for (const long of ["word ".repeat(900), "x".repeat(5_000), "👋".repeat(2_000)]) {
      const units = cutIntoUnits(long);
      expect(units.join("")).toBe(long);
      expect(Math.max(...units.map((unit) => unit.trim().length))).toBeLessThanOrEqual(MAX_ESPEAK_CHARACTERS);
      expect(units.some((unit) => /^[\uDC00-\uDFFF]/.test(unit))).toBe(false);
    }
  });
});
