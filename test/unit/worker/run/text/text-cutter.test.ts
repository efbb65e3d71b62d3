import { type FeedStep, joinSteps, TextCutter } from "@tts-labs/worker/run/text/text-cutter";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flushedText as cut, firstFlush } from "../../../../../testkit/speech/flushed-text.ts";

describe("a sentence ends", () => {
  test.each([
    ["Hello there. How", "Hello there. "],
    ["Is it you? Yes", "Is it you? "],
    ["Stop! Now", "Stop! "],
    ["Well… then", "Well… "],
    ["Well... then", "Well... "],
    ['He said "yes." Then', 'He said "yes." '],
    ["(So it is.) Next", "(So it is.) "],
    ["What?! Really", "What?! "],
    ["Bonjour ! Ça va", "Bonjour ! "],
    ["A title\n\nText", "A title\n\n"],
    ["Das ist gut.\nUnd", "Das ist gut.\n"],
    ["Es ist schön. Wirklich", "Es ist schön. "],
    ["你好。今天", "你好。"],
    ["元気ですか？はい", "元気ですか？"],
    ["「はい。」と", "「はい。」"],
    ["नमस्ते। आप", "नमस्ते। "],
    ["ٹھیک ہے۔ آپ", "ٹھیک ہے۔ "],
    ["كيف حالك؟ بخير", "كيف حالك؟ "],
    ["Բարեւ։ Լավ", "Բարեւ։ "],
    ["ሰላም። ደህና", "ሰላም። "],
    ["မင်္ဂလာပါ။ ကောင်း", "မင်္ဂလာပါ။ "],
    ["សួស្តី។ បាទ", "សួស្តី។ "],
    ["བཀྲ་ཤིས། བདེ", "བཀྲ་ཤིས། "],
    ["ﾊﾝｶｸ｡ﾓｼﾞ", "ﾊﾝｶｸ｡"],
    ["全角．次", "全角．"],
    ["你好!今天", "你好!"],
    ["Γειά\u037e Καλά", "Γειά\u037e "],
  ])("in %j after %j", (text, sentence) => {
    expect(text.slice(0, firstFlush(text))).toBe(sentence);
  });

  test.each([
    "Pi is 3.14 and",
    "am 3. Oktober in",
    "Version 2. is",
    "z. B. heute",
    "d. h. morgen",
    "Dr. Weiß kommt",
    "Prof. Dr. Weiß kommt",
    "Hr. Müller und Fr. Maier",
    "ca. fünf Uhr bzw. sechs",
    "Mr. Smith and Mrs. Jones",
    "e.g. this or i.e. that",
    "J. S. Bach wrote",
    "the U.S. economy",
    "at 12:30 today",
    "Note: this",
    "„Komm her!“ rief er",
    "see example.com for",
    "Nr. 5 lebt",
    "one line\nand another",
    "one line\n) and another",
    "one line\n  and another",
    "... and so on",
    "ကောင်းလား၊ ကောင်း",
    "Ինչպե՞ս եք",
    "价格3.5元",
    "Hello there.",
    "Hello there",
    "你好。",
    "",
  ])("nowhere in %j", (text) => {
    expect(firstFlush(text)).toBe(-1);
  });
});

const spoken = (steps: readonly FeedStep[]): string[] =>
  steps.map((step) => (step.kind === "speak" ? step.text : `<${step.kind}>`));

describe("text is cut for the provider", () => {
  test("into whole words as they become known, and a flush after each sentence", () => {
    expect(spoken(cut(["Gu", "ten Mor", "gen. Wie", " geht", " es?"]))).toEqual([
      ...["Guten ", "Morgen. ", "<flush>", "Wie ", "geht ", "es?", "<end>"],
    ]);
  });

  test("into whole sentences in auto mode, where each message is spoken by itself", () => {
    expect(spoken(cut(["Guten Mor", "gen. Wie geht", " es? Gut"], true))).toEqual([
      ...["Guten Morgen. ", "Wie geht es? ", "Gut", "<end>"],
    ]);
  });

  test("a client's flush lets go what is held back, words cut in two included", () => {
    const cutter = new TextCutter({ autoMode: false, natural: true });
    expect(
      spoken([...cutter.push("Hel", 0), ...cutter.flush(), ...cutter.push("lo ", 0), ...cutter.end()]),
    ).toEqual([...["Hel", "<flush>", "lo ", "<end>"]]);
  });

  test("white space alone is never a message", () => {
    expect(spoken(cut(["Hello ", " ", "\n", " world", " ", "\n\n"]))).toEqual([
      ...["Hello ", " \n world ", "<flush>", "<end>"],
    ]);
    expect(spoken(cut(["  ", "\n"]))).toEqual(["<end>"]);
  });

  test("a word without end goes on in parts, and so does a sentence in auto mode", () => {
    expect(spoken(cut(["x".repeat(201)]))).toEqual(["x".repeat(201), "<end>"]);
    const long = "word ".repeat(100);
    expect(spoken(cut([long], true))).toEqual([long, "<end>"]);
  });

  test("neighbouring pieces are joined into one message, never across a flush", () => {
    const steps = joinSteps(cut(["One two. Three four five"]));
    expect(spoken(steps)).toEqual(["One two. ", "<flush>", "Three four five", "<end>"]);
  });

  const texts = fc.array(
    fc.oneof(
      fc.constantFrom(
        ..." .!?…:\n",
        ". ",
        "。",
        "z. B. ",
        "3.5",
        "Dr. ",
        "Hello",
        "grüß ",
        "你好",
        "\t",
        "\n\n",
        "“",
        "🙂",
      ),
      fc.string({ unit: "grapheme", maxLength: 12 }),
    ),
    { maxLength: 40 },
  );

  test.each([false, true])(
    "joined, the pieces are the text but for white space at its end (auto mode: %s)",
    (autoMode) => {
      fc.assert(
        fc.property(texts, (pieces) => {
          const steps = cut(pieces, autoMode);
          const said = steps.map((step) => (step.kind === "speak" ? step.text : "")).join("");
          const text = pieces.join("");
          expect(text.startsWith(said)).toBe(true);
          expect(text.slice(said.length).trim()).toBe("");
          expect(steps.every((step) => step.kind !== "speak" || step.text.trim() !== "")).toBe(true);
          expect(steps.filter(({ kind }) => kind === "end")).toHaveLength(1);
        }),
        { seed: 20261122, numRuns: 500 },
      );
    },
  );

  test("where a sentence ends does not depend on the pieces in which the text came", () => {
    const text =
      "Guten Tag, Dr. Weiß! Am 3. Mai gilt z. B. 3.5 als Note. Und dann? Ja… 你好。今天。 The end. ";
    const flushed = (steps: readonly FeedStep[]) =>
      spoken(joinSteps(steps)).join("|").replaceAll("|<flush>|", "<flush>|");
    const whole = flushed(cut([text]));
    expect(whole).toContain("Note. <flush>");
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 120 }), (sizes) => {
        const pieces: string[] = [];
        let at = 0;
        for (const size of sizes) {
          pieces.push(text.slice(at, at + size));
          at += size;
        }
        pieces.push(text.slice(at));
        expect(flushed(cut(pieces))).toBe(whole);
      }),
      { seed: 20261122, numRuns: 300 },
    );
  });
});
