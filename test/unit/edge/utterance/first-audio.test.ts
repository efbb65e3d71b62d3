import { toFirstAudio } from "@tts-labs/edge/utterance/first-audio";
import { describe, expect, test } from "vitest";

const worker = { queue: 2, slot: 0, connect: 10, provider: 100 };

describe("the time to the first audio", () => {
  test("falls into parts that add up to it", () => {
    const { totalMs, parts } = toFirstAudio({
      openedAtMs: 1_000,
      turnAtMs: 1_000,
      firstSentAtMs: 1_120,
      worker,
    });
    expect(totalMs).toBe(120);
    expect(parts).toEqual({ ...worker, turn: 0, delivery: 8 });
  });

  test("tells the wait for earlier utterances apart from delivery", () => {
    const { totalMs, parts } = toFirstAudio({
      openedAtMs: 1_000,
      turnAtMs: 3_000,
      firstSentAtMs: 3_005,
      worker,
    });
    expect(totalMs).toBe(2_005);
    expect(parts).toEqual({ ...worker, turn: 2_000 - 112, delivery: 5 });
  });

  test.each([
    { what: "far more", queue: 120_000 },
    { what: "less than nothing", queue: -120_000 },
  ])("adds up, no part below 0, where the clocks make the queue $what", ({ queue }) => {
    const { totalMs, parts } = toFirstAudio({
      openedAtMs: 1_000,
      turnAtMs: 1_000,
      firstSentAtMs: 1_120,
      worker: { ...worker, queue },
    });
    expect(totalMs).toBe(120);
    for (const part of Object.values(parts)) expect(part).toBeGreaterThanOrEqual(0);
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(120);
    expect(parts).toMatchObject({ provider: 100, connect: 10 });
  });

  test("is null where there was none", () => {
    const times = { openedAtMs: 1, turnAtMs: 1, firstSentAtMs: undefined, worker: undefined };
    expect(toFirstAudio(times)).toEqual({ totalMs: null, parts: {} });
  });
});
