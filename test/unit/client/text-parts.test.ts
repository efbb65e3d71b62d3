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
  expect(await partsOf(["Today. ", "Now.", " \n "], 4)).toHaveLength(2);
});

/** Behind a filler, in one piece and letter by letter: both must be cut alike. */
async function cutsOf(text: string): Promise<string[]> {
  const filler = "word ".repeat(20);
  const parts = await partsOf([filler, text], filler.length);
  expect(await partsOf([filler, ...text], filler.length)).toEqual(parts);
  expect(parts.join("")).toBe(filler + text);
  return parts.map((part) => part.replace(/^(?:word )+/, ""));
}

test.each([
  ["It ended there. ", "Then it began."],
  ["Das Kapitel ist zu Ende. ", "Ein neues beginnt."],
  ["Er fragte: „Wirklich?“ ", "„Ja“, sagte sie."],
  ["Wait!\n", "Now go."],
  ["a heading\n\n", "and its text"],
  ["她走了。", "天黑了"],
  ["वह चला गया। ", "फिर शाम हुई"],
])("a text is cut between %j and %j", async (one, two) => {
  expect(await cutsOf(one + two)).toEqual([one, two]);
});

test.each([
  "It was Dr. Smith of St. James who came",
  "Am 3. Mai um 10.30 Uhr kam Hr. Maier mit 5 Mio. Euro",
  "J. S. Bach, approx. Ten of them, z. B. Orgeln, bspw. Die",
  "Prof. Higgins and Capt. Ahab met Henry VIII. Also there",
  "„Wirklich?“ fragte sie",
  "a line\nand another",
])("a text is not cut within %j", async (text) => {
  expect(await cutsOf(text)).toEqual([text]);
});

test("a text without any end is cut all the same, far within an utterance's limit", async () => {
  const parts = await partsOf("word ".repeat(30_000), 30_000);
  expect(parts.join("")).toBe("word ".repeat(30_000));
  for (const part of parts) expect(part.length).toBeLessThan(40_000);
  const unspaced = await partsOf("한".repeat(100_000), 30_000);
  expect(unspaced.join("")).toBe("한".repeat(100_000));
  for (const part of unspaced) expect(part.length).toBeLessThan(40_000);
});
