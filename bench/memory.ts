import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, isCluster, openRedis } from "@tts-labs/core/redis/client";
import { Command, InvalidArgumentError } from "commander";
import type { Redis } from "ioredis";
import { PRIVATE_CACHE_MAX_BYTES } from "../scripts/private-redis.ts";
import { differentText } from "./load/different-texts.ts";
import { SessionSpeaker } from "./load/session-speaker.ts";
import { type BenchSystem, startBenchSystem } from "./load/system.ts";

/**
 * Resident memory of edge, worker and Redis while many sessions speak different texts at once, round after round, with
 * the settings of `npm start` (cache on, 64 MiB for it). Each round opens its sessions, hears one utterance in each,
 * as fast as it comes, and closes them cleanly. A second later the memory is read, and Redis is searched for audio that
 * can't be asked for any more. Resident memory during the rounds is read four times a second.
 *
 * `npm run bench -- memory [--streams 100] [--rounds 20] [--json]`
 */
interface Options {
  readonly streams: number;
  readonly rounds: number;
  readonly json: boolean;
}

/** Bytes of each part. */
export interface Resident {
  readonly edge: number;
  readonly worker: number;
  readonly redis: number;
}

interface Round {
  /** A second after the last session was closed. */
  readonly resident: Resident;
  readonly peak: Resident;
  readonly redisUsedBytes: number;
  /** Keys of streams that are still in Redis then, and what they take. */
  readonly streamKeys: number;
  readonly streamBytes: number;
}

const SPEAK_LIMIT_MS = 60_000;
const PATIENT = {
  PROVIDER_CONNECT_TIMEOUT_MS: String(SPEAK_LIMIT_MS),
  PROVIDER_FIRST_AUDIO_TIMEOUT_MS: String(SPEAK_LIMIT_MS),
  FIRST_AUDIO_BUDGET_MS: String(SPEAK_LIMIT_MS),
  PROVIDER_GAP_TIMEOUT_MS: String(SPEAK_LIMIT_MS),
};
/** What was heard is to be gone by then. */
const SETTLE_MS = 1_000;
const LOOK_EVERY_MS = 250;
/** The first rounds compile code and fill pools. */
const STEADY_FROM_ROUND = 3;

export async function run(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  const say = (line: string) => process.stderr.write(`${line}\n`);
  say("Starting Redis, simulator, worker and edge …");
  const system = await startBenchSystem({
    simulator: { SIMULATOR_CONCURRENCY: "1000" },
    // The speed of this machine is not what is measured: nothing is refused or given up for slowness.
    worker: { BREAKER_FAULTS: "0", ...PATIENT },
    edge: {
      CACHE: "true",
      CACHE_MAX_BYTES: String(PRIVATE_CACHE_MAX_BYTES),
      ADMISSION_MAX_LAG_MS: "0",
      WORKER_PICKUP_TIMEOUT_MS: "60000",
      STORAGE_OPEN_TIMEOUT_MS: "60000",
    },
  });
  const redis = openRedis({ url: system.redisUrl, purpose: "commands", logger: silentLogger });
  try {
    if (isCluster(redis)) throw new TypeError("the bench's Redis is a single one");
    const atRest = await resident(system, redis);
    say(`at rest: ${toLine(atRest)}`);
    const rounds: Round[] = [];
    for (let round = 0; round < options.rounds; round++) {
      const measured = await speakRound(system, redis, options.streams, round);
      rounds.push(measured);
      const { streamKeys, streamBytes, peak } = measured;
      say(
        `round ${round + 1} of ${options.rounds}: ${toLine(measured.resident)}; at most ${toMb(sum(peak))}; Redis uses ${toMb(measured.redisUsedBytes)}, ${streamKeys} keys of streams with ${streamBytes} bytes`,
      );
    }
    const summary = summarize(rounds);
    say(
      `most ${toMb(summary.mostBytes)} (during a round ${toMb(summary.peakBytes)}); from round ${STEADY_FROM_ROUND} on it grew by ${summary.growthPercent} %`,
    );
    if (options.json) {
      process.stdout.write(
        `${JSON.stringify({ bench: "memory", ...options, atRest, ...summary, rounds })}\n`,
      );
    }
    if (rounds.some(({ streamBytes }) => streamBytes > 0)) process.exitCode = 1;
  } finally {
    await closeRedis(redis);
    await system.close();
  }
}

