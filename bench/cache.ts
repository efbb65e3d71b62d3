import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { askInThread, byTurns, type Phrase, WARM_UP_MS } from "./load/cache-clients.ts";
import { differentText } from "./load/different-texts.ts";
import { SessionSpeaker } from "./load/session-speaker.ts";
import { type SampleCheck, within } from "./load/speech.ts";
import { type BenchSystem, startBenchSystem } from "./load/system.ts";
import { type Costs, countCosts } from "./measure/cache-costs.ts";
import { type Summary, summarize } from "./measure/summary.ts";

/**
 * Cached speech: request to first frame, while other speech is being made.
 *
 * Clients of the native protocol, with their sockets open, ask for phrases that were spoken before, evenly spread
 * at so many requests a second; beside them sessions speak texts that were never spoken before, back to back. Those
 * are known sentences in new orders: their rendering, which the provider's stand-in remembers, is not this machine's
 * work in reality.
 * The clock starts when the text is sent and stops when the first binary frame arrives at the client; each answer's
 * bytes are held against those of the first speaking. All processes share this machine with the clients, which have
 * a thread of their own, and tell how busy it was.
 */
interface Options {
  readonly rate: number;
  readonly seconds: number;
  readonly syntheses: number;
  readonly edges: number;
  readonly json: boolean;
  readonly profile?: string;
}

const PROGRAMS = {
  simulator: { SIMULATOR_CONCURRENCY: "200" },
  worker: { WORKER_CONCURRENCY: "200" },
  edge: { CACHE: "true" },
} as const;

const PHRASES = [
  "Hello, and thank you for calling.",
  "One moment, please.",
  "Could you say that again?",
  "I have found your booking.",
  "Is there anything else that I can do for you?",
  "Goodbye, and have a nice day.",
];
const STORE_LIMIT_MS = 10_000;

interface Report {
  readonly rate: number;
  readonly edges: number;
  readonly requests: number;
  readonly failed: number;
  readonly otherBytes: number;
  /** Asked, and spoken anew. */
  readonly notCached: number;
  readonly synthesesBeside: number;
  readonly firstFrameMs: Summary;
  /** The same clients' pings, answered at once: what is not the cache's doing. */
  readonly pongMs: Summary;
  readonly clients: { readonly busyPercent: number; readonly lagP99Ms: number };
  /** All that was spent, divided by the hits: theirs alone only where nothing is made beside them. */
  readonly perHit: Costs;
}

/** The first speaking, kept. */
class Recording implements SampleCheck {
  readonly #parts: Uint8Array[] = [];

  get pcm(): Uint8Array {
    return Buffer.concat(this.#parts);
  }

  take(pcm: Uint8Array): void {
    this.#parts.push(pcm);
  }

  digest(): string {
    return "";
  }
}

export async function run(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  const say = (line: string) => process.stderr.write(`${line}\n`);
  say(
    `Starting Redis, simulator, worker and ${options.edges === 1 ? "one edge" : `${options.edges} edges`} …`,
  );
  const system = await startBenchSystem(programs(options), options.edges);
  try {
    const report = await measure(system, options, await speakOnce(system));
    const { p50, p90, p99, max, count } = report.firstFrameMs;
    const { pongMs, perHit, clients } = report;
    say(
      `${count} hits at ${report.rate}/s beside ${report.synthesesBeside} syntheses: first frame after p50 ${p50}, p90 ${p90}, p99 ${p99}, max ${max} ms; ${report.failed} failed, ${report.notCached} not cached, ${report.otherBytes} with other bytes`,
    );
    say(
      `per hit, all that ran included: ${perHit.edgeCpuMs} ms CPU of the edges, ${perHit.redisCpuMs} ms of Redis, ${perHit.redisCommands} Redis commands; the same clients' pings: p50 ${pongMs.p50}, p99 ${pongMs.p99} ms; their thread was busy ${clients.busyPercent} %, and late by ${clients.lagP99Ms} ms at p99`,
    );
    if (options.json) process.stdout.write(`${JSON.stringify({ bench: "cache", ...report })}\n`);
    if (report.failed > 0 || report.notCached > 0 || report.otherBytes > 0) process.exitCode = 1;
  } finally {
    await system.close();
  }
}

const programs = ({ profile }: Options) => ({
  ...PROGRAMS,
  edge: {
    ...PROGRAMS.edge,
    ...(profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${resolve(profile)}` }),
  },
});

function parseOptions(args: readonly string[]): Options {
  const whole = (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 0 && value <= 2_000) return value;
    throw new InvalidArgumentError("must be a whole number up to 2000");
  };
  const positive = (text: string): number => {
    if (whole(text) > 0) return whole(text);
    throw new InvalidArgumentError("must be 1 or more");
  };
  const command = new Command("bench cache")
    .description("First frame of cached speech, beside running syntheses.")
    .option("--rate <requests>", "hits a second", whole, 200)
    .option("--seconds <seconds>", "how long", whole, 10)
    .option("--syntheses <sessions>", "sessions that speak anew, back to back, meanwhile", whole, 20)
    .option("--edges <edges>", "edges that share the clients evenly", positive, 2)
    .option("--profile <folder>", "leave a CPU profile of each edge there")
    .option("--json", "end in one JSON object on standard output", false);
  command.parse([...args], { from: "user" });
  return command.opts<Options>();
}

/** @returns each phrase, once all of them are in the cache */
async function speakOnce(system: BenchSystem): Promise<readonly Phrase[]> {
  const speaker = await SessionSpeaker.open(system.edgeUrl, { voice: system.direct.voice });
  const phrases: Phrase[] = [];
  try {
    for (const text of PHRASES) {
      const recording = new Recording();
      await speaker.speak(text, recording);
      phrases.push({ text, pcm: recording.pcm });
    }
    const stored = async () => {
      const text = await fetch(`${system.edgeOpsUrls[0]}/metrics`).then((answer) => answer.text());
      return Number(/^tts_cache_stored_total (\d+)/m.exec(text)?.[1] ?? 0);
    };
    await within(
      STORE_LIMIT_MS,
      "storing the phrases",
      (async () => {
        while ((await stored()) < PHRASES.length) await sleep(20);
      })(),
    );
    return phrases;
  } finally {
    speaker.close();
  }
}

async function measure(
  system: BenchSystem,
  { rate, seconds, syntheses }: Options,
  phrases: readonly Phrase[],
): Promise<Report> {
  const { edgeUrls } = system;
  const { voice } = system.direct;
  const costs = await countCosts(system);
  const endsAtMs = performance.now() + WARM_UP_MS + seconds * 1_000;
  let synthesesBeside = 0;
  const talker = async (index: number) => {
    const speaker = await SessionSpeaker.open(byTurns(edgeUrls, index), { voice });
    try {
      for (let turn = 0; performance.now() < endsAtMs; turn++) {
        await speaker.speak(differentText(turn * syntheses + index));
        synthesesBeside += 1;
      }
    } finally {
      speaker.close();
    }
  };
  const [{ firstFramesMs, pongsMs, ...answers }] = await Promise.all([
    askInThread({ edgeUrls, voice, rate, seconds, phrases }),
    ...Array.from({ length: syntheses }, (_, index) => talker(index)),
  ]);
  const requests = firstFramesMs.length + answers.failed + answers.otherBytes;
  return {
    rate,
    edges: edgeUrls.length,
    requests,
    ...answers,
    synthesesBeside,
    firstFrameMs: summarize(firstFramesMs),
    pongMs: summarize(pongsMs),
    perHit: await costs(Math.round(rate * (seconds + WARM_UP_MS / 1_000))),
  };
}
