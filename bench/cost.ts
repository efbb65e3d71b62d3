import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, isCluster, openRedis } from "@tts-labs/core/redis/client";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { Command, InvalidArgumentError } from "commander";
import { differentText } from "./load/different-texts.ts";
import { SessionSpeaker } from "./load/session-speaker.ts";
import { startBenchSystem } from "./load/system.ts";
import { costBetween, costTable, countersOf } from "./measure/cost-counters.ts";

/**
 * What speech costs: CPU of edge, worker and Redis per second of audio and per utterance, and the commands that Redis is
 * given. Each session speaks a text of its own every six seconds, in burst delivery; their starts are spread evenly.
 * Figures are differences between two moments, once everything is warm.
 *
 * `npm run bench -- cost [--sessions 100] [--seconds 12] [--json]`
 */
interface Options {
  readonly sessions: number;
  readonly seconds: number;
  readonly json: boolean;
}

const PERIOD_MS = 6_000;
const WARM_UP_MS = 8_000;
const LIMIT_MS = 60_000;
/** Each speaks its own texts, and none of them twice. */
const TEXTS_PER_SESSION = 30;

interface Spoken {
  utterances: number;
  bytes: number;
}

export async function run(args: readonly string[]): Promise<void> {
  const { sessions, seconds, json } = parseOptions(args);
  const say = (line: string) => process.stderr.write(`${line}\n`);
  say("Starting Redis, simulator, worker and edge …");
  const system = await startBenchSystem({
    simulator: { SIMULATOR_CONCURRENCY: "2000" },
    worker: { POOL_WARM_SOCKETS: "32", WORKER_CONCURRENCY: "1000" },
    edge: {},
  });
  const redis = openRedis({ url: system.redisUrl, purpose: "commands", logger: silentLogger });
  try {
    if (isCluster(redis)) throw new TypeError("the bench's Redis is a single one");
    const urls = { edges: system.edgeOpsUrls, worker: system.workerUrl };
    const spoken: Spoken = { utterances: 0, bytes: 0 };
    const stop = new AbortController();
    const speaking = Array.from({ length: sessions }, (_, index) =>
      speakOn(system.edgeUrl, system.direct.voice, index, sessions, spoken, stop.signal),
    );
    const work = Promise.all(speaking);
    work.catch(() => undefined);
    say(`${sessions} sessions warm up …`);
    await Promise.race([sleep(WARM_UP_MS), work]);
    const [before, atFirst] = [await countersOf(urls, redis), { ...spoken }];
    say(`measuring for ${seconds} s …`);
    await Promise.race([sleep(seconds * 1_000), work]);
    const after = await countersOf(urls, redis);
    const cost = costBetween(before, after, {
      utterances: spoken.utterances - atFirst.utterances,
      audioSeconds: (spoken.bytes - atFirst.bytes) / BYTES_PER_SAMPLE / system.direct.sampleRateHz,
    });
    stop.abort();
    await work;
    say(costTable(cost));
    if (json) process.stdout.write(`${JSON.stringify({ bench: "cost", sessions, seconds, ...cost })}\n`);
  } finally {
    await closeRedis(redis);
    await system.close();
  }
}

async function speakOn(
  edgeUrl: string,
  voice: string,
  index: number,
  sessions: number,
  spoken: Spoken,
  signal: AbortSignal,
): Promise<void> {
  const speaker = await SessionSpeaker.open(edgeUrl, { voice }, LIMIT_MS);
  try {
    await pause((index * PERIOD_MS) / sessions, signal);
    for (let turn = 0; turn < TEXTS_PER_SESSION && !signal.aborted; turn++) {
      const startedAtMs = performance.now();
      const heard = await speaker.speak(differentText(turn * sessions + index));
      spoken.utterances += 1;
      spoken.bytes += heard.bytes;
      await pause(Math.max(0, startedAtMs + PERIOD_MS - performance.now()), signal);
    }
  } finally {
    speaker.close();
  }
}

/** Ends early, and quietly, when the run is over. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

function parseOptions(args: readonly string[]): Options {
  const positive = (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= 1_000) return value;
    throw new InvalidArgumentError("must be a whole number from 1 to 1000");
  };
  const command = new Command("bench cost")
    .description(
      "CPU of edge, worker and Redis, and commands of Redis, per utterance and per second of audio.",
    )
    .option("--sessions <sessions>", "sessions, each of which speaks every six seconds", positive, 100)
    .option("--seconds <seconds>", "how long is measured, after the warm-up", positive, 12)
    .option("--json", "end in one JSON object on standard output", false);
  command.parse([...args], { from: "user" });
  return command.opts<Options>();
}
