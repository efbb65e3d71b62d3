import { AdaptiveFrameSize } from "@tts-labs/edge/delivery/frame-size";
import { RoundTrip } from "@tts-labs/edge/dialects/native/round-trip";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

describe("the adaptive frame size", () => {
  test.each([
    [0, 1_920],
    [49.9, 1_920],
    [50, 960],
    [99.9, 960],
    [100, 480],
    [299.9, 480],
    [300, 240],
    [9_000, 240],
  ])("at a round trip of %s ms is %s samples", (roundTripMs, samples) => {
    const size = new AdaptiveFrameSize(960);
    size.measured(roundTripMs);
    expect(size.samples).toBe(samples);
  });

  test("is the first size until something is measured", () => {
    expect(new AdaptiveFrameSize(700).samples).toBe(700);
  });

  test("follows the mean of the last ten, so that one bad moment changes little and is forgotten", () => {
    const size = new AdaptiveFrameSize(960);
    for (let i = 0; i < 10; i++) size.measured(10);
    size.measured(400);
    expect(size.meanRoundTripMs).toBe(49);
    expect(size.samples).toBe(1_920);
    size.measured(400);
    expect(size.samples).toBe(960);
    for (let i = 0; i < 10; i++) size.measured(10);
    expect(size.samples).toBe(1_920);
  });
});

describe("the measuring of round trips", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  const open = () => {
    const pings: string[] = [];
    const measured: number[] = [];
    const roundTrip = new RoundTrip({
      ping: (payload) => pings.push(payload),
      onMeasured: (ms) => measured.push(Math.round(ms)),
      everyMs: 1_000,
    });
    return { pings, measured, roundTrip };
  };

  test("begins at once, and again every interval", () => {
    const { pings, measured, roundTrip } = open();
    vi.advanceTimersByTime(70);
    roundTrip.onPong("1");
    vi.advanceTimersByTime(930);
    expect(pings).toEqual(["1", "2"]);
    expect(measured).toEqual([70]);
    roundTrip.close();
    vi.advanceTimersByTime(5_000);
    expect(pings).toEqual(["1", "2"]);
  });

  test("waits for a late pong instead of asking again, and counts how late it was", () => {
    const { pings, measured, roundTrip } = open();
    vi.advanceTimersByTime(3_500);
    expect(pings).toEqual(["1"]);
    roundTrip.onPong("1");
    expect(measured).toEqual([3_500]);
    roundTrip.close();
  });

  test("counts no pong that nobody asked for, and none twice", () => {
    const { measured, roundTrip } = open();
    for (const payload of ["", "7", "1", "1"]) roundTrip.onPong(payload);
    expect(measured).toEqual([0]);
    roundTrip.close();
  });
});
