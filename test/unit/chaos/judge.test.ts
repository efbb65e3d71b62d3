import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { beforeAll, describe, expect, it } from "vitest";
import { HeardUtterance } from "../../../scripts/chaos/listener/heard.ts";
import { judge } from "../../../scripts/chaos/listener/judge.ts";
import { type Truth, Truths } from "../../../scripts/chaos/listener/truth.ts";

const TEXT = "Guten Tag, wie geht es Ihnen heute? Mir geht es gut.";
const VOICE = "simGermanAnna000000A";
const FRAME = 960;

const truths = new Truths();
let truth: Truth;
beforeAll(async () => {
  truth = await truths.of(TEXT, VOICE);
});

const slice = (pcm: Buffer, from: number, to?: number) =>
  pcm.subarray(from * BYTES_PER_SAMPLE, to === undefined ? undefined : to * BYTES_PER_SAMPLE);

/** Hands over `pcm` in frames, the first at `firstSample`. */
function feed(heard: HeardUtterance, pcm: Buffer, firstSample: number, splice = false): void {
  for (let at = 0; at * BYTES_PER_SAMPLE < pcm.byteLength; at += FRAME) {
    const payload = slice(pcm, at, at + FRAME);
    const flags = { last: false, deflated: false, splice: splice && at === 0 };
    heard.take({ utterance: 1, firstSample: firstSample + at, seq: 1, payload, ...flags });
  }
}

const listener = () => new HeardUtterance({ text: TEXT, voice: VOICE, session: 0 });

function complete(heard: HeardUtterance): HeardUtterance {
  heard.finish({ kind: "completed", samples: heard.nextSample });
  return heard;
}

const CLEAN = { lost: 0, lostTold: 0, pauseCut: 0, duplicated: 0, reordered: 0, wrong: 0, replaced: 0 };
const NO_SPLICE = { splices: 0, wordsMissing: 0, wordsRepeated: 0 };

describe("the judge", () => {
  it("finds nothing in an utterance that is the voice's own, and every sample of one that is not", async () => {
    const heard = listener();
    feed(heard, truth.pcm, 0);
    expect(await judge(complete(heard), truths)).toEqual({ ...CLEAN, ...NO_SPLICE });

    const other = listener();
    feed(other, Buffer.alloc(truth.pcm.byteLength, 7), 0);
    expect(await judge(complete(other), truths)).toMatchObject({ wrong: truth.samples });
  });

  it("counts what is missing at the end: as lost where it was called complete, as told where an error said so", async () => {
    const half = 9_600;
    const cut = listener();
    feed(cut, slice(truth.pcm, 0, half), 0);
    expect(await judge(complete(cut), truths)).toMatchObject({ lost: truth.samples - half, lostTold: 0 });

    const failed = listener();
    feed(failed, slice(truth.pcm, 0, half), 0);
    failed.finish({ kind: "failed", code: "worker.unavailable", retryable: true });
    expect(await judge(failed, truths)).toMatchObject({ lost: 0, lostTold: truth.samples - half });

    const stuck = listener();
    feed(stuck, slice(truth.pcm, 0, half), 0);
    stuck.finish({ kind: "stuck" });
    expect(await judge(stuck, truths)).toMatchObject({ lost: truth.samples - half });
  });

  it("tells what rings out behind the last letter from speech", async () => {
    const verdictUpTo = async (sample: number) => {
      const heard = listener();
      feed(heard, slice(truth.pcm, 0, sample), 0);
      return judge(complete(heard), truths);
    };
    const { saidSample, samples } = truth;
    expect(await verdictUpTo(samples - 240)).toMatchObject({ lost: 0, pauseCut: 240 });
    expect(await verdictUpTo(saidSample)).toMatchObject({ lost: 0, pauseCut: samples - saidSample });
    expect(await verdictUpTo(saidSample - 100)).toMatchObject({ lost: samples - saidSample + 100 });
  });

  it("counts a gap in the middle, a frame that came twice, and frames that changed places", async () => {
    const gap = listener();
    feed(gap, slice(truth.pcm, 0, 9_600), 0);
    feed(gap, slice(truth.pcm, 9_600 + FRAME), 9_600 + FRAME);
    expect(await judge(complete(gap), truths)).toMatchObject({ lost: FRAME });

    const twice = listener();
    feed(twice, slice(truth.pcm, 0, 9_600), 0);
    feed(twice, slice(truth.pcm, 9_600 - FRAME), 9_600 - FRAME);
    expect(await judge(complete(twice), truths)).toEqual({ ...CLEAN, ...NO_SPLICE, duplicated: FRAME });

    const swapped = listener();
    const [a, b] = [slice(truth.pcm, 9_600, 10_560), slice(truth.pcm, 10_560, 11_520)];
    feed(swapped, Buffer.concat([slice(truth.pcm, 0, 9_600), b, a, slice(truth.pcm, 11_520)]), 0);
    expect(await judge(complete(swapped), truths)).toMatchObject({ reordered: 2 * FRAME, lost: 0 });
  });

  it("follows a splice: the rest of the text from the word on that was being spoken", async () => {
    const word = truth.words[4];
    if (word === undefined) throw new RangeError("the text has more words");
    const rest = await truths.of(TEXT.slice(word.char), VOICE);
    const heard = listener();
    feed(heard, slice(truth.pcm, 0, word.firstSample + 1_200), 0);
    feed(heard, rest.pcm, word.firstSample, true);
    const verdict = await judge(complete(heard), truths);
    expect(verdict).toEqual({ ...CLEAN, ...NO_SPLICE, splices: 1, replaced: 1_200 });
  });

  it("says how many words a splice has left out, or spoken again", async () => {
    const [earlier, word, later] = [truth.words[3], truth.words[4], truth.words[6]];
    if (!earlier || !word || !later) throw new RangeError("the text has more words");
    const spliced = async (continuation: number) => {
      const heard = listener();
      feed(heard, slice(truth.pcm, 0, word.firstSample), 0);
      feed(heard, (await truths.of(TEXT.slice(continuation), VOICE)).pcm, word.firstSample, true);
      return judge(complete(heard), truths);
    };
    expect(await spliced(later.char)).toMatchObject({ wordsMissing: 2, wordsRepeated: 0 });
    expect(await spliced(earlier.char)).toMatchObject({ wordsMissing: 0, wordsRepeated: 1 });
  });

  it("counts words that had been heard in full before a splice replaced them", async () => {
    const [word, beyond] = [truth.words[2], truth.words[5]];
    if (!word || !beyond) throw new RangeError("the text has more words");
    const heard = listener();
    feed(heard, slice(truth.pcm, 0, beyond.firstSample), 0);
    feed(heard, (await truths.of(TEXT.slice(word.char), VOICE)).pcm, word.firstSample, true);
    expect(await judge(complete(heard), truths)).toMatchObject({ wordsRepeated: 2, wordsMissing: 0 });
  });
});
