import { type Alignment, WordCutter } from "@tts-labs/core/audio/alignment";
import { firstReplaced } from "@tts-labs/protocol/words/replaced-words";
import { isWordStart } from "@tts-labs/protocol/words/word-starts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cpuStopwatch } from "../../../testkit/ground/cpu-time.ts";

const timed = (text: string, fromMs = 0, charMs = 10): Alignment => {
  const chars = [...text];
  return {
    chars,
    startMs: chars.map((_, i) => fromMs + i * charMs),
    durationMs: chars.map(() => charMs),
  };
};

function cut(pieces: readonly string[]): string[] {
  const cutter = new WordCutter();
  let ms = 0;
  const words = pieces.flatMap((piece) => {
    const found = cutter.push(timed(piece, ms));
    ms += [...piece].length * 10;
    return found;
  });
  return [...words, ...cutter.finish()].map(({ text }) => text);
}

const EXAMPLES: readonly (readonly [string, string])[] = [
  ["Guten Tag, wie geht's?", "Guten|Tag,|wie|geht's?"],
  ["今日は良い天気です。", "今|日|は|良|い|天|気|で|す。"],
  ["iPhone を買う", "iPhone|を|買|う"],
  ["iPhone13を、iPadより。", "iPhone13|を、|iPad|よ|り。"],
  ["彼は「はい」と言った", "彼|は|「は|い」|と|言|っ|た"],
  ["コーヒー", "コ|ー|ヒ|ー"],
  ["안녕하세요, 세계!", "안녕하세요,|세계!"],
  ["नमस्ते दुनिया।", "नमस्ते|दुनिया।"],
  ["สวัสดีครับวันนี้อากาศดีมาก", "สวัสดี|ครับ|วัน|นี้|อากาศ|ดี|มาก"],
  ["ใช้ iPhone ทุกวัน", "ใช้|iPhone|ทุก|วัน"],
  ["ສະບາຍດີມື້ນີ້", "ສະບາຍດີ|ມື້ນີ້"],
  ["ខ្ញុំចង់ទៅផ្សារ", "ខ្ញុំ|ចង់ទៅ|ផ្សារ"],
  ["ကောင်းပါတယ်", "ကောင်း|ပါ|တယ်"],
  ["😀 ja 😀😀", "😀|ja|😀😀"],
];

describe("words in every script", () => {
  test.each(EXAMPLES)("%s", (text, words) => {
    expect(cut([text]).join("|")).toBe(words);
    const inText = [...text]
      .reduce<{ at: number; found: string }>(
        ({ at, found }, char) => ({
          at: at + char.length,
          found: found + (at > 0 && isWordStart(text, at) ? "|" : "") + char,
        }),
        { at: 0, found: "" },
      )
      .found.split("|");
    expect(inText.map((word) => word.trim()).join("|")).toBe(words);
  });

  test("are the same whatever the pieces, but for what a dictionary sees of a run", () => {
    const text = fc.array(
      fc.constantFrom(...EXAMPLES.filter(([it]) => !/[ก-๛ກ-໿ក-៿က-႟]/.test(it)).map(([it]) => it)),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(text, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (texts, sizes) => {
        const chars = [...texts.join(" ")];
        const pieces: string[] = [];
        for (let at = 0, i = 0; at < chars.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          pieces.push(chars.slice(at, at + size).join(""));
          at += size;
        }
        expect(cut(pieces)).toEqual(cut([chars.join("")]));
      }),
      { seed: 20261127, numRuns: 500 },
    );
  });

  test("of a run that a dictionary cuts come while it goes on, with nothing lost", () => {
    const text = "สวัสดีครับวันนี้อากาศดีมากเราจะไปเดินเล่นที่สวนสาธารณะกันไหม";
    const cutter = new WordCutter();
    let early = "";
    for (const [i, char] of [...text].entries()) {
      for (const word of cutter.push(timed(char, i * 10))) early += word.text;
      expect([...text].slice(0, i + 1).length - [...early].length).toBeLessThan(32);
    }
    expect(
      early +
        cutter
          .finish()
          .map((word) => word.text)
          .join(""),
    ).toBe(text);
  });

  test.each([
    ["one word", "a".repeat(40_000)],
    ["marks", "!(".repeat(20_000)],
    ["brackets", "「".repeat(40_000)],
    ["Han", "今".repeat(40_000)],
    ["Thai", "สวัสดีครับ".repeat(4_000)],
    ["white space", " \n".repeat(20_000)],
  ])("40,000 characters of %s in 400 pieces cost time in proportion", (_name, text) => {
    const chars = [...text];
    const costOf = (count: number) => {
      const cutter = new WordCutter();
      const cpuMs = cpuStopwatch();
      for (let at = 0; at < count; at += 100) cutter.push(timed(chars.slice(at, at + 100).join(""), at));
      cutter.finish();
      return cpuMs();
    };
    costOf(2_000);
    expect(costOf(40_000)).toBeLessThan(1_000);
  });
});

describe("words whose times overlap", () => {
  const at = (text: string, startMs: number, durationMs: number): Alignment => ({
    chars: [...text, " "],
    startMs: [...text, " "].map(() => startMs),
    durationMs: [...text, " "].map(() => durationMs),
  });

  test("at the edge of two messages follow each other, and all of them are kept", () => {
    const cutter = new WordCutter();
    const batches = [cutter.push(at("Hello", 0, 557)), cutter.push(at("there", 530, 467))];
    expect(batches.flat()).toEqual([
      { text: "Hello", startMs: 0, endMs: 557 },
      { text: "there", startMs: 557, endMs: 997 },
    ]);
  });

  test("without a splice none takes another's place; with one, what begins there or later goes", () => {
    const told = [
      { text: "one", startMs: 0, endMs: 557 },
      { text: "two", startMs: 560, endMs: 900 },
    ];
    expect(firstReplaced(told, { text: "three", startMs: 850, endMs: 1_200 })).toBe(2);
    expect(firstReplaced(told, { text: "two", startMs: 1_000, endMs: 1_200 }, 560)).toBe(1);
    expect(firstReplaced(told, { text: "two", startMs: 600, endMs: 950 })).toBe(1);
  });
});
