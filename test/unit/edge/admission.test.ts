import {
  Admission,
  type AdmissionLimits,
  type AdmissionState,
  type LoadSignals,
  nextAdmissionState,
  type RefusalReason,
} from "@tts-labs/edge/admission";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

const LIMITS: AdmissionLimits = {
  admissionMaxLagMs: 100,
  admissionMaxQueueWaitMs: 2_000,
  admissionMaxWaiting: 50,
};
const CALM: LoadSignals = { loopLagMs: 0, queueWaitMs: 0, waitingUtterances: 0 };
const OPEN: AdmissionState = { kind: "open", loadedRounds: 0 };

const lookAt = (rounds: readonly Partial<LoadSignals>[], limits = LIMITS): AdmissionState =>
  rounds.reduce<AdmissionState>((state, it) => nextAdmissionState(state, { ...CALM, ...it }, limits), OPEN);

describe("admission", () => {
  test.each<[Partial<LoadSignals>, RefusalReason]>([
    [{ loopLagMs: 100 }, "event-loop"],
    [{ queueWaitMs: 2_000 }, "queue-wait"],
    [{ waitingUtterances: 50 }, "queue-length"],
  ])("closes after two rounds of %j", (signals, reason) => {
    expect(lookAt([signals]).kind).toBe("open");
    expect(lookAt([signals, signals])).toEqual({ kind: "refusing", reason, calmRounds: 0 });
  });

  test("does not close for single bad rounds", () => {
    expect(lookAt([{ loopLagMs: 900 }, CALM, { loopLagMs: 900 }, CALM])).toEqual(OPEN);
  });

  test("opens again only when the load is below half of every limit for four rounds", () => {
    const closed = [{ loopLagMs: 200 }, { loopLagMs: 200 }];
    const half = { waitingUtterances: 25 };
    expect(lookAt([...closed, half, half, half, half, half]).kind).toBe("refusing");
    expect(lookAt([...closed, CALM, CALM, CALM]).kind).toBe("refusing");
    expect(lookAt([...closed, CALM, CALM, half, CALM, CALM, CALM]).kind).toBe("refusing");
    expect(lookAt([...closed, CALM, CALM, CALM, CALM])).toEqual(OPEN);
  });

  test("does not look at what is switched off", () => {
    const off = { admissionMaxLagMs: 0, admissionMaxQueueWaitMs: 0, admissionMaxWaiting: 0 };
    const signals = { loopLagMs: 1e6, queueWaitMs: 1e6, waitingUtterances: 1e6 };
    expect(lookAt([signals, signals, signals], off)).toEqual({ kind: "open", loadedRounds: 0 });
  });
});

describe("a new session", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  test("is refused with the time after which to come, as long as there is too much", async () => {
    const told: string[] = [];
    let waiting = 60;
    const admission = new Admission({
      limits: LIMITS,
      queueDepth: async () => ({ waiting, oldestWaitMs: 0 }),
      observer: {
        admissionChanged: (reason) => told.push(`changed ${reason}`),
        admissionRefused: (reason) => told.push(`refused ${reason}`),
      },
      loopLagMs: () => 0,
      everyMs: 100,
    });
    await vi.advanceTimersByTimeAsync(350);
    const refusal = expect.objectContaining({
      code: "capacity.overloaded",
      retryable: true,
      facts: { reason: "queue-length" },
      retryAfterMs: expect.toSatisfy((ms: number) => ms >= 1_000 && ms <= 3_000),
    });
    expect(() => admission.assertRoom()).toThrow(refusal);
    waiting = 0;
    await vi.advanceTimersByTimeAsync(600);
    expect(() => admission.assertRoom()).not.toThrow();
    expect(told).toEqual(["changed queue-length", "refused queue-length", "changed undefined"]);
    admission.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is not refused for what a queue in an absent Redis can't say", async () => {
    const admission = new Admission({
      limits: LIMITS,
      queueDepth: () => Promise.reject(new Error("away")),
      observer: { admissionChanged: () => {}, admissionRefused: () => {} },
      loopLagMs: () => 0,
      everyMs: 100,
    });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(() => admission.assertRoom()).not.toThrow();
    admission.close();
  });
});
