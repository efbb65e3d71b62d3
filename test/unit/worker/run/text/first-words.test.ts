import { type FeedStep, joinSteps, TextCutter } from "@tts-labs/worker/run/text/text-cutter";
import { describe, expect, test } from "vitest";

interface Said {
  readonly atMs: number;
  readonly text: string;
}

/** What a provider is told to speak, and when, of tokens that come one by one `everyMs`; then nothing for a while. */
function speakTokens(tokens: readonly string[], everyMs = 60, natural = false, autoMode = false): Said[] {
  const cutter = new TextCutter({ autoMode, natural });
  const said: Said[] = [];
  let open = "";
  const take = (steps: readonly FeedStep[], atMs: number) => {
    for (const step of joinSteps(steps)) {
      if (step.kind === "speak") open += step.text;
      const isSaid = step.kind === "flush" || (autoMode && step.kind === "speak");
      if (isSaid && open !== "") {
        said.push({ atMs, text: open });
        open = "";
      }
    }
  };
  for (let atMs = 0; atMs < tokens.length * everyMs + 8_000; atMs++) {
    const token = atMs % everyMs === 0 ? tokens[atMs / everyMs] : undefined;
    if (token !== undefined) take(cutter.push(token, atMs), atMs);
    if (cutter.dueAtMs <= atMs) take(cutter.elapse(atMs), atMs);
  }
  return said;
}

/** As language models give them: each word with the white space before it. */
const words = (text: string): string[] => text.match(/\s*\S+/g) ?? [];
const first = (tokens: readonly string[], everyMs = 60, natural = false) =>
  speakTokens(tokens, everyMs, natural)[0];

const LONG =
  "I have looked through all of your orders from last month, and it seems that the one you are asking about was sent " +
  "to the old address that we still had on file for you.";

describe("the first words of a text that comes token by token", () => {
  test("are spoken with their clause, as soon as it is there", () => {
    const tokens = words(LONG);
    const clauseAtMs = tokens.findIndex((token) => token.endsWith(",")) * 60;
    const said = first(tokens.slice(0, 12));
    // Eleven words came before the comma: what is there after 400 ms goes first.
    expect(clauseAtMs).toBe(600);
    expect(said).toEqual({ atMs: 400, text: "I have looked through all of " });
    expect(first(tokens, 30)).toEqual({
      atMs: 325,
      text: "I have looked through all of your orders from last month,",
    });
  });

  test("are spoken only with their sentence where that is asked for", () => {
    expect(first(words(`${LONG} Next.`), 60, true)).toEqual({
      atMs: words(LONG).length * 60,
      text: `${LONG} `,
    });
  });

  test.each([
    ["German", "Natürlich kann ich Ihnen helfen, ", "aber"],
    ["Hindi", "मैं आपकी पूरी सहायता करूँगा, ", "लेकिन"],
    ["Urdu", "میں آپ کی پوری مدد کروں گا، ", "لیکن"],
    ["Chinese", "今天的天气真的很好，", "我们"],
    ["Japanese", "お問い合わせありがとうございます、", "すぐに"],
    ["a dash", "Of course I can help you — ", "but"],
    ["Burmese", "ကျွန်တော် ကူညီပေးနိုင်ပါတယ်၊ ", "ဒါပေမဲ့"],
  ])("end with the clause marks of their script: %s", (_, clause, next) => {
    const said = speakTokens([clause, next], 20)[0];
    expect(said).toEqual({ atMs: 25, text: clause });
  });

  test.each([
    ["a number", "The price has now come up to 1,", "000 dollars"],
    ["a time", "The last train of the day is at 12:", "30 sharp"],
    ["an address", "You will find all of that at https:", "//example.org"],
    ["a range", "It takes around ten minutes 3–", "5 times"],
  ])("never end inside %s", (_, before, after) => {
    const said = speakTokens([before, after, " and", " so", " on"], 20)[0];
    expect(said).toEqual({ atMs: 400, text: `${before}${after} and so ` });
  });

  test.each([
    [
      ["The", " meeting", " with", " our", " good", " old", " Dr.", " Weiß"],
      "The meeting with our good old ",
    ],
    [["Wir", " sehen", " uns", " am", " 3.", " Mai"], "Wir sehen uns am "],
    [["It", " costs", " us", " all", " around", " 25", " 000", " dollars"], "It costs us all around "],
    [["ผม", "จะ", "ช่วย", "คุณ", "ตรวจ", "สอบ", "ให้", "เดี๋ยว", "นี้"], undefined],
  ])("end between whole words, never behind an abbreviation or a number: %j", (tokens, expected) => {
    const said = first(tokens);
    expect(said?.atMs).toBe(400);
    if (expected === undefined) expect(tokens.join("").startsWith(said?.text ?? "?")).toBe(true);
    else expect(said?.text).toBe(expected);
  });

  test("are not cut off a sentence, or a text, that is there as a whole", () => {
    const whole = "Of course I can help you, as you have asked so kindly.";
    expect(speakTokens([whole])).toEqual([{ atMs: 150, text: whole }]);
    expect(speakTokens([`${whole} And`])[0]).toEqual({ atMs: 0, text: `${whole} ` });
    const cutter = new TextCutter({ autoMode: false, natural: false });
    const steps = [...cutter.push("Of course I can help you, as you have asked", 0), ...cutter.end()];
    expect(steps.map(({ kind }) => kind)).toEqual(["speak", "end"]);
    expect(cutter.dueAtMs).toBe(Number.POSITIVE_INFINITY);
  });

  test("are the first only: after them sentences are spoken as they come", () => {
    const said = speakTokens(
      words(`${LONG} This is another long sentence, as I said, with clauses. Bye`),
      30,
    );
    expect(said.map(({ text }) => text)).toEqual([
      "I have looked through all of your orders from last month,",
      `${LONG.slice("I have looked through all of your orders from last month,".length)} `,
      "This is another long sentence, as I said, with clauses. ",
    ]);
  });

  test("in auto mode are whole sentences, since each message is spoken by itself", () => {
    expect(speakTokens(words(`${LONG} Next`), 60, false, true)[0]?.text).toBe(`${LONG} `);
  });
});

