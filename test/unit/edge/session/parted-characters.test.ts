import { PartedCharacters } from "@tts-labs/edge/session/parted-characters";
import { describe, expect, test } from "vitest";

const [FIRST = "", SECOND = ""] = "😀".split("");

describe("a character that was parted between two messages", () => {
  test.each([
    ["at the end of a text", ["Hi ", `there ${FIRST}`, `${SECOND}!`], ["Hi ", "there ", "😀!"]],
    ["with nothing else", [FIRST, SECOND], ["", "😀"]],
    ["again and again", [FIRST, SECOND + FIRST, SECOND], ["", "😀", "😀"]],
  ])("is joined: %s", (_, texts, spoken) => {
    const parted = new PartedCharacters();
    expect(texts.map((text) => parted.push(text, {}, false).text)).toEqual(spoken);
    expect(parted.end()).toBe("");
  });

  test("is replaced where its other half never comes, without harm to what does", () => {
    const parted = new PartedCharacters();
    expect(parted.push(`a${FIRST}`, {}, false).text).toBe("a");
    expect(parted.push("b", {}, false).text).toBe("\ufffdb");
    expect(parted.push(FIRST, {}, false).text).toBe("");
    expect(parted.push(FIRST, {}, false).text).toBe("\ufffd");
    expect(parted.isHolding).toBe(true);
    expect(parted.end()).toBe("\ufffd");
    expect(parted.end()).toBe("");
  });

  test.each([
    ["a second half without its first", SECOND, false],
    ["half in the middle", `a${FIRST}b`, false],
    ["half at the very end of a text", `a${FIRST}`, true],
  ])("is refused where it can't be one: %s", (_, text, isEnd) => {
    const parted = new PartedCharacters();
    expect(() => parted.push(text, {}, isEnd)).toThrow(/surrogate/);
    expect(parted.isHolding).toBe(false);
    expect(parted.push("fine", {}, true).text).toBe("fine");
  });

  test("brings along what was asked for with its first half", () => {
    const parted = new PartedCharacters();
    expect(parted.push(FIRST, { voice: "v" }, false)).toEqual({ text: "", requested: { voice: "v" } });
    expect(parted.push(SECOND, { seed: 1 }, false)).toEqual({
      text: "😀",
      requested: { voice: "v", seed: 1 },
    });
    expect(parted.push("x", {}, false)).toEqual({ text: "x", requested: {} });
  });

  test("takes one unit of memory, however often its first half comes", () => {
    const parted = new PartedCharacters();
    for (let i = 0; i < 1_000; i++) parted.push(FIRST, {}, false);
    parted.drop();
    expect(parted.push("x", {}, false).text).toBe("x");
  });
});
