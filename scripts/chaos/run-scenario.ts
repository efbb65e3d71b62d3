import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../testkit/ground/random.ts";
import { type Fleet, type ProgramEnvironments, SIMULATOR_KEY, startFleet } from "../supervisor/fleet.ts";
import { type Balancer, openBalancer } from "./fleet/balancer.ts";
import { type ChaosRedis, startChaosRedis } from "./fleet/chaos-redis.ts";
import { judge } from "./listener/judge.ts";
import { type LoadResult, runLoad } from "./listener/load.ts";
import { type Outcome, type Tally, tally } from "./listener/tally.ts";
import { pickText, SPOKEN_SENTENCES } from "./listener/texts.ts";
import { Truths } from "./listener/truth.ts";
import { noProgress, type Progress } from "./progress.ts";
import { broken } from "./promises.ts";
import type { LoadPlan, Scenario, Stage, SystemPlan } from "./scenario.ts";

export interface RunOptions {
  readonly utterances: number;
  /** Default: the scenario's. */
  readonly sessions?: number;
  readonly seed: number;
  /** The protection is taken away: a promise must break. */
  readonly unprotected?: boolean;
  /** Speech is cached: what is said again comes from Redis, or from who is just saying it. */
  readonly cache?: boolean;
  readonly progress?: Progress;
  /** What the programs log, for those who look for a cause. */
  readonly onLine?: (name: string, line: string) => void;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly scenario: string;
  readonly unprotected: boolean;
  readonly cache: boolean;
  readonly balancer: "haproxy" | "own";
  readonly seconds: number;
  readonly tally: Tally;
  /** One sentence per promise not kept. */
  readonly broken: readonly string[];
}

/** Harm, load and their end together; a run that needs longer is given up. */
const RUN_LIMIT_MS = 240_000;

/**
 * Starts a system of its own, lets sessions speak while harm is done, ends everything, and holds what was heard
 * against the voice's own rendering.
 */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<RunResult> {
  const { progress = noProgress, unprotected = false, cache = false } = options;
  const system: SystemPlan = { ...scenario.system, ...(unprotected ? scenario.unprotected.system : {}) };
  const planned: LoadPlan = { ...scenario.load, ...(unprotected ? scenario.unprotected.load : {}) };
  const sessions = Math.min(
    options.sessions ?? planned.sessions,
    planned.maxSessions ?? Number.POSITIVE_INFINITY,
  );
  const load: LoadPlan = { ...planned, sessions };
  progress.phase(`${scenario.name}: starting`);
  const startedAtMs = performance.now();
  const signals = [AbortSignal.timeout(RUN_LIMIT_MS), ...(options.signal ? [options.signal] : [])];
  const stand = await openStand({ ...system, env: withDefaults(system.env, cache) }, options.onLine);
  let run: { readonly result: LoadResult; readonly strikesAtMs: readonly number[] };
  try {
    run = await play(scenario, stand, load, { ...options, progress, signal: AbortSignal.any(signals) });
  } finally {
    progress.phase(`${scenario.name}: ending`);
    await stand.close();
  }
  options.signal?.throwIfAborted();
  progress.phase(`${scenario.name}: listening to what was heard`);
  const outcomes = await judgeAll(run.result);
  const figures = tally({ ...run.result, outcomes, strikesAtMs: run.strikesAtMs, sessions });
  progress.stop();
  return {
    scenario: scenario.name,
    unprotected,
    cache,
    balancer: stand.balancer.kind,
    seconds: Math.round((performance.now() - startedAtMs) / 100) / 10,
    tally: figures,
    broken: broken(figures, scenario.promises),
  };
}

interface Stand {
  readonly redis: ChaosRedis;
  readonly fleet: Fleet;
  readonly balancer: Balancer;
  close(): Promise<void>;
}

