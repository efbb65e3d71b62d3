import { InvalidArgumentError } from "commander";
import { openProgress } from "./chaos/progress.ts";
import { type RunResult, runScenario } from "./chaos/run-scenario.ts";
import type { Scenario } from "./chaos/scenario.ts";
import { SCENARIOS } from "./chaos/scenarios.ts";
import { markdownTable, verdictTable } from "./chaos/verdict-table.ts";
import { newCommand } from "./command-line.ts";

/**
 * `npm run chaos -- [scenario…] [options]`: a real system of many processes, load, and one named harm after the
 * other; what every listener got is held against the voice's own rendering. Tells people on standard error how
 * it goes; with `--json` the last line of standard output is one object. Ends with 1 when a promise was broken.
 */
interface Options {
  readonly utterances: number;
  readonly sessions?: number;
  readonly seed: number;
  readonly json: boolean;
  readonly markdown: boolean;
  readonly unprotected: boolean;
  readonly cache: boolean;
  readonly verbose: boolean;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const wholeNumber = (min: number, max: number) => (text: string) => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}`);
};

const program = newCommand("npm run chaos --")
  .usage("[scenario…] [options]")
  .description("Breaks things under load, and reports what the listeners missed. Default: every scenario.")
  .argument("[scenario...]", "names as --list tells them")
  .option("--list", "name the scenarios, and end")
  .option("--utterances <count>", "spoken in each run, at least", wholeNumber(1, 100_000), 200)
  .option("--sessions <count>", "speaking at once; default: the scenario's own", wholeNumber(1, 5_000))
  .option("--seed <number>", "the same seed, the same texts and dice", wholeNumber(0, 2 ** 31), 1)
  .option("--unprotected", "take away what protects, to see that the run would notice", false)
  .option("--cache", "with the speech cache on: texts said again are hits, or join", false)
  .option("--verbose", "show what the programs log", false)
  .option("--markdown", "end in the table of docs/chaos.md on standard output", false)
  .option("--json", "end in one JSON object on standard output", false)
  .on("option:list", () => {
    const width = Math.max(...SCENARIOS.map(({ name }) => name.length));
    for (const { name, about } of SCENARIOS) process.stdout.write(`${name.padEnd(width)}  ${about}\n`);
    process.exit(0);
  })
  .action(async (names: string[], options: Options) => {
    await runAll(names.length === 0 ? SCENARIOS : names.map(findScenario), options);
  });

function findScenario(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  throw new Error(`there is no scenario "${name}": ${SCENARIOS.map((it) => it.name).join(", ")}`);
}

async function runAll(scenarios: readonly Scenario[], options: Options): Promise<void> {
  const { utterances, sessions, seed, unprotected, cache } = options;
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort(new Error("interrupted"));
  for (const signal of SIGNALS) process.once(signal, interrupt);
  const progress = openProgress();
  const say = (name: string, line: string) => process.stderr.write(`${name} | ${line}\n`);
  const runs: RunResult[] = [];
  try {
    for (const scenario of scenarios) {
      const run = await runScenario(scenario, {
        utterances,
        seed,
        unprotected,
        cache,
        progress,
        signal: interrupted.signal,
        ...(sessions === undefined ? {} : { sessions }),
        ...(options.verbose ? { onLine: say } : {}),
      });
      runs.push(run);
    }
  } finally {
    progress.stop();
    for (const signal of SIGNALS) process.off(signal, interrupt);
    if (runs.length > 0) process.stderr.write(`${verdictTable(runs)}\n`);
  }
  const held = runs.every((run) => run.broken.length === 0);
  if (options.markdown) process.stdout.write(`${markdownTable(runs)}\n`);
  if (options.json) process.stdout.write(`${JSON.stringify({ chaos: { seed, held, runs } })}\n`);
  if (!held) process.exitCode = 1;
}

program.parseAsync(process.argv).catch((error: unknown) => {
  process.stderr.write(`chaos failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
