import { expect, test } from "vitest";
import { serverExamples } from "../../../scripts/docs/message-examples.ts";
import { partAt, readDocument } from "./document.ts";
import { undocumented } from "./undocumented.ts";

const document = await readDocument("docs/asyncapi.yaml");
const payload = partAt(document, "components", "messages", "StreamComplete", "payload");
const [complete] = serverExamples.stream_complete;

test("a message as documented has nothing undocumented", () => {
  expect(undocumented(payload, complete, "it")).toEqual([]);
});

test("a field that is missing, of another type or not named is found, also inside lists", () => {
  expect(undocumented(payload, { ...complete, samples: undefined }, "it")).toHaveLength(1);
  expect(undocumented(payload, { ...complete, frames: "55" }, "it")).toHaveLength(1);
  expect(undocumented(payload, { ...complete, mood: "good" }, "it")).toHaveLength(1);
  const words = partAt(document, "components", "messages", "Words", "payload");
  const [example] = serverExamples.words;
  expect(
    undocumented(words, { ...example, words: [{ ...example?.words[0], loud: true }] }, "it"),
  ).toHaveLength(1);
});
