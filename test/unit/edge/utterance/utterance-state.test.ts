import {
  isBeforeItsEnd,
  nextUtteranceState,
  toShownState,
  type UtteranceState,
  type UtteranceStateEvent,
} from "@tts-labs/edge/utterance/utterance-state";
import { expect, test } from "vitest";

type Kind = UtteranceState["kind"];

const KINDS: readonly Kind[] = ["queued", "awaiting-audio", "speaking", "delivering", "held", "released"];
const EVENTS = {
  turn: { kind: "turn" },
  chunk: { kind: "chunk" },
  read: { kind: "read" },
  failed: { kind: "failed" },
  toldAndKept: { kind: "told", isKept: true },
  told: { kind: "told", isKept: false },
  confirmed: { kind: "confirmed" },
  cancelled: { kind: "cancelled" },
  left: { kind: "left" },
} as const satisfies Record<string, UtteranceStateEvent>;

/** The state each event leads to; from every other state it leads nowhere. */
const LEADS: Readonly<Record<keyof typeof EVENTS, Readonly<Partial<Record<Kind, Kind>>>>> = {
  turn: { queued: "awaiting-audio" },
  chunk: { "awaiting-audio": "speaking" },
  read: { queued: "delivering", "awaiting-audio": "delivering", speaking: "delivering" },
  failed: { queued: "delivering", "awaiting-audio": "delivering", speaking: "delivering" },
  toldAndKept: { delivering: "held" },
  told: { delivering: "released" },
  confirmed: { held: "released" },
  cancelled: {
    queued: "released",
    "awaiting-audio": "released",
    speaking: "released",
    delivering: "released",
    held: "released",
  },
  left: {
    queued: "released",
    "awaiting-audio": "released",
    speaking: "released",
    delivering: "released",
    held: "released",
  },
};

for (const name of Object.keys(EVENTS) as (keyof typeof EVENTS)[]) {
  test.each(KINDS)(`${name} after %s leads where the table says, or nowhere`, (kind) => {
    const state: UtteranceState = { kind };
    const next = nextUtteranceState(state, EVENTS[name]);
    const expected = LEADS[name][kind];
    if (expected === undefined) expect(next).toBe(state);
    else expect(next).toEqual({ kind: expected });
  });
}

test("whatever happens, a released utterance stays released", () => {
  const released: UtteranceState = { kind: "released" };
  for (const event of Object.values(EVENTS)) expect(nextUtteranceState(released, event)).toBe(released);
});

test("an utterance whose end is told twice is held or released once", () => {
  const held = nextUtteranceState({ kind: "delivering" }, EVENTS.toldAndKept);
  expect(nextUtteranceState(held, EVENTS.told)).toBe(held);
});

test("audio is read until the end is known", () => {
  expect(KINDS.filter((kind) => isBeforeItsEnd({ kind }))).toEqual(["queued", "awaiting-audio", "speaking"]);
});

test("the live view shows an utterance that has its turn and no audio as queued, and an ended one not at all", () => {
  expect(KINDS.map((kind) => toShownState({ kind }))).toEqual([
    "queued",
    "queued",
    "speaking",
    "delivering",
    undefined,
    undefined,
  ]);
});
