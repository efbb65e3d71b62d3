import type { AudioEntry } from "@tts-labs/core/session/entries";
import { HeardText } from "@tts-labs/edge/utterance/heard-text";
import { describe, expect, test } from "vitest";
import { cpuStopwatch } from "../../../../testkit/ground/cpu-time.ts";

const RATE = 1_000;

/** `text` spoken from `firstSample` on, each character 10 ms long; a sample is a millisecond. */
function entry(text: string, firstSample: number, more: Partial<AudioEntry> = {}): AudioEntry {
  const chars = [...text];
  return {
    firstSample,
    pcm: new Uint8Array(chars.length * 20),
    alignment: {
      chars,
      startMs: chars.map((_, i) => firstSample + i * 10),
      durationMs: chars.map(() => 10),
    },
    ...more,
  };
}

describe("what was heard of a text", () => {
  test("ends with the last word whose beginning was played, and the space behind it", () => {
    const heard = new HeardText();
    heard.take(entry("Guten Tag, wie ", 0), RATE);
    heard.take(entry("geht es?", 150), RATE);
    const text = "Guten Tag, wie geht es?";
    const cut = (ms: number) => heard.cut(text, ms, undefined).textHeard;
    expect([0, 0.1, 59, 60, 61, 110, 151, 10_000].map(cut)).toEqual([
      "",
      "Guten ",
      "Guten ",
      "Guten ",
      "Guten Tag, ",
      "Guten Tag, ",
      "Guten Tag, wie geht ",
      text,
    ]);
    for (let ms = 0; ms < 400; ms += 7) {
      const { textHeard, textLeft, isTimed } = heard.cut(text, ms, undefined);
      expect(textHeard + textLeft).toBe(text);
      expect(isTimed).toBe(true);
    }
  });

  test("is found whatever white space the provider made of the client's, and in the middle of a word of two chunks", () => {
    const heard = new HeardText();
    heard.take(entry("Ein lan", 0), RATE);
    heard.take(entry("ges Wort", 70), RATE);
    const text = " Ein\n\n  langes\tWort ";
    expect(heard.cut(text, 45, undefined).textHeard).toBe(" Ein\n\n  langes\t");
    expect(heard.cut(text, 75, undefined).textHeard).toBe(" Ein\n\n  langes\t");
    expect(heard.cut(text, 115, undefined).textHeard).toBe(text);
  });

  test("counts characters of four bytes as the text does", () => {
    const heard = new HeardText();
    heard.take(entry("😀 ja 😀😀 nein", 0), RATE);
    expect(heard.cut("😀 ja 😀😀 nein", 21, undefined).textHeard).toBe("😀 ja ");
    expect(heard.cut("😀 ja 😀😀 nein", 81, undefined).textHeard).toBe("😀 ja 😀😀 nein");
  });

  test("forgets what a splice has replaced", () => {
    const heard = new HeardText();
    heard.take(entry("one two thr", 0), RATE);
    heard.take(entry("two three", 40, { splice: true }), RATE);
    const text = "one two three";
    expect(heard.cut(text, 45, undefined).textHeard).toBe("one two ");
    expect(heard.cut(text, 85, undefined).textHeard).toBe(text);
  });

  test("is a guess in proportion where no times are known, and says so", () => {
    const heard = new HeardText();
    const { alignment: _, ...mute } = entry("one two three four", 0);
    heard.take(mute, RATE);
    const text = "one two three four";
    expect(heard.cut(text, 90, 180)).toEqual({
      textHeard: "one two three ",
      textLeft: "four",
      isTimed: false,
    });
    expect(heard.cut(text, 400, undefined)).toMatchObject({ textHeard: "one two ", isTimed: false });
    expect(heard.cut(text, 99_999, undefined).textLeft).toBe("");
  });

  test("is known from the middle on, where a chunk says which character it belongs to; else it is a guess", () => {
    const text = "one two three four five";
    const anchored = new HeardText();
    anchored.take(entry("three four ", 80, { resume: { char: 14, sample: 140 } }), RATE);
    expect(anchored.cut(text, 85, undefined)).toMatchObject({ textHeard: "one two three ", isTimed: true });
    expect(anchored.cut(text, 145, undefined)).toMatchObject({
      textHeard: "one two three four ",
      isTimed: true,
    });
    const lost = new HeardText();
    lost.take(entry("three four ", 80), RATE);
    expect(lost.cut(text, 85, 230).isTimed).toBe(false);
  });
});

