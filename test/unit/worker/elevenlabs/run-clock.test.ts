import { RunClock } from "@tts-labs/worker/elevenlabs/run-clock";
import { describe, expect, it } from "vitest";

const audio = (ms: number) => Buffer.alloc(ms * 48);
const timings = (chars: string, startMs: readonly number[], verbatim = true) => ({
  chars: [...chars],
  startMs,
  durationMs: startMs.map(() => 10),
  verbatim,
});
const starts = (clock: RunClock, ms: number, chars: string, startMs: readonly number[]) =>
  clock.receive(audio(ms), timings(chars, startMs)).chunk?.alignment?.startMs;

describe("the run's clock", () => {
  it("puts each segment after the audio received before it, not after the timings before it", () => {
    const clock = new RunClock(24_000);
    expect(starts(clock, 300, "ab", [0, 100])).toEqual([0, 100]);
    clock.receive(audio(200), undefined);
    expect(starts(clock, 300, "cd", [20, 120])).toEqual([520, 620]);
    expect(clock.elapsedMs).toBe(800);
    expect(clock.samples).toBe(800 * 24);
  });

  it("tells whole milliseconds that never run backwards, though audio has no whole milliseconds", () => {
    const clock = new RunClock(24_000);
    clock.receive(Buffer.alloc(2 * 24_007), timings("ab", [0, 1_001]));
    expect(starts(clock, 10, "cd", [0, 5])).toEqual([1_001, 1_006]);
  });

  it("follows timings in mid-segment that count from the segment's start", () => {
    const clock = new RunClock(24_000);
    starts(clock, 500, "ab", [0, 300]);
    expect(starts(clock, 400, "cd", [0, 200])).toEqual([500, 700]);
    expect(starts(clock, 400, "ef", [405, 600])).toEqual([905, 1100]);
  });

  it("follows timings in mid-segment that count from their own message", () => {
    const clock = new RunClock(24_000);
    starts(clock, 500, "ab", [0, 300]);
    expect(starts(clock, 400, "cd", [3, 200])).toEqual([503, 700]);
    expect(starts(clock, 400, "ef", [0, 200])).toEqual([900, 1100]);
  });

  it("keeps timings that come ahead of their audio for the chunk that has it", () => {
    const clock = new RunClock(24_000);
    const ahead = clock.receive(Buffer.alloc(0), timings("a", [0]));
    expect(ahead.chunk).toBeUndefined();
    expect(ahead.verbatim?.chars).toEqual(["a"]);
    const { chunk } = clock.receive(audio(20), timings("b", [10]));
    expect(chunk?.alignment).toEqual({ chars: ["a", "b"], startMs: [0, 10], durationMs: [10, 10] });
  });

  it("tells timings of the text as sent from those of the text as spoken", () => {
    const clock = new RunClock(24_000);
    const { chunk, verbatim } = clock.receive(audio(20), timings("a", [0], false));
    expect(chunk?.alignment?.chars).toEqual(["a"]);
    expect(verbatim).toBeUndefined();
  });

  it("carries half a sample over to the next message", () => {
    const clock = new RunClock(24_000);
    expect(clock.receive(Buffer.from([1]), undefined).chunk).toBeUndefined();
    expect(clock.receive(Buffer.from([2, 3]), undefined).chunk?.pcm).toEqual(Buffer.from([1, 2]));
    expect(clock.receive(Buffer.from([4]), undefined).chunk?.pcm).toEqual(Buffer.from([3, 4]));
    expect(clock.samples).toBe(2);
  });
});