async function openStand(plan: SystemPlan, onLine: RunOptions["onLine"]): Promise<Stand> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
  };
  try {
    const redis = await startChaosRedis(plan.redis);
    closers.push(() => redis.close());
    const { edges, workers, env, files } = plan;
    const fleet = await startFleet({
      redisUrl: redis.url,
      edges,
      workers,
      env,
      ...(files === undefined ? {} : { files }),
      ...(onLine === undefined ? {} : { onLine }),
    });
    closers.push(async () => {
      // Nothing is measured any more: no need to wait until all have drained.
      await Promise.all([...fleet.edges, ...fleet.workers].map((member) => member.kill()));
      await fleet.close();
    });
    const balancer = await openBalancer(fleet.edges);
    closers.push(() => balancer.close());
    await warmVoices(fleet.simulator.url);
    return { redis, fleet, balancer, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Has every sentence rendered once. A provider that must first learn its texts, under a crowd that starts at
 * once, is slow enough to be taken for a faulty one: that would be our harm, not the scenario's.
 */
async function warmVoices(simulatorUrl: string): Promise<void> {
  await Promise.all(
    SPOKEN_SENTENCES.map(async ({ text, voice }) => {
      const answer = await fetch(
        `${simulatorUrl}/v1/text-to-speech/${voice}/stream?output_format=pcm_24000`,
        {
          method: "POST",
          headers: { "content-type": "application/json", "xi-api-key": SIMULATOR_KEY },
          body: JSON.stringify({ text, model_id: "eleven_flash_v2_5" }),
          signal: AbortSignal.timeout(30_000),
        },
      );
      if (!answer.ok) throw new Error(`the simulator does not speak: ${answer.status}`);
      await answer.body?.cancel();
    }),
  );
}

/** Speech is generated slowly enough to be hit in its middle, and each time anew unless the cache is asked for. */
const withDefaults = (env: ProgramEnvironments, cache: boolean): ProgramEnvironments => ({
  simulator: { SIMULATOR_GENERATION_SPEED: "4", ...env.simulator },
  worker: { ...env.worker },
  // The judge knows what whole sentences sound like; where a first clause is cut depends on the moment.
  edge: { CACHE: String(cache), TTS_NATURAL: "true", ...env.edge },
});

async function play(
  scenario: Scenario,
  { redis, fleet, balancer: { door } }: Stand,
  load: LoadPlan,
  options: RunOptions & { readonly progress: Progress; readonly signal: AbortSignal },
): Promise<{ result: LoadResult; strikesAtMs: readonly number[] }> {
  const { progress, utterances, seed } = options;
  const strikesAtMs: number[] = [];
  const random = new Random(seed);
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const waiting = new Set<() => void>();
  let ended = 0;
  let isCalm = false;
  const stage: Stage = {
    fleet,
    redis,
    door,
    random,
    signal,
    get enough() {
      return ended >= utterances || signal.aborted;
    },
    ended: async (count) => {
      while (ended < count && !stage.enough) {
        await new Promise<void>((resolve) => {
          waiting.add(resolve);
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    },
    pause: async (ms) => {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs && !stage.enough) await sleep(Math.min(100, ms));
    },
    struck: (what) => {
      strikesAtMs.push(performance.now());
      progress.struck(what);
    },
  };
  progress.begin(scenario.name, utterances);
  const { harm: doHarm, before } = options.unprotected ? { ...scenario, ...onlyHarm(scenario) } : scenario;
  const harm = doHarm(stage).finally(() => {
    isCalm = true;
  });
  const speaking = runLoad({
    ...load,
    url: door.url,
    utterances,
    signal: options.signal,
    random: new Random(seed + 2),
    text: (session, turn) => scenario.text?.(session, turn) ?? pickText(textDice(seed, session, turn)),
    before: async (session, turn, spoken) => before?.(stage, session, turn, spoken),
    onEnded: () => {
      ended += 1;
      progress.ended(ended);
      for (const wake of waiting) wake();
      waiting.clear();
    },
    isCalm: () => isCalm,
  });
  try {
    // Should the harm fail, the load need not go on.
    const [result] = await Promise.all([speaking, harm]);
    return { result, strikesAtMs };
  } finally {
    over.abort();
    await Promise.allSettled([harm]);
  }
}

const onlyHarm = ({ unprotected: { harm, before } }: Scenario) => ({
  ...(harm === undefined ? {} : { harm }),
  ...(before === undefined ? {} : { before }),
});

/** What is said depends on the seed alone, not on who happens to be first. */
const textDice = (seed: number, session: number, turn: number): Random =>
  new Random(seed * 1_000_003 + session * 1_009 + turn);

async function judgeAll({ heard }: LoadResult): Promise<Outcome[]> {
  const truths = new Truths();
  const outcomes: Outcome[] = [];
  for (const utterance of heard) {
    outcomes.push({ heard: utterance, verdict: await judge(utterance, truths) });
  }
  return outcomes;
}
