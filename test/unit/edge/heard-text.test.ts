import type { AudioEntry } from "@tts-labs/core/session/entries";
import { HeardText } from "@tts-labs/edge/heard-text";
import { describe, expect, test } from "vitest";

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