describe("in scripts without spaces", () => {
  const CHINESE = "让我们去看看那个新的博物馆，听说那里有很多有趣的东西，你觉得怎么样？";

  test.each([
    ["Chinese", CHINESE],
    ["Japanese", "今日はとても良い天気なので、公園まで歩いて行きましょう。"],
  ])("the character is the word: %s", (_name, text) => {
    const heard = new HeardText();
    heard.take(entry(text, 0), RATE);
    const marks = (from: string) => /^[，。、？]*/.exec(from)?.[0].length ?? 0;
    for (let count = 1; count <= text.length; count++) {
      const { textHeard, textLeft, isTimed } = heard.cut(text, count * 10, undefined);
      expect(textHeard).toHaveLength(count + marks(text.slice(count)));
      expect(textHeard + textLeft).toBe(text);
      expect(isTimed).toBe(true);
    }
  });

  test("a dictionary finds the words of Thai", () => {
    const text = "สวัสดีครับวันนี้อากาศดีมาก";
    const heard = new HeardText();
    heard.take(entry(text, 0), RATE);
    expect(heard.cut(text, 71, undefined).textHeard).toBe("สวัสดีครับ");
    expect(heard.cut(text, 101, undefined).textHeard).toBe("สวัสดีครับวัน");
  });

  test("mixed texts are cut in both ways", () => {
    const text = "iPhone を買う人 for 3 days";
    const heard = new HeardText();
    heard.take(entry(text, 0), RATE);
    expect([31, 71, 81, 121].map((ms) => heard.cut(text, ms, undefined).textHeard)).toEqual([
      ...["iPhone ", "iPhone を", "iPhone を買", "iPhone を買う人 for "],
    ]);
  });

  test("times of another spelling are no times of the text: the cut is a guess, and near", () => {
    const heard = new HeardText();
    heard.take(entry("ràng wǒ men qù kàn kan nà gè xīn de bó wù guǎn", 0), RATE);
    const { textHeard, isTimed } = heard.cut(CHINESE, 170, 34 * 17);
    expect(isTimed).toBe(false);
    expect(Math.abs(textHeard.length - 10)).toBeLessThanOrEqual(1);
    // Without the whole length, at five characters a second.
    expect(heard.cut(CHINESE, 2_000, undefined).textHeard).toHaveLength(11);
  });

  test("sound that goes on behind the last time has words of its own, which are guessed", () => {
    const heard = new HeardText();
    heard.take(entry("one two", 0), RATE);
    const text = "one two three four five six";
    expect(heard.cut(text, 1_000, undefined)).toMatchObject({ textHeard: "one two ", isTimed: true });
    expect(heard.cut(text, 2_000, undefined).isTimed).toBe(false);
  });
});

test("40,000 characters in any script and pieces are learnt and cut in time that is proportional", () => {
  const scripts = [
    "Guten Tag ",
    "今日は。",
    "สวัสดีครับ",
    "नमस्ते ",
    "안녕 ",
    "။ ကောင်း",
    "!?!? ",
    "((",
    "\n\n",
    "😀",
  ];
  for (const sample of scripts) {
    const text = sample.repeat(Math.floor(40_000 / sample.length));
    const heard = new HeardText();
    const cpuMs = cpuStopwatch();
    for (let at = 0; at < text.length; at += 40) heard.take(entry(text.slice(at, at + 40), at * 10), RATE);
    heard.cut(text, 399_000, undefined);
    expect(cpuMs(), sample).toBeLessThan(500);
  }
});
