import type { Trial } from "./overhead-trial.ts";
import { round, type Summary, summarize } from "./summary.ts";

export interface OverheadLevel {
  readonly concurrency: number;
  readonly rounds: number;
  readonly failed: number;
  /** Reasons of failed rounds and how often each was met. */
  readonly failures: Readonly<Record<string, number>>;
  /** Every utterance through us has the samples of the same sentence spoken directly. */
  readonly bytesIdentical: boolean;
  /** Milliseconds to the first audio. */
  readonly directWarm: Summary;
  readonly directCold: Summary;
  readonly ours: Summary;
  /** Percentile of ours less the same percentile of directWarm. */
  readonly addedMs: { readonly p50: number; readonly p99: number };
  /** Ours less directWarm within each round that had both: the tail holds the noise of both. */
  readonly addedPerRoundMs: Summary;
  readonly savedAgainstColdMs: { readonly p50: number };
  /** What the gateway says of its parts, in the median. */
  readonly partsMs: Readonly<Record<string, number>>;
  /** How late the bench's own event loop was: where this is large, every figure is blurred by it. */
  readonly ownLagMs: OwnLag;
}

export interface OwnLag {
  readonly p50: number;
  readonly p99: number;
}

/** What each sentence sounds like when it is spoken directly: its samples' digest. */
export type Renderings = ReadonlyMap<string, string>;

type Heard = Extract<Trial, { kind: "heard" }>;

/** @throws Error when every round failed, naming why */
export function report(
  concurrency: number,
  trials: readonly Trial[],
  renderings: Renderings,
  ownLagMs: OwnLag,
): OverheadLevel {
  const heard = trials.filter((trial) => trial.kind === "heard");
  const failures: Record<string, number> = {};
  for (const trial of trials) {
    if (trial.kind === "failed") failures[trial.reason] = (failures[trial.reason] ?? 0) + 1;
  }
  const both = heard.flatMap(({ ours, direct }) => (direct === undefined ? [] : [{ ours, ...direct }]));
  if (both.length === 0) throw new Error(`no round was heard in all ways: ${JSON.stringify(failures)}`);
  const directWarm = summarize(both.map(({ warm }) => warm.firstAudioMs));
  const directCold = summarize(both.map(({ cold }) => cold.firstAudioMs));
  const ours = summarize(heard.map((it) => it.ours.firstAudioMs));
  return {
    concurrency,
    rounds: trials.length,
    failed: trials.length - heard.length,
    failures,
    bytesIdentical: areIdentical(heard, renderings),
    directWarm,
    directCold,
    ours,
    addedMs: { p50: round(ours.p50 - directWarm.p50), p99: round(ours.p99 - directWarm.p99) },
    addedPerRoundMs: summarize(both.map((it) => it.ours.firstAudioMs - it.warm.firstAudioMs)),
    savedAgainstColdMs: { p50: round(directCold.p50 - ours.p50) },
    partsMs: medianParts(heard.map((it) => it.ours.partsMs)),
    ownLagMs,
  };
}

function areIdentical(heard: readonly Heard[], renderings: Renderings): boolean {
  return heard.every(({ sentence, ours, direct }) =>
    [ours, ...(direct === undefined ? [] : [direct.warm, direct.cold])].every(
      ({ digest }) => digest === renderings.get(sentence),
    ),
  );
}

function medianParts(parts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = new Set(parts.flatMap((it) => Object.keys(it)));
  return Object.fromEntries(
    [...names].map((name) => [name, summarize(parts.flatMap((it) => it[name] ?? [])).p50]),
  );
}

/** For people: one block per level. */
export function overheadTable(levels: readonly OverheadLevel[]): string {
  return levels.map(levelTable).join("\n\n");
}

function levelTable(level: OverheadLevel): string {
  const cell = (value: number) => value.toFixed(1).padStart(9);
  const line = (name: string, { p50, p90, p99 }: Summary) =>
    `  ${name.padEnd(34)}${cell(p50)}${cell(p90)}${cell(p99)}`;
  const sessions = level.concurrency === 1 ? "1 session" : `${level.concurrency} sessions at once`;
  return [
    `${sessions}, ${level.rounds} rounds${level.failed > 0 ? `, ${level.failed} FAILED` : ""}`,
    `  ${"ms to the first audio".padEnd(34)}${["p50", "p90", "p99"].map((it) => it.padStart(9)).join("")}`,
    line("straight at the provider, warm", level.directWarm),
    line("straight at the provider, cold", level.directCold),
    line("through tts-labs", level.ours),
    line("added, round by round", level.addedPerRoundMs),
    `  added: p50 ${level.addedMs.p50} ms, p99 ${level.addedMs.p99} ms; saved against cold: p50 ${level.savedAgainstColdMs.p50} ms`,
    `  parts, median: ${Object.entries(level.partsMs)
      .map(([name, ms]) => `${name} ${ms}`)
      .join(", ")} ms`,
    `  bytes identical: ${level.bytesIdentical ? "yes" : "NO"}; own event loop late by p50 ${level.ownLagMs.p50} ms, p99 ${level.ownLagMs.p99} ms`,
    ...Object.entries(level.failures).map(([reason, times]) => `  failed ${times} times: ${reason}`),
  ].join("\n");
}
