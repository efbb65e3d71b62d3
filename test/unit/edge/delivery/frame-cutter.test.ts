import type { Frame } from "@tts-labs/edge/delivery/frame";
import { FrameCutter } from "@tts-labs/edge/delivery/frame-cutter";
import { encodeFrame } from "@tts-labs/edge/dialects/native/encode-event";
import { parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const samplesOf = (count: number, first = 0): Uint8Array =>
  new Uint8Array(Int16Array.from({ length: count }, (_, i) => (first + i) % 30_000).buffer);

function cutAll(frameSamples: number, chunks: readonly number[]): Frame[] {
  const cutter = new FrameCutter({ samples: frameSamples });
  const frames: Frame[] = [];
  let first = 0;
  for (const [i, count] of chunks.entries()) {
    frames.push(...cutter.push(samplesOf(count, first), i + 1));
    first += count;
  }
  expect(cutter.samples).toBe(first);
  const last = cutter.finish();
  return last === undefined ? frames : [...frames, last];
}

describe("the frame cutter", () => {
  test("cuts any chunks into equal frames, the last one shorter and marked, no sample lost", () => {
    const chunks = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 20 });
    fc.assert(
      fc.property(chunks, fc.integer({ min: 1, max: 130 }), (counts, frameSamples) => {
        const total = counts.reduce((sum, count) => sum + count, 0);
        const frames = cutAll(frameSamples, counts);
        const parsed = frames.map((frame) => parseAudioFrame(encodeFrame(frame, 7)));
        expect(Buffer.concat(parsed.map((it) => it.payload)).equals(samplesOf(total))).toBe(true);
        expect(frames.length).toBe(Math.ceil(total / frameSamples));
        for (const [i, frame] of parsed.entries()) {
          const isLast = i === parsed.length - 1;
          expect(frame.last).toBe(isLast);
          expect(frame.firstSample).toBe(i * frameSamples);
          if (!isLast) expect(frame.payload.byteLength).toBe(frameSamples * 2);
        }
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  test("names in each frame the entry of its last sample", () => {
    const frames = cutAll(100, [150, 50, 120]);
    expect(frames.map((frame) => parseAudioFrame(encodeFrame(frame, 7)).seq)).toEqual([1, 2, 3, 3]);
  });

  test("makes no frame of an utterance without samples", () => {
    expect(cutAll(960, [0, 0])).toEqual([]);
  });

  test("keeps what it was given apart from the buffer it came in", () => {
    const cutter = new FrameCutter({ samples: 10 });
    const buffer = samplesOf(15);
    const [frame] = [...cutter.push(buffer, 1)];
    buffer.fill(255);
    const last = cutter.finish();
    expect(frame?.pcm).toEqual(samplesOf(10));
    expect(last?.pcm).toEqual(samplesOf(5, 10));
  });
});
