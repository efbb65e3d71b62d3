import { SpeakableText } from "@tts-labs/protocol/text/speakable-text";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const given = (...pieces: readonly string[]): SpeakableText => {
  const text = new SpeakableText();
  for (const piece of pieces) text.push(piece);
  return text;
};

describe("a text for which a worker is asked", () => {
  test.each(["", "H", "Hel", "  \n", "...", "42", "don't", "don’", "e\u0301", "…", "„"])(
    "is not %j: no word of it is whole",
    (text) => {
      expect(given(text).isDue).toBe(false);
    },
  );

  test.each(["Hello ", "Hi.", "Yes!", "42 ", "a b", "你", "สวัสดี", "は", "Hello\n", "word,", "x".repeat(65)])(
    "is %j",
    (text) => {
      expect(given(text).isDue).toBe(true);
    },
  );

  test("is whatever is there once it was flushed, if anything of it is heard", () => {
    const [word, mark] = [given("Hel"), given("...")];
    word.flush();
    mark.flush();
    expect([word.isDue, mark.isDue]).toEqual([true, false]);
  });

  test("is any text that has ended: somebody has to say so", () => {
    const text = given(" ");
    text.end();
    expect(text.isDue).toBe(true);
  });

  test("is the same however it comes", () => {
    const unit = fc.constantFrom("a", "é", "e\u0301", " ", ".", "'", "你", "😀", "7");
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 8 }), (pieces) => {
        expect(given(...pieces).isDue).toBe(given(pieces.join("")).isDue);
      }),
    );
  });
});
