import type { Redis } from "ioredis";
import { metric } from "../../testkit/ground/metrics.ts";
import { round } from "./summary.ts";

/** What the parts of a system have spent since they began. */
export interface Counters {
  /** Seconds of CPU. */
  readonly edge: number;
  readonly worker: number;
  readonly redis: number;
  /** Calls by command, those inside scripts included. */
  readonly commands: ReadonlyMap<string, number>;
}

export interface Cost {
  readonly utterances: number;
  readonly audioSeconds: number;
  /** Milliseconds of CPU per second of audio. */
  readonly cpuPerAudioSecond: { readonly edge: number; readonly worker: number; readonly redis: number };
  readonly cpuPerUtterance: number;
  readonly commandsPerUtterance: number;
  /** The most frequent first; calls per utterance. */
  readonly byCommand: Readonly<Record<string, number>>;
}

export async function countersOf(
  urls: { readonly edges: readonly string[]; readonly worker: string },
  redis: Redis,
): Promise<Counters> {
  const cpu = (url: string) => metric(url, "process_cpu_seconds_total");
  const [edges, worker, info, stats] = await Promise.all([
    Promise.all(urls.edges.map(cpu)),
    cpu(urls.worker),
    redis.info("cpu"),
    redis.info("commandstats"),
  ]);
  const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1] ?? 0);
  const commands = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(
    ([, name = "", calls]) => [name, Number(calls)] as const,
  );
  return {
    edge: edges.reduce((sum, it) => sum + it, 0),
    worker,
    redis: seconds("used_cpu_sys") + seconds("used_cpu_user"),
    commands: new Map(commands),
  };
}

/** @throws RangeError where nothing was spoken: a cost without speech is no result */
export function costBetween(
  before: Counters,
  after: Counters,
  spoken: { readonly utterances: number; readonly audioSeconds: number },
): Cost {
  const { utterances, audioSeconds } = spoken;
  if (utterances === 0 || audioSeconds === 0) throw new RangeError("nothing was spoken");
  const perSecond = (part: "edge" | "worker" | "redis") =>
    round(((after[part] - before[part]) * 1_000) / audioSeconds);
  const total = after.edge + after.worker + after.redis - before.edge - before.worker - before.redis;
  const calls = [...after.commands]
    .map(([name, count]) => [name, (count - (before.commands.get(name) ?? 0)) / utterances] as const)
    .filter(([name, each]) => each > 0.05 && name !== "info")
    .sort(([, a], [, b]) => b - a);
  return {
    utterances,
    audioSeconds: round(audioSeconds),
    cpuPerAudioSecond: { edge: perSecond("edge"), worker: perSecond("worker"), redis: perSecond("redis") },
    cpuPerUtterance: round((total * 1_000) / utterances),
    commandsPerUtterance: round(calls.reduce((sum, [, each]) => sum + each, 0)),
    byCommand: Object.fromEntries(calls.map(([name, each]) => [name, round(each)])),
  };
}

/** For people. */
export function costTable(cost: Cost): string {
  const { edge, worker, redis } = cost.cpuPerAudioSecond;
  const commands = Object.entries(cost.byCommand).map(([name, each]) => `${name} ${each}`);
  return [
    `${cost.utterances} utterances, ${cost.audioSeconds} s of audio`,
    `  CPU per audio second: edge ${edge} + worker ${worker} + Redis ${redis} = ${round(edge + worker + redis)} ms`,
    `  CPU per utterance: ${cost.cpuPerUtterance} ms`,
    `  Redis commands per utterance: ${cost.commandsPerUtterance}`,
    `    ${commands.join(", ")}`,
  ].join("\n");
}
