import type { RunResult } from "./run-scenario.ts";

const COLUMNS: readonly (readonly [heading: string, cell: (run: RunResult) => string | number])[] = [
  [
    "scenario",
    (run) => run.scenario + (run.cache ? " +cache" : "") + (run.unprotected ? " (unprotected)" : ""),
  ],
  ["utterances", (run) => run.tally.utterances],
  ["strikes", (run) => run.tally.strikes],
  ["lost", (run) => run.tally.lost],
  ["told", (run) => run.tally.lostTold],
  ["twice", (run) => run.tally.duplicated],
  ["misplaced", (run) => run.tally.reordered + run.tally.wrong],
  ["words -/+", (run) => `${run.tally.wordsMissing}/${run.tally.wordsRepeated}`],
  ["stuck", (run) => run.tally.sessionsStuck],
  ["refused", (run) => run.tally.refused],
  ["errors", (run) => run.tally.failed - run.tally.refused + run.tally.disconnected],
  ["splices", (run) => run.tally.splices],
  ["silence", (run) => seconds(run.tally.longestSilenceMs)],
  ["recovery", (run) => seconds(run.tally.longestRecoveryMs)],
  ["takeover p50/p99", (run) => takeover(run)],
  ["held", (run) => (run.broken.length === 0 ? "yes" : "NO")],
];

/** What docs/chaos.md shows: the rest is 0 there, or told beside it. */
const DOCUMENTED: ReadonlySet<string> = new Set(
  "scenario,utterances,strikes,splices,silence,recovery,takeover p50/p99,held".split(","),
);

/** For docs/chaos.md. */
export function markdownTable(runs: readonly RunResult[]): string {
  const columns = COLUMNS.filter(([heading]) => DOCUMENTED.has(heading));
  const rows = runs.map((run) => columns.map(([, cell]) => cell(run)));
  return [columns.map(([heading]) => heading), columns.map(() => "---"), ...rows]
    .map((row) => `| ${row.join(" | ")} |`)
    .join("\n");
}

/** For people: one line per run, then what did not hold. */
export function verdictTable(runs: readonly RunResult[]): string {
  const rows = [
    COLUMNS.map(([heading]) => heading),
    ...runs.map((run) => COLUMNS.map(([, cell]) => String(cell(run)))),
  ];
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const lines = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
  );
  const notes = runs.flatMap((run) => {
    const { errors, cache } = run.tally;
    return [
      ...run.broken,
      ...(Object.keys(errors).length > 0 ? [`errors: ${counts(errors)}`] : []),
      ...(run.cache ? [`cache: ${counts(cache)}`] : []),
    ].map((note) => `${run.scenario}: ${note}`);
  });
  return [...lines, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n");
}

const counts = (of: Readonly<Record<string, number>>): string =>
  Object.entries(of)
    .map(([key, count]) => `${count} × ${key}`)
    .join(", ");

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

const takeover = ({ tally }: RunResult): string =>
  tally.takeovers === 0 ? "–" : `${seconds(tally.takeoverP50Ms)} / ${seconds(tally.takeoverP99Ms)}`;
