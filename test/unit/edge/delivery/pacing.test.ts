import { MAX_FRAMES_AHEAD, Pacer } from "@tts-labs/edge/delivery/pacing";
import { describe, expect, test } from "vitest";

const FRAME_MS = 40;
const newPacer = () => new Pacer({ sampleRateHz: 24_000, frameSize: { samples: 960 } });

/** Frames that go from `fromMs` to `toMs` while `queued` frames are always waiting. */
function sendAll(pacer: Pacer, queued: number, fromMs: number, toMs: number): number {
  let sent = 0;
  for (let nowMs = fromMs; nowMs <= toMs; nowMs++) {
    while (pacer.delayMs(queued, nowMs) === 0) {
      pacer.sent(960, nowMs);
      sent++;
    }
  }
  return sent;
}

describe("the pacer", () => {
  test("lets at most 20 frames go ahead of real time, however many wait", () => {
    const pacer = newPacer();
    expect(sendAll(pacer, 1_000, 0, 0)).toBe(MAX_FRAMES_AHEAD);
    expect(sendAll(pacer, 1_000, 1, 1_000)).toBe(1_000 / FRAME_MS);
  });

  test("keeps a short queue close to real time, and drains a full one further ahead", () => {
    expect(sendAll(newPacer(), 1, 0, 0)).toBe(4);
    expect(sendAll(newPacer(), 9, 0, 0)).toBe(9);
    expect(sendAll(newPacer(), 20, 0, 0)).toBe(20);
  });

  test("says how long to wait", () => {
    const pacer = newPacer();
    sendAll(pacer, 4, 0, 0);
    expect(pacer.delayMs(4, 0)).toBe(FRAME_MS);
    expect(pacer.delayMs(4, 30)).toBe(10);
    expect(pacer.delayMs(4, 40)).toBe(0);
  });

  test("starts its clock anew after a pause, owing nothing for the silence", () => {
    const pacer = newPacer();
    sendAll(pacer, 20, 0, 0);
    expect(sendAll(pacer, 20, 60_000, 60_000)).toBe(MAX_FRAMES_AHEAD);
  });

  test("starts its clock anew when the listener has thrown everything away", () => {
    const pacer = newPacer();
    sendAll(pacer, 20, 0, 0);
    expect(pacer.delayMs(20, 0)).toBeGreaterThan(0);
    pacer.reset();
    expect(pacer.delayMs(20, 0)).toBe(0);
  });
});
