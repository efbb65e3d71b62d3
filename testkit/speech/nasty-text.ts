import fc from "fast-check";

/** Sentences of many scripts, each with the marks it is written with. */
export const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  english: ["Let me check that for you. ", "It costs 3.5 dollars, i.e. not much! ", "Is it Dr. Who? "],
  german: ["Am 3. Mai kam z. B. Herr Dr. Weiß. ", "„Komm her!“ rief er. ", "Schön, dass Sie da sind! "],
  chinese: ["你好。", "今天天气很好，我们去公园吧！", "「真的吗？」"],
  japanese: ["お元気ですか？", "今日は、とても良い天気です。", "ﾊﾝｶｸﾓｼﾞ｡"],
  hindi: ["नमस्ते। ", "आप कैसे हैं? ", "मैं ठीक हूँ॥ "],
  urdu: ["آپ کیسے ہیں؟ ", "میں ٹھیک ہوں۔ ", "شکریہ، جناب۔ "],
  armenian: ["Բարեւ ձեզ։ ", "Ինչպե՞ս եք։ "],
  ethiopic: ["ሰላም። ", "እንዴት ነህ፧ "],
  burmese: ["မင်္ဂလာပါ။ ", "နေကောင်းလား၊ ကျေးဇူးပါ။ "],
  khmer: ["សួស្តី។ ", "អ្នកសុខសប្បាយទេ៕ "],
  thai: ["สวัสดีครับวันนี้อากาศดีมาก", " ไปเที่ยวกันไหม "],
  tibetan: ["བཀྲ་ཤིས་བདེ་ལེགས། ", "ཐུགས་རྗེ་ཆེ༎ "],
  greek: ["Γειά σας\u037e ", "Όλα καλά. "],
  hebrew: ["שלום לכם. ", "בראשית ברא׃ "],
};

/** What was found to cost most, and its kin. */
const NASTY: readonly string[] = [
  ...["\n", "\r\n", "\u2028", "\u3000", "\t", " ", "\u200b", "\u00a0"],
  ...[".", "!", "?", "…", "。", "।", "؟", '."', "。」", "a. ", "z.B. ", "3.", ", ", "-", "(", ")", "“", "*"],
  ...["😀", "👩‍👩‍👧‍👦", "🇩🇪", "e\u0301", "x", "ไ", "漢"],
];

/** A run of one nasty piece, or of two in turn. */
const run = fc
  .tuple(fc.constantFrom(...NASTY), fc.constantFrom("", ...NASTY), fc.integer({ min: 1, max: 20_000 }))
  .map(([one, other, length]) => (one + other).repeat(Math.ceil(length / (one + other).length)));

const speech = fc.array(fc.constantFrom(...Object.values(SCRIPTS).flat()), { minLength: 1, maxLength: 300 });

/** Text of exactly `length` code units: speech in any scripts, and runs of what is nasty. */
export const nastyText = (length: number): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof({ weight: 2, arbitrary: run }, { weight: 3, arbitrary: speech.map((it) => it.join("")) }),
      {
        minLength: 2,
        maxLength: 8,
      },
    )
    .map((parts) => {
      const all = parts.join("");
      return all.repeat(Math.ceil(length / all.length)).slice(0, length);
    });

/** How a text comes: in pieces of up to so many code units. */
export const pieceSizes: fc.Arbitrary<number> = fc.constantFrom(1, 1, 1, 2, 7, 60, 4_096, 40_000);

/** In pieces that are drawn up to `longest`, by a rule that any text can be cut with. */
export function cutInto(text: string, longest: number, seed: number): string[] {
  const pieces: string[] = [];
  let state = seed >>> 0;
  for (let at = 0; at < text.length; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const end = at + 1 + Math.floor((state / 2 ** 32) * longest);
    pieces.push(text.slice(at, end));
    at = end;
  }
  return pieces;
}
