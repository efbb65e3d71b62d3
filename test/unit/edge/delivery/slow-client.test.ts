import { SlowClientWatch } from "@tts-labs/edge/delivery/slow-client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

const told: string[] = [];
let watch: SlowClientWatch;

beforeEach(() => {
  vi.useFakeTimers();
  told.length = 0;
  watch = new SlowClientWatch({
    noticeAfterMs: 1_000,
    cutAfterMs: 4_000,
    onNotice: (waitedMs, leftMs) =>
      told.push(`notice ${Math.floor(waitedMs / 100)} ${Math.ceil(leftMs / 100)}`),
    onCut: () => told.push("cut"),
  });
});
afterEach(() => {
  watch.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe("a client that stands still", () => {
  test("is told once, and cut off at the end", () => {
    watch.stands();
    vi.advanceTimersByTime(900);
    watch.stands();
    vi.advanceTimersByTime(200);
    expect(told).toEqual(["notice 10 30"]);
    vi.advanceTimersByTime(2_000);
    expect(told).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual(["notice 10 30", "cut"]);
    vi.advanceTimersByTime(60_000);
    expect(told).toHaveLength(2);
  });

  test("and goes on is waited for, as often as it does so", () => {
    for (let round = 0; round < 20; round++) {
      watch.stands();
      vi.advanceTimersByTime(3_900);
      watch.moves();
    }
    expect(told).toHaveLength(20);
    expect(told).not.toContain("cut");
  });

  test("is not watched while nothing waits for it, nor after the end", () => {
    watch.stands();
    watch.moves();
    vi.advanceTimersByTime(60_000);
    watch.stands();
    watch.close();
    vi.advanceTimersByTime(60_000);
    expect(told).toEqual([]);
  });
});
