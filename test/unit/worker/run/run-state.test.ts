import { type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import { nextRunState, type Progress, type RunEvent, type RunState } from "@tts-labs/worker/run/run-state";
import { describe, expect, test } from "vitest";

const UNHEARD = { heard: false, retriesLeft: 1, continuationsLeft: 2 };
const HEARD = { heard: true, retriesLeft: 1, continuationsLeft: 2 };
const LIVE: RunState[] = [
  { kind: "starting" },
  { kind: "waiting-slot", progress: UNHEARD },
  { kind: "waiting-socket", attempt: 1, progress: UNHEARD },
  { kind: "speaking", attempt: 1, samples: 0, progress: UNHEARD },
  { kind: "finishing", attempt: 1, samples: 9, progress: HEARD },
];
const OVER: RunState[] = [{ kind: "ended", outcome: { kind: "completed" } }, { kind: "abandoned" }];
const EVENTS: RunEvent[] = [
  { kind: "words", progress: UNHEARD },
  ...(["nothing-to-say", "slot", "text-complete", "final", "found-ended"] as const).map((kind) => ({
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
    const waiting: RunState = { kind: "waiting-slot", progress: UNHEARD };
    expect(nextRunState(waiting, { kind: "final" })).toBe(waiting);
    expect(nextRunState({ kind: "starting" }, { kind: "slot" })).toEqual({ kind: "starting" });
  });

  const fault = (code: ErrorCode): RunEvent => ({ kind: "fault", error: new GatewayError(code) });
  const speaking = (attempt: number, progress: Progress): RunState => ({
    kind: "speaking",
    attempt,
    progress,
    samples: progress.heard ? 1 : 0,
  });

  test("again as often as is left, only for what may pass, while nothing was heard", () => {
    const spent = { ...UNHEARD, retriesLeft: 0 };
    expect(nextRunState(speaking(1, UNHEARD), fault("provider.fault"))).toMatchObject({
      kind: "waiting-socket",
      attempt: 2,
      progress: spent,
      after: { code: "provider.fault" },
    });
    for (const [progress, code] of [
      [spent, "provider.fault"],
      [UNHEARD, "provider.invalid_key"],
    ] as const) {
      expect(nextRunState(speaking(1, progress), fault(code))).toMatchObject({ outcome: { code } });
    }
  });

  test("once something was heard it is continued as often as is left, and only after what may pass", () => {
    const again = nextRunState(speaking(5, HEARD), fault("provider.gap_timeout"));
    expect(again).toMatchObject({
      kind: "waiting-socket",
      attempt: 6,
      progress: { ...HEARD, continuationsLeft: 1 },
      after: { code: "provider.gap_timeout" },
    });
    const spent = { ...HEARD, continuationsLeft: 0 };
    for (const [progress, code] of [
      [spent, "provider.fault"],
      [HEARD, "provider.quota_exceeded"],
      [HEARD, "provider.circuit_open"],
    ] as const) {
      expect(nextRunState(speaking(1, progress), fault(code))).toMatchObject({ outcome: { code } });
    }
    expect(nextRunState(again, { kind: "nothing-to-say" })).toEqual({
      kind: "ended",
      outcome: { kind: "completed" },
    });
  });

  test("another choice begins with retries of its own, or goes on; if all fail it ends with the first fault", () => {
    const refused = { kind: "fault", error: new GatewayError("provider.circuit_open") } as const;
    const elsewhere = { retries: 4 };
    const next = nextRunState({ kind: "waiting-slot", progress: UNHEARD }, { ...refused, elsewhere });
    expect(next).toMatchObject({
      kind: "waiting-slot",
      progress: { ...UNHEARD, retriesLeft: 4, firstFault: refused.error },
      after: refused.error,
    });
    expect(nextRunState(next, { kind: "slot" })).toMatchObject({ kind: "waiting-socket", attempt: 1 });
    expect(nextRunState(next, fault("capacity.slot_timeout"))).toMatchObject({
      outcome: { code: "provider.circuit_open" },
    });
    expect(nextRunState(speaking(2, HEARD), { ...refused, elsewhere })).toMatchObject({
      kind: "waiting-slot",
      progress: { heard: true, continuationsLeft: 1 },
    });
    const spent = speaking(2, { ...HEARD, continuationsLeft: 0 });
    expect(nextRunState(spent, { ...refused, elsewhere })).toMatchObject({ kind: "ended" });
  });

  test("a sample makes it heard; a final without one is a fault, on every socket anew", () => {
    const heard = nextRunState(speaking(1, UNHEARD), { kind: "audio", samples: 4 });
    expect(heard).toMatchObject({ progress: { heard: true } });
    const silent: RunState = { kind: "finishing", attempt: 2, samples: 0, progress: HEARD };
    expect(nextRunState(silent, { kind: "final" })).toMatchObject({ after: { code: "provider.silent" } });
  });
});
