import { MAX_SENTENCE_CHARACTERS, SentenceCutter } from "@tts-labs/protocol/text/sentence-cutter";
import { describe, expect, test } from "vitest";
import { Random } from "../../../../testkit/ground/random.ts";

function cut(...pieces: readonly string[]): string[] {
  const cutter = new SentenceCutter();
  return [...pieces.flatMap((piece) => cutter.push(piece)), ...cutter.flush()];
}

/** As they should be cut: at "|". */
const CUTS: readonly string[] = [
  "Good morning. |How are you? |Very well, thank you!",
  "Dr. Smith met Mrs. Jones at St. Mary's. |They talked.",
  "It costs 3.14 dollars, i.e. Not much, e.g. Three coins. |Fine.",
  "Platform 12. |The train leaves. |Version 2.0 is out. |Enjoy.",
  "We met in 1999. |Berlin was cold.",
  "Am 3. Mai kam Elisabeth II. Tudor, am 4. Juni ging sie. |Es regnete.",
  "Das gilt z. B. Montags, d. h. Immer. |Und u. a. Freitags usw. |Dann nicht mehr.",
  "Hr. Prof. Dr. Müller wohnt in Nr. 7. |Die Tür ist offen.",
  'He said "Stop!" and left. |"Really?" she asked. |“Yes.” |(He was gone.) |So it was.',
  "„Komm her!“ |„Nein.“ |»Warum nicht?« |Sie schwieg.",
  "Well... maybe. |Wait… |What? |And so on etc. |Then silence.",
  "J. S. Bach wrote it. |He lived in the U.S. Army barracks? |No. |Never. |See No. 5 there.",
  "A title\n\n|The first line.\n|The second line\nis wrapped.",
  "今日は。|元気ですか？|はい！|「そうです。」|では。",
  "नमस्ते। |आप कैसे हैं? |كيف حالك؟ |بخير.",
  "ٹھیک ہے۔ |آپ؟ |جی۔",
  "Բարեւ։ |Ինչպե՞ս եք։ |Լավ։",
  "ሰላም። |እንዴት ነህ፧ |ደህና።",
  "မင်္ဂလာပါ။ |ကောင်းလား၊ ကောင်းတယ်။ |ဟုတ်ကဲ့။",
  "សួស្តី។ |សុខសប្បាយទេ៕ |បាទ។",
  "བཀྲ་ཤིས། |བདེ་ལེགས༎ |ཡ་",
  "ᠰᠠᠶᠢᠨ᠃ |ᠪᠠᠶᠢᠨ᠃",
  "Γειά σας\u037e |Καλά.",
  "שלום׃ |ברא.",
  "ﾊﾝｶｸ｡|ﾓｼﾞ！|全角．|次",
  // ASCII marks in scripts without spaces need none behind them, numbers do.
  "你好!|今天3.5度。|好?|好",
  "One.\r\n\r\n|Two\u2029|three.",
  "Look at example.com or v1.2.3 now. |**Bold.** |Plain.",
  // Marks alone are no sentence: they stay with what follows.
  "... Only marks come first?",
  "What?! |No way!!! |Ok.",
  "😀 Hi! |😀 You!",
];

