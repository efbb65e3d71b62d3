import { SpeechJoin } from "@tts-labs/edge/speech/sentences/speech-join";
import { describe, expect, test } from "vitest";
import { Random } from "../../../../testkit/ground/random.ts";
import { joinedPcm, renderSentences, toSamples } from "../../../../testkit/speech/joined-speech.ts";

const RATE = 24_000;
const FADE = 120;

const pcmOf = (values: readonly number[]): Uint8Array => new Uint8Array(Int16Array.from(values).buffer);
const bytes = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts.map((it) => Buffer.from(it)));

/** Joins whole parts, each in entries of random lengths. */
function join(parts: readonly Uint8Array[], { fadeMs = 5, seed = 1 } = {}): Buffer {
  const random = new Random(seed);
  const speech = new SpeechJoin({ sampleRateHz: RATE, fadeMs });
  const out: Uint8Array[] = [];
  for (const [number, part] of parts.entries()) {
    if (number > 0) out.push(speech.next().pcm);
    for (let at = 0; at < part.byteLength; ) {
      const end = Math.min(part.byteLength, at + 2 * random.below(700));
      out.push(speech.take(at / 2, part.subarray(at, end)).pcm);
      at = end;
    }
  }
  return bytes([...out, speech.finish().pcm]);
}

/** The largest step from one sample to the next, in `[from, to)`. */
function largestStep(samples: Int16Array, from = 0, to = samples.length): number {
  let largest = 0;
  for (let i = Math.max(1, from); i < to; i++) {
    largest = Math.max(largest, Math.abs((samples[i] ?? 0) - (samples[i - 1] ?? 0)));
  }
  return largest;
}

/** Loud to its very ends, and never where the next one begins. */
const square = (first: number, halfPeriod: number): Uint8Array =>
  pcmOf(Array.from({ length: 5_000 }, (_, i) => (Math.floor(i / halfPeriod) % 2 === 0 ? first : -first)));
const steady = (value: number): Uint8Array => pcmOf(Array.from({ length: 5_000 }, () => value));

describe("speech in parts is joined", () => {
  test("the same however its parts came, in place, its own beginning and end untouched", () => {
    const random = new Random(5);
    for (let run = 0; run < 40; run++) {
      const parts = Array.from({ length: 1 + random.below(4) }, () =>
        pcmOf(Array.from({ length: random.below(1_500) }, () => random.below(65_536) - 32_768)),
      );
      const joined = join(parts, { seed: run });
      expect(joined.equals(joinedPcm(parts))).toBe(true);
      const own = bytes(parts);
      const [first] = parts;
      expect(joined.byteLength).toBe(own.byteLength);
      if (parts.length === 1 && first !== undefined) expect(joined.equals(Buffer.from(first))).toBe(true);
    }
  });

  test("without a step at the join that is larger than those of the speech itself", async () => {
    const parts = (
      await renderSentences(
        ["You are number four in the queue.", "Please hold the line.", "Thank you."],
        "simEnglishGrace0000A",
      )
    ).map(({ pcm }) => pcm);
    // Cut in the middle of a sound, where it is loud.
    const loud = parts.map((pcm) => pcm.subarray(0, 2 * Math.floor(pcm.byteLength / 4)));
    for (const speech of [parts, loud]) {
      const own = Math.max(...speech.map((pcm) => largestStep(toSamples(pcm))));
      const joined = toSamples(join(speech));
      let at = 0;
      for (const pcm of speech.slice(0, -1)) {
        at += pcm.byteLength / 2;
        expect(largestStep(joined, at - FADE, at + FADE)).toBeLessThanOrEqual(own);
      }
    }
  });

  test.each([
    ["fading", 5],
    ["without fading", 0],
  ])("of steady sounds as loud and as different as can be, %s", (_, fadeMs) => {
    const joined = toSamples(join([steady(32_767), steady(-32_768), steady(32_767)], { fadeMs }));
    const step = largestStep(joined);
    // Half a cosine over 120 samples rises by 429 at most; without it the step is the whole range.
    if (fadeMs > 0) expect(step).toBeLessThan(430);
    else expect(step).toBe(65_535);
  });

  test("of square waves: at the join it is quieter than anywhere in them", () => {
    const joined = toSamples(join([square(32_000, 50), square(-32_000, 37)]));
    expect(largestStep(joined, 5_000 - 3, 5_000 + 3)).toBeLessThan(100);
    expect(largestStep(joined, 0, 5_000 - FADE)).toBe(64_000);
  });

  test("also where a splice replaces what was held back, or more", () => {
    for (const spliceAt of [0, 700, 880, 881, 940, 999, 1_000]) {
      const speech = new SpeechJoin({ sampleRateHz: RATE });
      const old = pcmOf(Array.from({ length: 1_000 }, () => 9));
      const anew = pcmOf(Array.from({ length: 400 }, () => 20_000));
      const out: Uint8Array[] = [];
      let given = 0;
      for (const [at, pcm] of [
        [0, old],
        [spliceAt, anew],
      ] as const) {
        const { firstSample, pcm: now } = speech.take(at, pcm);
        expect(firstSample).toBeLessThanOrEqual(given);
        // What a player does.
        const kept = bytes(out).subarray(0, firstSample * 2);
        out.splice(0, out.length, kept, now);
        given = firstSample + now.byteLength / 2;
      }
      out.push(speech.finish().pcm);
      expect(bytes(out).equals(bytes([old.subarray(0, spliceAt * 2), anew]))).toBe(true);
    }
  });

  test("never over a gap", () => {
    const speech = new SpeechJoin({ sampleRateHz: RATE });
    speech.take(0, steady(1));
    expect(() => speech.take(5_001, steady(1))).toThrow("Sample 5000 was due");
  });
});
