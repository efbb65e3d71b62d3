import {
  FAR,
  nextSentenceState,
  runsAhead,
  type SentenceEvent,
  type SentenceState,
} from "@tts-labs/edge/speech/sentences/sentence-state";
import { describe, expect, it } from "vitest";

const NEAR: SentenceEvent = { kind: "came-near" };
const NEW: SentenceEvent = { kind: "reading", isNew: true };
const HEARD: SentenceEvent = { kind: "reading", isNew: false };
const OVER: SentenceEvent = { kind: "over" };

const stateAfter = (...events: readonly SentenceEvent[]): SentenceState =>
  events.reduce(nextSentenceState, FAR);

describe("Sentences are begun before they are read", () => {
  it.each([
    ["near its turn, and its client has heard nothing of what is read", [NEAR, NEW], true],
    ["whichever of the two comes first", [NEW, NEAR], true],
    ["near after it has caught up", [NEAR, HEARD, NEW], true],
    ["far from its turn", [NEW], false],
    ["near, while the client may have heard of what is read", [NEAR, HEARD], false],
    ["near, before anything is read", [NEAR], false],
    ["over", [NEAR, NEW, OVER], false],
  ] as const)("where the utterance is %s: %j, %s", (_, events, expected) => {
    expect(runsAhead(stateAfter(...events))).toBe(expected);
  });
});

describe("A state that an event does not change", () => {
  it.each([
    ["near", stateAfter(NEAR, NEW), NEAR],
    ["near and caught up", stateAfter(NEAR, NEW), NEW],
    ["near and behind", stateAfter(NEAR), HEARD],
    ["over, whatever comes", stateAfter(OVER), NEAR],
    ["over, whatever is read", stateAfter(OVER), NEW],
    ["over, said again", stateAfter(OVER), OVER],
  ] as const)("stays the same: %s", (_, state, event) => {
    expect(nextSentenceState(state, event)).toBe(state);
  });
});
