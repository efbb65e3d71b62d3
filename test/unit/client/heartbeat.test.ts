import { Heartbeat, type HeartbeatPace } from "@tts-labs/client/heartbeat";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const IDLE: HeartbeatPace = { silenceMs: 15_000, answerMs: 10_000 };
const WAITING: HeartbeatPace = { silenceMs: 5_000, answerMs: 3_000 };

describe("a heartbeat", () => {
  let pace: HeartbeatPace;
  /** What it did, with the second in which it did it. */
  let log: string[];
  let heartbeat: Heartbeat;

  beforeEach(() => {
    vi.useFakeTimers();
    const beganAtMs = performance.now();
    const note = (what: string) => log.push(`${what} ${Math.floor((performance.now() - beganAtMs) / 1000)}`);
    pace = IDLE;
    log = [];
    heartbeat = new Heartbeat({
      pace: () => pace,
      ping: () => note("ping"),
      onUnresponsive: () => note("gone"),
    });
  });
  afterEach(() => {
    heartbeat.close();
    vi.useRealTimers();
  });

  it("asks after a silence, and gives up once when nothing comes in answer", () => {
    vi.advanceTimersByTime(60_000);
    expect(log).toEqual(["ping 15", "gone 25"]);
  });

  it("takes whatever comes for an answer, and asks again after the next silence", () => {
    vi.advanceTimersByTime(24_000);
    heartbeat.heard();
    vi.advanceTimersByTime(24_500);
    expect(log).toEqual(["ping 15", "ping 39"]);
  });

  it("does not ask while something comes", () => {
    for (let second = 0; second < 60; second++) {
      vi.advanceTimersByTime(1_000);
      heartbeat.heard();
    }
    expect(log).toEqual([]);
  });

  it("knows sooner when something is awaited, at once where the silence has lasted long enough", () => {
    vi.advanceTimersByTime(9_000);
    pace = WAITING;
    heartbeat.look();
    vi.advanceTimersByTime(60_000);
    expect(log).toEqual(["ping 9", "gone 12"]);
  });

  it("does nothing more once it is closed", () => {
    vi.advanceTimersByTime(20_000);
    heartbeat.close();
    heartbeat.heard();
    heartbeat.look();
    vi.advanceTimersByTime(60_000);
    expect(log).toEqual(["ping 15"]);
  });
});
