import { expect, test } from "vitest";
import type { HeardUtterance } from "../../../bench/load/speech.ts";
import { report } from "../../../bench/measure/overhead-report.ts";
import type { Trial } from "../../../bench/measure/overhead-trial.ts";
import { summarize } from "../../../bench/measure/summary.ts";

const NO_LAG = { p50: 0, p99: 0 };
const RENDERINGS = new Map([["Hello.", "abc"]]);

const heard = (firstAudioMs: number, digest = "abc"): HeardUtterance => ({
  firstAudioMs,
  digest,
  bytes: 2,
  partsMs: { queue: firstAudioMs / 100 },
});
const trial = (ours: HeardUtterance, warmMs?: number): Trial => ({
  kind: "heard",
  sentence: "Hello.",
  ours,
  direct: warmMs === undefined ? undefined : { warm: heard(warmMs), cold: heard(warmMs + 180) },
});

test("percentiles are measured values, and nothing measured is no result", () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  expect(summarize(values)).toEqual({ count: 200, p50: 100, p90: 180, p99: 198, max: 200 });
  expect(summarize([7])).toEqual({ count: 1, p50: 7, p90: 7, p99: 7, max: 7 });
  expect(() => summarize([])).toThrow(RangeError);
});

test("what is added is told against the warm way, what is saved against the cold one", () => {
  const level = report(
    2,
    [trial(heard(243), 240), trial(heard(245), 240), trial(heard(244))],
    RENDERINGS,
    NO_LAG,
  );
  expect(level).toMatchObject({
    rounds: 3,
    failed: 0,
    addedMs: { p50: 4, p99: 5 },
    addedPerRoundMs: { count: 2, p50: 3, p99: 5 },
    savedAgainstColdMs: { p50: 176 },
    bytesIdentical: true,
    partsMs: { queue: 2.44 },
  });
});

test("one utterance with other samples is enough for bytes not to be identical", () => {
  const trials = [trial(heard(243), 240), trial(heard(243, "abd"))];
  expect(report(2, trials, RENDERINGS, NO_LAG).bytesIdentical).toBe(false);
});

test("failed rounds are counted by reason; when none was heard there is no report", () => {
  const failed: Trial = { kind: "failed", reason: "provider.silent" };
  const level = report(1, [failed, trial(heard(243), 240), failed], RENDERINGS, NO_LAG);
  expect(level).toMatchObject({ rounds: 3, failed: 2, failures: { "provider.silent": 2 } });
  expect(() => report(1, [failed], RENDERINGS, NO_LAG)).toThrow(/provider\.silent/);
});
