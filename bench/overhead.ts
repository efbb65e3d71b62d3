import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { type BenchSystem, startBenchSystem } from "./load/system.ts";
import { overheadTable, type Renderings, report } from "./measure/overhead-report.ts";
import { speak, type Trial, type Ways, waysOf } from "./measure/overhead-trial.ts";
import { round } from "./measure/summary.ts";

/**
 * What the way through edge, Redis and worker adds to the time until the first audio, held against a client
 * that speaks with the provider (here: the simulator) itself.
 *
 * All ways run interleaved in one run on one machine, so that they meet the same load: each session speaks a
 * sentence of about six seconds every six seconds through us, and in some of its rounds (all, where
 * sessions are few) then directly on a warm socket, then directly with connecting. The sessions' starts are
 * spread evenly over the period. The simulator answers after the same delay each time (its spread is switched
 * off), so what differs between the ways is the ways.
 * The clock starts when the text is sent and stops when the first audio arrives, before it is decoded; that
 * favours the direct ways, whose audio is still base64 inside JSON by then.
 */
interface Options {
  readonly concurrency: readonly number[];
  readonly seconds: number;
  readonly json: boolean;
}

/** What differs from the defaults. */
const PROGRAMS = {
  simulator: { SIMULATOR_FIRST_AUDIO_SPREAD_MS: "0", SIMULATOR_UPGRADE_SPREAD_MS: "0" },
  // Room for the arrivals of 200 sessions during one connect (33/s × 180 ms), and for their bunching.
  worker: { POOL_WARM_SOCKETS: "32", WORKER_CONCURRENCY: "1000" },
  edge: {},
} as const;

/** Sessions whose worth of direct speech is measured beside ours: more would load the machine, not tell more. */
const MAX_DIRECT_SESSIONS = 25;
/** How long a session's sentence lasts when it is heard. */
const PERIOD_MS = 6_000;
const SENTENCES = [
  "The train to the coast leaves at seven, and we should be on the platform well before.",
  "Every morning the baker opens his door at five, long before the street is awake.",
  "If you would like to hear that again, just say so and I will repeat it slowly.",
  "A quiet river runs behind the old mill, where children fish in the long summer evenings.",
];

export async function run(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  const say = (line: string) => process.stderr.write(`${line}\n`);
  say("Starting Redis, simulator, worker and edge …");
  const system = await startBenchSystem(PROGRAMS);
  try {
    const renderings = await warmUp(system);
    const levels = [];
    for (const concurrency of options.concurrency) {
      const lag = monitorEventLoopDelay({ resolution: 1 });
      lag.enable();
      const trials = await measure(system, concurrency, options.seconds * 1_000, progressOf(concurrency));
      lag.disable();
      if (process.stderr.isTTY) say("");
      levels.push(report(concurrency, trials, renderings, toOwnLag(lag)));
    }
    say(overheadTable(levels));
    if (options.json) process.stdout.write(`${JSON.stringify({ bench: "overhead", levels })}\n`);
    if (levels.some((level) => !level.bytesIdentical || level.failed > 0)) process.exitCode = 1;
  } finally {
    await system.close();
  }
}

function parseOptions(args: readonly string[]): Options {
  const positive = (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1 || value > 2_000) {
      throw new InvalidArgumentError("must be a whole number from 1 to 2000");
    }
    return value;
  };
  const command = new Command("bench overhead")
    .description("First audio straight at the provider against through edge, Redis and worker.")
    .option("--concurrency <sessions>", "sessions at once; 1 is always measured as well", positive, 50)
    .option("--seconds <seconds>", "how long each of the two levels is measured", positive, 20)
    .option("--json", "end in one JSON object on standard output", false);
  command.parse([...args], { from: "user" });
  const { concurrency, seconds, json } = command.opts<{
    concurrency: number;
    seconds: number;
    json: boolean;
  }>();
  return { concurrency: [...new Set([1, concurrency])], seconds, json };
}

/** The histogram holds nanoseconds, and its own resolution of a millisecond is in every one of them. */
const toOwnLag = (lag: IntervalHistogram) => ({
  p50: round(Math.max(0, lag.percentile(50) / 1e6 - 1)),
  p99: round(Math.max(0, lag.percentile(99) / 1e6 - 1)),
});

/** Rewrites one line where people watch; says nothing into a file. */
const progressOf = (concurrency: number) => (done: number, failed: number) => {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r${concurrency} at once: ${done} rounds${failed > 0 ? `, ${failed} failed` : ""}`);
};

/**
 * Code compiled, speech rendered, the pool warm: what comes first is not what we measure.
 * @throws Error when a sentence could not be heard in all ways
 */
async function warmUp(system: BenchSystem): Promise<Renderings> {
  const renderings = new Map<string, string>();
  const speakTwice = async (sentence: string) => {
    const ways = await waysOf(system);
    try {
      for (let turn = 0; turn < 2; turn++) {
        const trial = await speak(ways, { sentence, alsoDirect: true, spacingMs: 0 });
        if (trial.kind === "failed") throw new Error(trial.reason);
        if (trial.direct !== undefined) renderings.set(sentence, trial.direct.warm.digest);
      }
    } finally {
      ways.close();
    }
  };
  await Promise.all([...SENTENCES, ...SENTENCES, ...SENTENCES].map(speakTwice));
  return renderings;
}

async function measure(
  system: BenchSystem,
  concurrency: number,
  durationMs: number,
  progress: (done: number, failed: number) => void,
): Promise<readonly Trial[]> {
  const trials: Trial[] = [];
  let failed = 0;
  // All of them before the first speaks: how long 200 handshakes at once take is another question.
  const opened = await Promise.all(Array.from({ length: concurrency }, () => waysOf(system)));
  const beginsAtMs = performance.now();
  const endsAtMs = beginsAtMs + durationMs;
  /** A single session need not wait for anyone: it starts its next sentence when the last is over. */
  const periodMs = concurrency === 1 ? 0 : PERIOD_MS;
  const directEvery = Math.max(1, Math.round(concurrency / MAX_DIRECT_SESSIONS));
  const session = async (first: Ways, index: number) => {
    let ways = first;
    try {
      let startsAtMs = beginsAtMs + (periodMs * index) / concurrency;
      for (let turn = 0; startsAtMs < endsAtMs; turn++) {
        await sleep(Math.max(0, startsAtMs - performance.now()));
        const sentence = SENTENCES[(index + turn) % SENTENCES.length] ?? "";
        const alsoDirect = (index + turn) % directEvery === 0;
        const trial = await speak(ways, { sentence, alsoDirect, spacingMs: periodMs / 3 });
        trials.push(trial);
        if (trial.kind === "failed") {
          failed += 1;
          // What is left of the failed sentence must not be heard in the next.
          ways.close();
          ways = await waysOf(system);
        }
        progress(trials.length, failed);
        startsAtMs = Math.max(startsAtMs + periodMs, performance.now());
      }
    } finally {
      ways.close();
    }
  };
  await Promise.all(opened.map(session));
  return trials;
}