async function speakRound(system: BenchSystem, redis: Redis, streams: number, round: number): Promise<Round> {
  const speakers = await Promise.all(
    Array.from({ length: streams }, () =>
      SessionSpeaker.open(system.edgeUrl, { voice: system.direct.voice }, SPEAK_LIMIT_MS),
    ),
  );
  const spoken = Promise.all(
    speakers.map((speaker, index) => speaker.speak(differentText(round * streams + index))),
  );
  const peak = await highestUntil(spoken, () => resident(system, redis));
  for (const speaker of speakers) speaker.close();
  await sleep(SETTLE_MS);
  const [now, streamKeys, redisUsedBytes] = await Promise.all([
    resident(system, redis),
    keysOfStreams(redis),
    info(redis, "used_memory"),
  ]);
  const sizes = await Promise.all(streamKeys.map((key) => redis.memory("USAGE", key)));
  const streamBytes = sizes.reduce((total: number, size) => total + (size ?? 0), 0);
  return { resident: now, peak, redisUsedBytes, streamKeys: streamKeys.length, streamBytes };
}

/** The highest of each part, looked at until `work` is done. @throws what `work` throws */
async function highestUntil(work: Promise<unknown>, look: () => Promise<Resident>): Promise<Resident> {
  let highest = await look();
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  done.catch(() => undefined);
  while (!isDone) {
    await Promise.race([sleep(LOOK_EVERY_MS), done.catch(() => undefined)]);
    const now = await look();
    highest = {
      edge: Math.max(highest.edge, now.edge),
      worker: Math.max(highest.worker, now.worker),
      redis: Math.max(highest.redis, now.redis),
    };
  }
  await done;
  return highest;
}

async function resident({ edgeOpsUrls, workerUrl }: BenchSystem, redis: Redis): Promise<Resident> {
  const of = async (url: string) => {
    const text = await fetch(`${url}/metrics`).then((answer) => answer.text());
    return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1]);
  };
  const [edge, worker, ofRedis] = await Promise.all([
    of(edgeOpsUrls[0] ?? ""),
    of(workerUrl),
    info(redis, "used_memory_rss"),
  ]);
  return { edge, worker, redis: ofRedis };
}

const info = async (redis: Redis, field: string): Promise<number> =>
  Number(new RegExp(`^${field}:(\\d+)`, "m").exec(await redis.info("memory"))?.[1]);

async function keysOfStreams(redis: Redis): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const keys of redis.scanStream({ match: "*:stream:*", count: 1_000 })) {
    found.push(...(keys as string[]));
  }
  return found;
}

export interface Growth {
  readonly mostBytes: number;
  readonly peakBytes: number;
  /** Of the resting sum, from round 3 on: the highest of the last third against the first third. */
  readonly growthPercent: number;
}

export function summarize(rounds: readonly Pick<Round, "resident" | "peak">[]): Growth {
  const sums = rounds.map(({ resident: it }) => sum(it));
  const steady = sums.slice(Math.min(STEADY_FROM_ROUND - 1, sums.length - 1));
  const third = Math.max(1, Math.floor(steady.length / 3));
  const before = Math.max(...steady.slice(0, third));
  const after = Math.max(...steady.slice(-third));
  return {
    mostBytes: Math.max(...sums),
    peakBytes: Math.max(...rounds.map(({ peak }) => sum(peak))),
    growthPercent: Math.round((1_000 * (after - before)) / before) / 10,
  };
}

const sum = ({ edge, worker, redis }: Resident): number => edge + worker + redis;
const toMb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
const toLine = (it: Resident): string =>
  `edge ${toMb(it.edge)} + worker ${toMb(it.worker)} + Redis ${toMb(it.redis)} = ${toMb(sum(it))}`;

function parseOptions(args: readonly string[]): Options {
  const positive = (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= 1_000) return value;
    throw new InvalidArgumentError("must be a whole number from 1 to 1000");
  };
  const command = new Command("bench memory")
    .description("Resident memory of edge, worker and Redis under many sessions, round after round.")
    .option("--streams <streams>", "sessions that speak at once", positive, 100)
    .option("--rounds <rounds>", "rounds, one after the other", positive, 20)
    .option("--json", "end in one JSON object on standard output", false);
  command.parse([...args], { from: "user" });
  return command.opts<Options>();
}
