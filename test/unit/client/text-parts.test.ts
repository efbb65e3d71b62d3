import { TextParts } from "@tts-labs/client/text-parts";
import { expect, test } from "vitest";

async function partsOf(text: string | readonly string[], fullAfter: number): Promise<string[]> {
  const parts = new TextParts(text, fullAfter);
  const read: string[] = [];
  while (await parts.hasMore()) {
    let part = "";
    for await (const piece of parts.part()) part += piece;
    read.push(part);
  }
  return read;
}

test("a long text is cut where a sentence ends, and nothing of it is lost", async () => {
  const text = Array.from({ length: 200 }, (_, i) => `This is sentence number ${i}, no more.`).join(" ");
  for (const pieces of [text, text.match(/.{1,7}/gs) ?? []]) {
    const parts = await partsOf(pieces, 1_000);
    expect(parts.join("")).toBe(text);
    for (const part of parts) expect(part.trimEnd()).toMatch(/more\.$/);
  }
  // Nearly 8,000 characters, each part ending with the first sentence beyond 1,000.
  expect((await partsOf(text.match(/.{1,7}/gs) ?? [], 1_000)).length).toBe(8);
});

test("a text that fits is one part, and white space behind the last sentence is none of its own", async () => {
  expect(await partsOf("Short.", 1_000)).toEqual(["Short."]);
  expect(await partsOf("", 1_000)).toEqual([]);
  expect(await partsOf(["One. ", "Two.", " \n "], 4)).toHaveLength(2);
});

test("a text without any end is cut all the same, far within an utterance's limit", async () => {
  const parts = await partsOf("word ".repeat(30_000), 30_000);
  expect(parts.join("")).toBe("word ".repeat(30_000));
  for (const part of parts) expect(part.length).toBeLessThan(40_000);
});