describe("what waits behind a possible end of a sentence", () => {
  test.each([
    "Let me check that for you.",
    "Let me see…",
    "One moment:",
    "Your number is 4271.",
    "Then we go with plan B.",
    "Done\n",
    "我来查一下。",
    "ठीक है।",
    "On it 🚀",
    'She said "Yes."',
    "**Done.**",
  ])("is spoken after 300 to 500 ms: %j", (text) => {
    const said = speakTokens(["Hello. ", text, ""].slice(0, 2), 1_000);
    expect(said.map((it) => it.text)).toEqual(["Hello. ", text]);
    expect(said[1]?.atMs).toBeGreaterThanOrEqual(1_300);
    expect(said[1]?.atMs).toBeLessThanOrEqual(1_500);
    expect(speakTokens([text], 1_000, true)[0]?.atMs).toBe(350);
  });

  test("goes on waiting where it is the middle of a sentence, or an abbreviation", () => {
    for (const text of ["I will ask Dr.", "I will ask", "for 3.5", "bzw. "]) {
      expect(speakTokens(["Hello. ", text], 1_000)).toHaveLength(1);
    }
  });

  test("is not spoken by itself where more comes in time", () => {
    expect(speakTokens(["Hello. ", "It is 3.", "5 now. ", "Bye. "], 300).map(({ text }) => text)).toEqual([
      ...["Hello. ", "It is 3.5 now. ", "Bye. "],
    ]);
  });
});

describe("Chinese and Japanese, whatever their pieces", () => {
  const TEXT = "你好。今天天气很好！我们去公园吧？好的。元気ですか？はい、元気です。「行こう。」さようなら。";

  test.each([1, 2, 3, 7, 100])("have eight sentences in pieces of %i characters: eight flushes", (size) => {
    const chars = [...TEXT];
    const pieces = Array.from({ length: Math.ceil(chars.length / size) }, (_, i) =>
      chars.slice(i * size, (i + 1) * size).join(""),
    );
    const said = speakTokens(pieces);
    expect(said.map(({ text }) => text)).toEqual(TEXT.match(/.*?[。！？]」?/gu));
    expect(said).toHaveLength(8);
    // The first is spoken when the second begins.
    expect(said[0]?.atMs).toBeLessThanOrEqual(180);
  });
});
