import { GatewayError } from "@tts-labs/protocol/errors";
import {
  nextSocketState,
  type SocketEvent,
  type SocketState,
} from "@tts-labs/worker/elevenlabs/connection-state";
import { describe, expect, it } from "vitest";

const boom = new GatewayError("provider.fault");
const enough = new GatewayError("cancelled.by_client");

const STATES = {
  connecting: { kind: "connecting" },
  warm: { kind: "warm" },
  "speaking, silent so far": { kind: "speaking", samples: 0 },
  speaking: { kind: "speaking", samples: 10 },
  "finishing, silent so far": { kind: "finishing", samples: 0, speakable: true },
  "finishing without speakable text": { kind: "finishing", samples: 0, speakable: false },
  finishing: { kind: "finishing", samples: 10, speakable: true },
  ended: { kind: "ended", outcome: { kind: "completed", samples: 10 } },
} as const satisfies Record<string, SocketState>;

const EVENTS = {
  opened: { kind: "opened" },
  "checked-out": { kind: "checked-out" },
  "text-ended": { kind: "text-ended", speakable: true },
  audio: { kind: "audio", samples: 5 },
  final: { kind: "final" },
  failed: { kind: "failed", error: boom },
  closed: { kind: "closed", code: 1000, reason: "" },
  aborted: { kind: "aborted", reason: enough },
  retired: { kind: "retired" },
} as const satisfies Record<string, SocketEvent>;

/** In words: the state's kind and samples, or how it ended. `=` is the very same state. */
function told(before: SocketState, after: SocketState): string {
  if (after === before) return "=";
  if (after.kind !== "ended") return "samples" in after ? `${after.kind} ${after.samples}` : after.kind;
  const { outcome } = after;
  if (outcome.kind === "completed") return `completed ${outcome.samples}`;
  if (outcome.kind === "retired") return "retired";
  return `${outcome.aborted ? "aborted" : "failed"} while ${outcome.phase}: ${outcome.error.code}`;
}

type Row = Record<keyof typeof EVENTS, string>;
const TABLE: Record<keyof typeof STATES, Row> = {
  connecting: {
    opened: "warm",
    "checked-out": "=",
    "text-ended": "=",
    audio: "failed while connecting: provider.fault",
    final: "failed while connecting: provider.truncated",
    failed: "failed while connecting: provider.fault",
    closed: "failed while connecting: provider.connect_failed",
    aborted: "aborted while connecting: cancelled.by_client",
    retired: "retired",
  },
  warm: {
    opened: "=",
    "checked-out": "speaking 0",
    "text-ended": "=",
    audio: "failed while warm: provider.fault",
    final: "failed while warm: provider.truncated",
    failed: "failed while warm: provider.fault",
    closed: "failed while warm: provider.idle_closed",
    aborted: "aborted while warm: cancelled.by_client",
    retired: "retired",
  },
  "speaking, silent so far": {
    opened: "=",
    "checked-out": "=",
    "text-ended": "finishing 0",
    audio: "speaking 5",
    final: "failed while speaking: provider.truncated",
    failed: "failed while speaking: provider.fault",
    closed: "failed while speaking: provider.truncated",
    aborted: "aborted while speaking: cancelled.by_client",
    retired: "retired",
  },
  speaking: {
    opened: "=",
    "checked-out": "=",
    "text-ended": "finishing 10",
    audio: "speaking 15",
    final: "failed while speaking: provider.truncated",
    failed: "failed while speaking: provider.fault",
    closed: "failed while speaking: provider.truncated",
    aborted: "aborted while speaking: cancelled.by_client",
    retired: "retired",
  },
  "finishing, silent so far": {
    opened: "=",
    "checked-out": "=",
    "text-ended": "=",
    audio: "finishing 5",
    final: "failed while speaking: provider.silent",
    failed: "failed while speaking: provider.fault",
    closed: "failed while speaking: provider.truncated",
    aborted: "aborted while speaking: cancelled.by_client",
    retired: "retired",
  },
  "finishing without speakable text": {
    opened: "=",
    "checked-out": "=",
    "text-ended": "=",
    audio: "finishing 5",
    final: "completed 0",
    failed: "failed while speaking: provider.fault",
    closed: "failed while speaking: provider.truncated",
    aborted: "aborted while speaking: cancelled.by_client",
    retired: "retired",
  },
  finishing: {
    opened: "=",
    "checked-out": "=",
    "text-ended": "=",
    audio: "finishing 15",
    final: "completed 10",
    failed: "failed while speaking: provider.fault",
    closed: "failed while speaking: provider.truncated",
    aborted: "aborted while speaking: cancelled.by_client",
    retired: "retired",
  },
  ended: {
    opened: "=",
    "checked-out": "=",
    "text-ended": "=",
    audio: "=",
    final: "=",
    failed: "=",
    closed: "=",
    aborted: "=",
    retired: "=",
  },
};

describe("a provider socket's next state", () => {
  for (const [name, state] of Object.entries(STATES) as [keyof typeof STATES, SocketState][]) {
    const actual = Object.fromEntries(
      Object.entries(EVENTS).map(([event, it]) => [event, told(state, nextSocketState(state, it))]),
    );
    it(`from ${name} is as the table says for every event`, () => {
      expect(actual).toEqual(TABLE[name]);
    });
  }

  it("remembers whether anything must be heard", () => {
    const event: SocketEvent = { kind: "text-ended", speakable: false };
    expect(nextSocketState(STATES.speaking, event)).toMatchObject({ kind: "finishing", speakable: false });
  });

  it("takes a reason of the close into account where an error message was lost", () => {
    const event: SocketEvent = { kind: "closed", code: 1008, reason: "Invalid API key" };
    expect(nextSocketState(STATES.warm, event)).toMatchObject({
      outcome: { error: { code: "provider.invalid_key" } },
    });
  });
});
