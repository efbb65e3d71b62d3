import { DEFAULT_DEADLINES, nextDue, type WaitFacts } from "@tts-labs/worker/elevenlabs/deadlines";
import { describe, expect, it } from "vitest";

const FACTS: WaitFacts = {
  state: "speaking",
  sinceMs: 0,
  unused: false,
  waiting: { kind: "nothing" },
  readingSinceMs: 0,
  pingedAtMs: 0,
  answered: true,
  lastSentAtMs: 0,
  mayKeepAlive: false,
};
const due = (facts: Partial<WaitFacts>) => nextDue({ ...FACTS, ...facts }, DEFAULT_DEADLINES);

describe("what is due next", () => {
  it.each([
    ["connecting", { state: "connecting", sinceMs: 100 }, { kind: "connect", atMs: 5_100 }],
    ["ended", { state: "ended", sinceMs: 100 }, { kind: "forced-close", atMs: 2_100 }],
    ["let go unused", { state: "ended", unused: true, sinceMs: 100 }, { kind: "forced-close", atMs: 5_100 }],
    ["warm", { state: "warm", pingedAtMs: 100 }, { kind: "ping", atMs: 20_100 }],
    ["pinged", { pingedAtMs: 100, answered: false }, { kind: "pong", atMs: 10_100 }],
    [
      "owed first audio",
      { waiting: { kind: "first-audio", sinceMs: 100 } },
      { kind: "first-audio", atMs: 10_100 },
    ],
    [
      "owed first audio of all the text",
      { waiting: { kind: "first-audio", sinceMs: 100, completeSinceMs: 2_000 } },
      { kind: "silence", atMs: 5_000 },
    ],
    [
      "owed first audio of text that was complete late",
      { waiting: { kind: "first-audio", sinceMs: 100, completeSinceMs: 8_000 } },
      { kind: "first-audio", atMs: 10_100 },
    ],
    [
      "owed first audio, after another socket has failed",
      { waiting: { kind: "first-audio", sinceMs: 100, completeSinceMs: 2_000 }, patient: true },
      { kind: "first-audio", atMs: 10_100 },
    ],
    [
      "owed more audio",
      { waiting: { kind: "more-audio", sinceMs: 100 } },
      { kind: "more-audio", atMs: 10_100 },
    ],
    ["owed the final message", { waiting: { kind: "final", sinceMs: 100 } }, { kind: "final", atMs: 15_100 }],
    ["quiet for long", { mayKeepAlive: true, pingedAtMs: 80_000 }, { kind: "keep-alive", atMs: 90_000 }],
  ] as const)("while %s", (_name, facts, expected) => {
    expect(due(facts)).toEqual(expected);
  });

  it("stands still while we do not read, but for the keep-alive", () => {
    const waiting = { kind: "more-audio", sinceMs: 0 } as const;
    expect(due({ waiting, readingSinceMs: undefined, answered: false })).toBeUndefined();
    expect(due({ waiting, readingSinceMs: undefined, mayKeepAlive: true })?.kind).toBe("keep-alive");
  });

  it("begins anew when we read again", () => {
    const waiting = { kind: "more-audio", sinceMs: 0 } as const;
    expect(due({ waiting, readingSinceMs: 7_000 })).toEqual({ kind: "more-audio", atMs: 17_000 });
    expect(due({ readingSinceMs: 7_000, answered: false })).toEqual({ kind: "pong", atMs: 17_000 });
  });
});
