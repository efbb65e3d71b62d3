import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { HeardUtterance } from "../../../scripts/chaos/listener/heard.ts";
import { type Outcome, type Tally, tally } from "../../../scripts/chaos/listener/tally.ts";
import { broken } from "../../../scripts/chaos/promises.ts";

const CLEAN = {
  lost: 0,
  lostTold: 0,
  pauseCut: 0,
  duplicated: 0,
  reordered: 0,
  wrong: 0,
  replaced: 0,
  splices: 0,
  wordsMissing: 0,
  wordsRepeated: 0,
};

beforeEach(() => vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => vi.useRealTimers());

/** One that is asked for now, hears a frame after each pause, and is complete at the last. */
function utterance(pausesMs: readonly number[], splicedAt = -1): HeardUtterance {
  const heard = new HeardUtterance({ text: "Guten Tag.", voice: "simGermanAnna000000A", session: 0 });
  for (const [i, pauseMs] of pausesMs.entries()) {
    vi.advanceTimersByTime(pauseMs);
    const flags = { last: false, deflated: false, splice: i === splicedAt };
    heard.take({ utterance: 1, firstSample: i * 960, seq: i, payload: new Uint8Array(1_920), ...flags });
  }
  heard.finish({ kind: "completed", samples: pausesMs.length * 960 });
  return heard;
}

const record = (
  heard: readonly HeardUtterance[],
  strikesAtMs: readonly number[],
  change: Partial<Outcome["verdict"]> = {},
) => ({
  outcomes: heard.map((it) => ({ heard: it, verdict: { ...CLEAN, ...change } })),
  strikesAtMs,
  sessions: heard.length,
  sessionsNotGoingOn: 0,
  reconnections: 0,
});

it("a recovery counts from the harm, a silence from the last frame", () => {
  const startMs = performance.now();
  const heard = utterance([300, 100, 1_500, 100], 2);
  const figures = tally(record([heard], [startMs + 700]));
  expect(figures).toMatchObject({
    longestSilenceMs: 1_500,
    longestRecoveryMs: 1_200,
    takeovers: 1,
    takeoverP99Ms: 1_200,
  });
});

it("an utterance that harm did not touch is no takeover, one that had not begun may be", () => {
  const startMs = performance.now();
  const untouched = utterance([300, 100, 100]);
  expect(tally(record([untouched], [startMs + 350]))).toMatchObject({ takeovers: 0, longestRecoveryMs: 100 });
  const againMs = performance.now();
  const late = utterance([1_800, 100]);
  expect(tally(record([late], [againMs + 100]))).toMatchObject({ takeovers: 1, takeoverP50Ms: 1_700 });
});

it("an error before the first sample, of what was asked for after harm, is a refusal", () => {
  const failing = (frames: readonly number[], retryable = true) => {
    const heard = new HeardUtterance({ text: "Guten Tag.", voice: "simGermanAnna000000A", session: 0 });
    heard.framesAtMs.push(...frames);
    heard.finish({ kind: "failed", code: "storage.timeout", retryable });
    return heard;
  };
  const [before, after] = [performance.now() - 100, performance.now() + 100];
  expect(tally(record([failing([]), failing([1]), failing([], false)], [before]))).toMatchObject({
    failed: 3,
    refused: 1,
  });
  expect(tally(record([failing([])], [after]))).toMatchObject({ failed: 1, refused: 0 });
});

it("a run keeps its promises only where harm was done and nothing is missing, twice, misplaced or stuck", () => {
  const startMs = performance.now();
  const sound = tally(record([utterance([300, 100])], [startMs + 100]));
  expect(broken(sound, { unspliced: true, takeoverP99Ms: 3_000 })).toEqual([]);
  expect(broken({ ...sound, strikes: 0 }, {})).toHaveLength(1);
  const worse: readonly (keyof Tally)[] = [
    ...(["lost", "duplicated", "reordered", "wrong", "wordsMissing", "wordsRepeated"] as const),
    ...(["sessionsStuck", "sessionsNotGoingOn", "disconnected", "failedForGood", "failed"] as const),
  ];
  for (const key of worse) expect(broken({ ...sound, [key]: 1 }, {}), key).toHaveLength(1);
  expect(broken({ ...sound, failed: 1 }, { mayFailRetryably: true })).toEqual([]);
  expect(broken({ ...sound, failed: 1, refused: 1 }, { mayRefuse: true })).toEqual([]);
  expect(broken({ ...sound, failed: 2, refused: 1 }, { mayRefuse: true })).toHaveLength(1);
  expect(broken({ ...sound, splices: 1 }, { unspliced: true })).toHaveLength(1);
  expect(broken({ ...sound, pauseCut: 1 }, { unspliced: true })).toHaveLength(1);
  expect(broken({ ...sound, pauseCut: 1 }, {})).toEqual([]);
  expect(broken({ ...sound, takeovers: 1, takeoverP99Ms: 3_001 }, { takeoverP99Ms: 3_000 })).toHaveLength(1);
});
