import { GatewayError } from "@tts-labs/core/errors";
import { nextRunState, type RunEvent, type RunState } from "@tts-labs/worker/run-state";
import { describe, expect, test } from "vitest";

const LIVE: RunState[] = [
  { kind: "starting" },
  { kind: "waiting-slot" },
  { kind: "waiting-socket", attempt: 1 },
  { kind: "speaking", attempt: 1, samples: 0 },
  { kind: "finishing", attempt: 1, samples: 9 },
];
const OVER: RunState[] = [{ kind: "ended", outcome: { kind: "completed" } }, { kind: "abandoned" }];
const EVENTS: RunEvent[] = [
  ...(["words", "nothing-to-say", "slot", "text-complete", "final", "found-ended"] as const).map((kind) => ({
    kind,
  })),
  { kind: "socket", textComplete: false },
  { kind: "audio", samples: 5 },
  { kind: "fault", error: new GatewayError("provider.fault") },
  { kind: "abort", error: new GatewayError("cancelled.by_client") },
];

describe("a run's state", () => {
  test.each(OVER)("$kind is left by nothing", (state) => {
    for (const event of EVENTS) expect(nextRunState(state, event)).toBe(state);
  });

  test.each(LIVE)("$kind ends by an abort, with its reason, or silently when the lease is lost", (state) => {
    expect(nextRunState(state, { kind: "abort", error: new GatewayError("cancelled.by_client") })).toEqual({
      kind: "ended",
      outcome: { kind: "cancelled" },
    });
    expect(
      nextRunState(state, { kind: "abort", error: new GatewayError("session.text_timeout") }),
    ).toMatchObject({
      outcome: { code: "session.text_timeout" },
    });
    expect(nextRunState(state, { kind: "abort", error: new GatewayError("lease.lost") })).toEqual({
      kind: "abandoned",
    });
  });

  test("an event that does not apply changes nothing", () => {
    expect(nextRunState({ kind: "starting" }, { kind: "audio", samples: 3 })).toEqual({ kind: "starting" });
    expect(nextRunState({ kind: "waiting-slot" }, { kind: "final" })).toEqual({ kind: "waiting-slot" });
    expect(nextRunState({ kind: "starting" }, { kind: "slot" })).toEqual({ kind: "starting" });
  });

  test("one retry, only for what may pass, only while nothing was heard", () => {
    const fault = (code: "provider.fault" | "provider.invalid_key"): RunEvent => ({
      kind: "fault",
      error: new GatewayError(code),
    });
    const speaking = (attempt: number, samples: number): RunState => ({ kind: "speaking", attempt, samples });
    expect(nextRunState(speaking(1, 0), fault("provider.fault"))).toMatchObject({
      kind: "waiting-socket",
      attempt: 2,
      after: { code: "provider.fault" },
    });
    expect(nextRunState(speaking(2, 0), fault("provider.fault"))).toMatchObject({
      outcome: { code: "provider.fault" },
    });
    expect(nextRunState(speaking(1, 1), fault("provider.fault"))).toMatchObject({
      outcome: { code: "provider.fault" },
    });
    expect(nextRunState(speaking(1, 0), fault("provider.invalid_key"))).toMatchObject({
      outcome: { code: "provider.invalid_key" },
    });
  });
});
