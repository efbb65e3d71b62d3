import type { HeardUtterance } from "./heard.ts";
import type { Verdict } from "./judge.ts";

export interface Outcome {
  readonly heard: HeardUtterance;
  readonly verdict: Verdict;
}

/** A run in figures: samples, words, utterances and sessions are counted, times are in whole ms. */
export interface Tally {
  readonly utterances: number;
  readonly completed: number;
  /** The cache's part in those completed. */
  readonly cache: Readonly<Record<string, number>>;
  /** Utterances that ended by an error the server told. */
  readonly failed: number;
  readonly failedForGood: number;
  /**
   * Failed ones that were asked for after harm had been done, and ended by a retryable error before their first sample.
   */
  readonly refused: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly disconnected: number;
  readonly samples: number;
  readonly lost: number;
  /** But for those of refused utterances. */
  readonly lostTold: number;
  /** Samples behind a last letter that did not come; see the judge. */
  readonly pauseCut: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly wrong: number;
  readonly splices: number;
  /** Samples that came and were replaced at splices: the word being spoken. */
  readonly replaced: number;
  readonly wordsMissing: number;
  readonly wordsRepeated: number;
  readonly sessions: number;
  readonly sessionsStuck: number;
  readonly sessionsNotGoingOn: number;
  readonly reconnections: number;
  /** Times harm was done. */
  readonly strikes: number;
  /** Longest time without a frame in an unfinished utterance, its beginning included. */
  readonly longestSilenceMs: number;
  /** Longest time from harm to the next frame of an utterance that was under way. */
  readonly longestRecoveryMs: number;
  /** Utterances that were spliced, or silent for longer than a healthy one is, after harm. */
  readonly takeovers: number;
  readonly takeoverP50Ms: number;
  readonly takeoverP99Ms: number;
}

export interface RunRecord {
  readonly outcomes: readonly Outcome[];
  readonly strikesAtMs: readonly number[];
  readonly sessions: number;
  readonly sessionsNotGoingOn: number;
  readonly reconnections: number;
}

/** Connect, first audio and the pauses between chunks of a healthy run stay below it. */
const HEALTHY_SILENCE_MS = 800;

export function tally(record: RunRecord): Tally {
  const { outcomes, strikesAtMs, sessions, sessionsNotGoingOn, reconnections } = record;
  const sum = (of: (verdict: Verdict) => number) =>
    outcomes.reduce((all, { verdict }) => all + of(verdict), 0);
  const ends = (holds: (outcome: Outcome) => boolean) => outcomes.filter(holds).length;
  const recoveries = outcomes.flatMap(({ heard }) => recoveriesOf(heard, strikesAtMs));
  const takeovers = recoveries.filter((it) => it.spliced || it.ms > HEALTHY_SILENCE_MS).map((it) => it.ms);
  return {
    utterances: outcomes.length,
    completed: ends(({ heard }) => heard.end?.kind === "completed"),
    cache: countBy(outcomes, ({ end }) => (end?.kind === "completed" ? end.cache : undefined)),
    failed: ends(({ heard }) => heard.end?.kind === "failed"),
    failedForGood: ends(({ heard }) => heard.end?.kind === "failed" && !heard.end.retryable),
    refused: ends(({ heard }) => isRefusal(heard, strikesAtMs)),
    errors: countBy(outcomes, toErrorCode),
    disconnected: ends(({ heard }) => heard.end?.kind === "disconnected"),
    samples: outcomes.reduce((all, { heard }) => all + heard.nextSample, 0),
    lost: sum((it) => it.lost),
    lostTold: outcomes
      .filter(({ heard }) => !isRefusal(heard, strikesAtMs))
      .reduce((all, { verdict }) => all + verdict.lostTold, 0),
    pauseCut: sum((it) => it.pauseCut),
    duplicated: sum((it) => it.duplicated),
    reordered: sum((it) => it.reordered),
    wrong: sum((it) => it.wrong),
    splices: sum((it) => it.splices),
    replaced: sum((it) => it.replaced),
    wordsMissing: sum((it) => it.wordsMissing),
    wordsRepeated: sum((it) => it.wordsRepeated),
    sessions,
    sessionsStuck: ends(({ heard }) => heard.end?.kind === "stuck"),
    sessionsNotGoingOn,
    reconnections,
    strikes: strikesAtMs.length,
    longestSilenceMs: Math.round(
      most(outcomes.flatMap(({ heard }) => gapsOf(heard).map((gap) => gap.to - gap.from))),
    ),
    longestRecoveryMs: Math.round(most(recoveries.map((it) => it.ms))),
    takeovers: takeovers.length,
    takeoverP50Ms: percentile(takeovers, 0.5),
    takeoverP99Ms: percentile(takeovers, 0.99),
  };
}

interface Gap {
  readonly from: number;
  readonly to: number;
}

/** The times without a frame, from being asked for to the last frame, or to the end where there was none. */
function gapsOf(heard: HeardUtterance): Gap[] {
  const at =
    heard.framesAtMs.length > 0 && heard.end?.kind === "completed"
      ? heard.framesAtMs
      : [...heard.framesAtMs, heard.endedAtMs];
  return at.map((to, i) => ({ from: i === 0 ? heard.askedAtMs : (at[i - 1] ?? to), to }));
}

/** For each harm done while it was under way: from there to the end of the longest silence before the next harm. */
function recoveriesOf(
  heard: HeardUtterance,
  strikesAtMs: readonly number[],
): { ms: number; spliced: boolean }[] {
  const gaps = gapsOf(heard);
  return strikesAtMs.flatMap((strike, i) => {
    const next = strikesAtMs[i + 1] ?? Number.POSITIVE_INFINITY;
    const after = gaps.filter(({ from, to }) => to > strike && from < next);
    if (after.length === 0 || strike < heard.askedAtMs) return [];
    const spliced = heard.splicesAtMs.some(
      (at) => at > strike && gaps.some((gap) => gap.to === at && gap.from < next),
    );
    return [{ ms: most(after.map(({ from, to }) => to - Math.max(from, strike))), spliced }];
  });
}

const isRefusal = ({ end, framesAtMs, askedAtMs }: HeardUtterance, strikesAtMs: readonly number[]): boolean =>
  end?.kind === "failed" &&
  end.retryable &&
  framesAtMs.length === 0 &&
  strikesAtMs.some((strike) => strike < askedAtMs);

function countBy(
  outcomes: readonly Outcome[],
  keyOf: (heard: HeardUtterance) => string | undefined,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { heard } of outcomes) {
    const key = keyOf(heard);
    if (key !== undefined) counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

function toErrorCode({ end }: HeardUtterance): string | undefined {
  if (end?.kind === "failed") return end.code;
  return end?.kind === "disconnected" ? `closed ${end.closeCode}` : undefined;
}

const most = (values: readonly number[]): number => values.reduce((max, value) => Math.max(max, value), 0);

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0);
}
