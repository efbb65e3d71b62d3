import type { AudioEntry } from "@tts-labs/core/session/entries";
import { SentenceText } from "@tts-labs/edge/speech/sentences/sentence-text";
import { HeardText } from "@tts-labs/edge/utterance/heard-text";
import { SentenceCutter } from "@tts-labs/protocol/text/sentence-cutter";
import { ShortenedSpace } from "@tts-labs/protocol/text/shortened-space";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flushedText } from "../../../../testkit/speech/flushed-text.ts";
import { cutInto, nastyText, pieceSizes } from "../../../../testkit/speech/nasty-text.ts";

/** Longest text of one utterance (which costs under 20 ms). */
const CHARACTERS = 40_000;
const TARGET_MS = 20;
/** CI machines are slower, and busy with other things; what is quadratic takes hundreds of times as long. */
const PATIENCE = 8;
const NO_PCM = new Uint8Array(0);

/** A way of dealing with text in pieces. @returns what it made of it */
type Way = (pieces: readonly string[]) => readonly string[];

const cutForCache: Way = (pieces) => {
  const cutter = new SentenceCutter();
  return [...pieces.flatMap((piece) => cutter.push(piece)), ...cutter.flush()];
};

/** The sentence cache's way, with what it makes of each sentence. */
const lookUp: Way = (pieces) => {
  const text = new SentenceText();
  for (const piece of pieces) text.push(piece);
  text.end();
  return text.sentences.map((sentence) => sentence.text);
};

/** What the worker speaks between its flushes; on which side of them white space stands is not heard. */
const cutForProvider: Way = (pieces) => {
  const space = new ShortenedSpace();
  const steps = flushedText(pieces);
  const said = steps.map((step) => (step.kind === "speak" ? space.shorten(step.text) : `<${step.kind}>`));
  return said
    .join("")
    .split("<flush>")
    .map((sentence) => sentence.trim());
};

/** Aligned as a provider does it, then cut at what was heard. */
const cutAtHeard: Way = (pieces) => {
  const words = new HeardText();
  const text = pieces.join("");
  let ms = 0;
  for (let at = 0; at < text.length; at += 200) {
    const chars = [...text.slice(at, at + 200)];
    const startMs = chars.map((_, i) => ms + i * 60);
    const alignment = { chars, startMs, durationMs: chars.map(() => 60) };
    const entry: AudioEntry = { firstSample: ms * 24, pcm: NO_PCM, alignment };
    words.take(entry, 24_000);
    ms += chars.length * 60;
  }
  const { textHeard, textLeft } = words.cut(text, ms / 2, undefined);
  return [textHeard, textLeft];
};

/** As it was until issue 8: the open sentence is searched from its start whenever a piece comes. */
const searchAgain: Way = (pieces) => {
  const sentences: string[] = [];
  let open = "";
  for (const piece of pieces) {
    open += piece;
    for (;;) {
      const end = /[.!?…。！？][)"'”’]*\s+(?=\S)/u.exec(open);
      if (end === null) break;
      sentences.push(open.slice(0, end.index + end[0].length));
      open = open.slice(end.index + end[0].length);
    }
  }
  return [...sentences, open];
};

/** CPU time, so that what else the machine does hardly counts; the least of a few tries. */
function costMs(way: Way, pieces: readonly string[], tries = 2): number {
  const costs = Array.from({ length: tries }, () => {
    const before = process.cpuUsage();
    way(pieces);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...costs);
}

/** Of the whole, on a machine that has other things to do. */
const LIMIT_MS = 60_000;

describe("any text of 40,000 characters in any pieces", { timeout: LIMIT_MS }, () => {
  test("is cut into the same sentences, of which none is lost", () => {
    fc.assert(
      fc.property(nastyText(CHARACTERS / 4), pieceSizes, fc.nat(), (text, longest, seed) => {
        const whole = cutForCache([text]);
        expect(whole.join("")).toBe(text);
        const pieces = cutInto(text, longest, seed);
        expect(cutForCache(pieces)).toEqual(whole);
        expect(lookUp(pieces)).toEqual(lookUp([text]));
        const spoken = cutForProvider([text]);
        expect(cutForProvider(pieces)).toEqual(spoken);
        expect(spoken.join("").replace(/\s|<end>/g, "")).toBe(text.replace(/\s/g, ""));
      }),
      { seed: 20_261_127, numRuns: 30 },
    );
  });

  test("costs no more than its length, from cutter to heard text", () => {
    // Compiled before it is measured.
    for (let turn = 0; turn < 3; turn++) cutAtHeard(cutForProvider(lookUp(["Warm. ".repeat(5_000)])));
    fc.assert(
      fc.property(nastyText(CHARACTERS), pieceSizes, fc.nat(), (text, longest, seed) => {
        const pieces = cutInto(text, longest, seed);
        const costs = [lookUp, cutForProvider, cutAtHeard].map((way) => costMs(way, pieces));
        expect(costs.reduce((sum, ms) => sum + ms)).toBeLessThan(TARGET_MS * PATIENCE);
      }),
      { seed: 20_261_127, numRuns: 15 },
    );
  });

  test.each([
    ["line breaks behind a sentence, one by one", `Hi. ${"\n".repeat(CHARACTERS / 2)}`],
    ["marks, one by one", ".".repeat(CHARACTERS / 2)],
  ])("would cost hundreds of milliseconds if it were searched again for each piece: %s", (_, text) => {
    expect(costMs(searchAgain, [...text], 1)).toBeGreaterThan(TARGET_MS * PATIENCE);
    expect(costMs(cutForCache, [...text])).toBeLessThan(TARGET_MS * PATIENCE);
    expect(costMs(cutForProvider, [...text])).toBeLessThan(TARGET_MS * PATIENCE);
  });
});
