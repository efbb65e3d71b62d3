import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { WordsEvent } from "@tts-labs/edge/delivery/speech-event";
import { GatheredSink } from "@tts-labs/edge/dialects/synthesize/gathered-sink";
import { expect, test } from "vitest";
import { COMPLETED } from "../../../../testkit/clients/completed-speech.ts";
import { FakeExchange } from "../../../../testkit/fleet/fake-exchange.ts";

type JsonWords = readonly { readonly text: string; readonly start_ms: number; readonly end_ms: number }[];

/** The words of the answer when these batches are told before its end. */
function wordsOf(...events: readonly WordsEvent[]): string {
  const fake = new FakeExchange();
  const sink = new GatheredSink({
    exchange: fake.exchange,
    format: "json",
    sampleRateHz: 24_000,
    maxBytes: 1_000_000,
    budget: new ByteBudget(1e9),
    onRefused: () => {},
    onDone: () => {},
  });
  for (const event of events) sink.tell(event);
  sink.tell(COMPLETED);
  const { words } = JSON.parse(fake.body) as { readonly words: JsonWords };
  return words.map(({ text, start_ms }) => `${text}@${start_ms}`).join(" ");
}

const batch = (
  words: readonly (readonly [string, number, number])[],
  replacesFromMs?: number,
): WordsEvent => ({
  kind: "words",
  words: words.map(([text, startMs, endMs]) => ({ text, startMs, endMs })),
  ...(replacesFromMs === undefined ? {} : { replacesFromMs }),
});

test("words whose times overlap at a batch's edge are all in the answer", () => {
  expect(
    wordsOf(
      batch([
        ["Hello", 0, 300],
        ["there", 300, 557],
      ]),
      batch([["my", 530, 700]]),
      batch([["dear", 664, 900]]),
    ),
  ).toBe("Hello@0 there@300 my@530 dear@664");
});

test("a splice replaces the words that begin behind it, wherever the new ones begin: the twin", () => {
  const told = batch([
    ["Hello", 0, 300],
    ["there", 320, 600],
    ["my", 620, 700],
  ]);
  expect(wordsOf(told, batch([["there", 400, 650]], 320))).toBe("Hello@0 there@400");
  expect(wordsOf(told, batch([["there", 800, 950]], 320))).toBe("Hello@0 there@800");
});
