import { TextBuffer } from "@tts-labs/simulator/voice/text-buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const words = (characters: number) => "word ".repeat(characters / 5);

describe("the buffer", () => {
  it("speaks nothing below its first threshold, and the rest only when told to", () => {
    const buffer = new TextBuffer({ autoMode: false });
    expect(buffer.push({ text: words(115) })).toEqual([]);
    expect(buffer.push({ text: "word " })).toEqual([words(120)]);
    expect(buffer.push({ text: words(155) })).toEqual([]);
    expect(buffer.end()).toEqual([words(155)]);
  });

  it("climbs its schedule, whose last threshold repeats", () => {
    const buffer = new TextBuffer({ autoMode: false, schedule: [50, 100] });
    const generations = Array.from({ length: 50 }, () => buffer.push({ text: words(10) })).flat();
    expect(generations.map((text) => text.length)).toEqual([50, 100, 100, 100, 100]);
  });

  it("cuts at the last sentence end, else at the last white space, else not at all", () => {
    const push = (text: string) => new TextBuffer({ autoMode: false, schedule: [50] }).push({ text });
    const sentence = "Here is one. Here is another. And this goes on without";
    expect(push(sentence)).toEqual(["Here is one. Here is another. "]);
    expect(push("there is no sentence that ends in here, none at all")).toEqual([
      "there is no sentence that ends in here, none at ",
    ]);
    expect(push("x".repeat(200))).toEqual([]);
  });

  it("takes a mark at its very end for no sentence end, since more may follow", () => {
    const buffer = new TextBuffer({ autoMode: false, schedule: [50] });
    expect(buffer.push({ text: "This is a first one. And the price in total is 3." })).toEqual([]);
    expect(buffer.push({ text: "5 euros" })).toEqual(["This is a first one. "]);
    expect(buffer.end()).toEqual(["And the price in total is 3.5 euros"]);
  });

  it("is emptied by a flush, whatever its size", () => {
    const buffer = new TextBuffer({ autoMode: false });
    expect(buffer.push({ text: "Hi", flush: true })).toEqual(["Hi"]);
    expect(buffer.push({ text: " ", flush: true })).toEqual([]);
    expect(buffer.end()).toEqual([]);
  });

  it("tries early when it has 50 characters", () => {
    const buffer = new TextBuffer({ autoMode: false });
    expect(buffer.push({ text: words(45), tryTrigger: true })).toEqual([]);
    expect(buffer.push({ text: "word ", tryTrigger: true })).toEqual([words(50)]);
  });

  it("makes each message a generation in auto mode, and none of white space", () => {
    const buffer = new TextBuffer({ autoMode: true });
    expect(["Hel", "lo ", " ", "world."].map((text) => buffer.push({ text }))).toEqual([
      ["Hel"],
      ["lo "],
      [],
      [" world."],
    ]);
  });

  it("neither loses nor repeats nor reorders a character", () => {
    const piece = fc.record({
      text: fc.oneof(fc.string({ maxLength: 80 }), fc.constantFrom("Hello there. ", " ", "\n", "a", "… ")),
      flush: fc.boolean(),
      tryTrigger: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.boolean(), (pieces, autoMode) => {
        const buffer = new TextBuffer({ autoMode, schedule: [50, 80] });
        const generations = [...pieces.flatMap((one) => buffer.push(one)), ...buffer.end()];
        const given = pieces.map(({ text }) => text).join("");
        const spoken = generations.join("");
        expect(given.startsWith(spoken)).toBe(true);
        expect(given.slice(spoken.length).trim()).toBe("");
        expect(generations.every((text) => text.trim() !== "")).toBe(true);
      }),
    );
  });
});
