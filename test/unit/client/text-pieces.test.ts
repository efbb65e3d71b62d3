import { MAX_PIECE_CHARACTERS, type SpeechText, textPieces } from "@tts-labs/client/text-pieces";
import { describe, expect, it } from "vitest";

async function piecesOf(text: SpeechText): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of textPieces(text)) pieces.push(piece);
  return pieces;
}

describe("pieces of text", () => {
  it("are those of the source, without the empty ones", async () => {
    expect(await piecesOf("Guten Tag")).toEqual(["Guten Tag"]);
    expect(await piecesOf(["Gu", "", "ten"])).toEqual(["Gu", "ten"]);
    expect(await piecesOf("")).toEqual([]);
  });

  it("are never longer than a message may be, and lose nothing", async () => {
    const text = "ä".repeat(MAX_PIECE_CHARACTERS * 2 + 1);
    const pieces = await piecesOf(text);
    expect(pieces.map(({ length }) => length)).toEqual([MAX_PIECE_CHARACTERS, MAX_PIECE_CHARACTERS, 1]);
    expect(pieces.join("")).toBe(text);
  });

  it("never cut a character in two, neither by length nor where the source did", async () => {
    const long = `${"a".repeat(MAX_PIECE_CHARACTERS - 1)}🙂b`;
    for (const pieces of [await piecesOf(long), await piecesOf([..."x🙂y"].join("").split(""))]) {
      expect(pieces.every((piece) => !/\p{Surrogate}/u.test(piece))).toBe(true);
    }
    expect((await piecesOf("x🙂y".split(""))).join("")).toBe("x🙂y");
  });

  it("mark half a character that its source never completed, and keep the text around it", async () => {
    expect(await piecesOf(["x", "\ud83d"])).toEqual(["x", "\ufffd"]);
    expect(await piecesOf(["a\ude42b"])).toEqual(["a\ufffdb"]);
  });
});