describe("text is cut into sentences", () => {
  test.each(CUTS.map((text) => [text]))("%s", (text) => {
    expect(cut(text.replaceAll("|", ""))).toEqual(text.split("|"));
  });

  test("as soon as the next one begins, in doubt once its first word is there", () => {
    const cutter = new SentenceCutter();
    expect(cutter.push("It is late.")).toEqual([]);
    expect(cutter.push(" ")).toEqual([]);
    expect(cutter.push("G")).toEqual(["It is late. "]);
    expect(cutter.push("ate 9. Th")).toEqual([]);
    expect(cutter.push("e")).toEqual([]);
    expect(cutter.push(" gate")).toEqual(["Gate 9. "]);
  });

  test("where they are flushed, also in the middle of one", () => {
    const cutter = new SentenceCutter();
    expect(cutter.push("Let me see. One moment")).toEqual(["Let me see. "]);
    expect(cutter.flush()).toEqual(["One moment"]);
    expect(cutter.flush()).toEqual([]);
    expect(cutter.push(" please. ")).toEqual([]);
    expect(cutter.flush()).toEqual([" please. "]);
  });

  test("what has no end is cut within the bound, at a clause's end, at a space, or between characters", () => {
    const clauses = `${"word ".repeat(60)}here, ${"and ".repeat(200)}`;
    expect(cut(clauses)[0]).toBe(`${"word ".repeat(60)}here, `);
    for (const endless of [
      "word ".repeat(500),
      "x".repeat(2_000),
      "a😀".repeat(700),
      " ".repeat(900),
      `Hi.${"\n".repeat(900)}`,
    ]) {
      const sentences = cut(endless);
      expect(sentences.join("")).toBe(endless);
      expect(Math.max(...sentences.map(({ length }) => length))).toBeLessThanOrEqual(MAX_SENTENCE_CHARACTERS);
      for (const sentence of sentences) expect(sentence).not.toMatch(/\p{Surrogate}/u);
    }
  });

  test.each([
    ["a word of Thai", "word", "สวัสดีครับวันนี้อากาศดีมาก".repeat(30)],
    ["a word of Chinese", "word", "我们今天去公园散步".repeat(100)],
    ["a family of emoji", "grapheme", "👩‍👩‍👧‍👦".repeat(100)],
    ["a letter with its accents", "grapheme", "e\u0301\u0323".repeat(300)],
  ] as const)("a forced cut never divides %s", (_, granularity, endless) => {
    const parts = new Intl.Segmenter("th", { granularity }).segment(endless);
    const starts = new Set([...parts].map(({ index }) => index));
    const sentences = cut(endless);
    expect(sentences.length).toBeGreaterThan(1);
    let at = 0;
    for (const sentence of sentences) {
      expect(starts).toContain(at);
      at += sentence.length;
    }
  });

  test("Thai, which has no marks, ends a sentence at white space once it is long enough", () => {
    const phrase = "สวัสดีครับวันนี้อากาศดีมาก ";
    expect(cut(phrase.repeat(5))[0]).toBe(phrase.repeat(3));
  });

  test("a pause would end one behind a mark, a colon, a line break or a picture, not within a sentence", () => {
    const after = (text: string) => {
      const cutter = new SentenceCutter();
      cutter.push(text);
      return cutter.endsPossibly;
    };
    const ends = [
      "Let me see.",
      "Well…",
      "好。",
      "It is 4271.",
      "plan B.",
      "One moment:",
      "Done\n",
      "On it 🚀",
      '("Yes.")',
    ];
    expect(ends.filter((text) => !after(text))).toEqual([]);
    expect(["", "Let me", "Let me ", "3.5", "a-", " \n", "..."].filter(after)).toEqual([]);
  });
});

test("where it is cut never depends on how the text came, and nothing is lost", { timeout: 30_000 }, () => {
  const random = new Random(20_261_122);
  const alphabet = [
    ..."..!?…。 \n\n\"'“”(),;:13ABIVZz",
    "Dr",
    "etc",
    "The",
    "Mai",
    "word",
    "z. B.",
    "😀",
    " ".repeat(30),
  ];
  let sentences = 0;
  for (let run = 0; run < 400; run++) {
    const fixed = CUTS[run % CUTS.length]?.replaceAll("|", "") ?? "";
    const drawn = Array.from({ length: random.below(400) }, () => random.pick(alphabet)).join("");
    const text = run % 2 === 0 ? `${fixed} ${drawn}` : drawn + fixed;
    const flushAt = random.below(text.length + 1);
    const whole = [...cut(text.slice(0, flushAt)), ...cut(text.slice(flushAt))];
    expect(whole.join("")).toBe(text);
    sentences += whole.length;
    for (const longest of [1, 4, 40]) {
      const cutter = new SentenceCutter();
      const found: string[] = [];
      for (const part of [text.slice(0, flushAt), text.slice(flushAt)]) {
        for (let at = 0; at < part.length; ) {
          const end = at + 1 + random.below(longest);
          found.push(...cutter.push(part.slice(at, end)));
          at = end;
        }
        found.push(...cutter.flush());
      }
      expect(found).toEqual(whole);
    }
  }
  expect(sentences).toBeGreaterThan(2_000);
});
