import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { SessionSpeaker } from "./session-speaker.ts";
import { within } from "./speech.ts";
import { round, type Summary, summarize } from "./summary.ts";
import { type BenchSystem, startBenchSystem } from "./system.ts";

/**
 * Cached speech: request to first frame, while other speech is being made.
 *
 * Clients of the native protocol, with their sockets open, ask for phrases that were spoken before, evenly spread
 * at so many requests a second; beside them sessions speak sentences that nobody has spoken before, back to back.
 * The clock starts when the text is sent and stops when the first binary frame arrives at the client; each answer's
 * bytes are held against those of the first speaking. All processes share this machine with the clients.
 */
interface Options {
  readonly rate: number;
  readonly seconds: number;
  readonly syntheses: number;
  readonly json: boolean;
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
/** Sockets that ask in turn, so that no answer waits for another on its socket. */
const CLIENTS = 32;
const PHRASE_LIMIT_MS = 10_000;
/** The first second warms up what is compiled late. */
const WARM_UP_MS = 1_000;

interface Report {
  readonly rate: number;
  readonly requests: number;
  readonly failed: number;
  readonly otherBytes: number;
  /** Asked, and spoken anew. */
  readonly notCached: number;
  readonly synthesesBeside: number;
  readonly firstFrameMs: Summary;
}

export async function run(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  const say = (line: string) => process.stderr.write(`${line}\n`);
  say("Starting Redis, simulator, worker and edge …");
  const system = await startBenchSystem(PROGRAMS);
  try {
    const digests = await speakOnce(system);
    const report = await measure(system, options, digests);
    const { p50, p90, p99, max, count } = report.firstFrameMs;
    say(
      `${count} hits at ${report.rate}/s beside ${report.synthesesBeside} syntheses: first frame after p50 ${p50}, p90 ${p90}, p99 ${p99}, max ${max} ms; ${report.failed} failed, ${report.notCached} not cached, ${report.otherBytes} with other bytes`,
    );
    if (options.json) process.stdout.write(`${JSON.stringify({ bench: "cache", ...report })}\n`);
    if (report.failed > 0 || report.notCached > 0 || report.otherBytes > 0) process.exitCode = 1;
  } finally {
    await system.close();
  }
}

function parseOptions(args: readonly string[]): Options {
  const whole = (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 0 && value <= 2_000) return value;
    throw new InvalidArgumentError("must be a whole number up to 2000");
  };
  const command = new Command("bench cache")
    .description("First frame of cached speech, beside running syntheses.")
    .option("--rate <requests>", "hits a second", whole, 200)
    .option("--seconds <seconds>", "how long", whole, 10)
    .option("--syntheses <sessions>", "sessions that speak anew, back to back, meanwhile", whole, 20)
    .option("--json", "end in one JSON object on standard output", false);
  command.parse([...args], { from: "user" });
  return command.opts<Options>();
}

/** @returns the digest of each phrase, once all of them are in the cache */
async function speakOnce(system: BenchSystem): Promise<ReadonlyMap<string, string>> {
  const speaker = await SessionSpeaker.open(system.edgeUrl, { voice: system.direct.voice });
  const digests = new Map<string, string>();
  try {
    for (const phrase of PHRASES) digests.set(phrase, (await speaker.speak(phrase)).digest);
    const stored = async () => {
      const text = await fetch(`${system.edgeUrl}/metrics`).then((answer) => answer.text());
      return Number(/^tts_cache_stored_total (\d+)/m.exec(text)?.[1] ?? 0);
    };
    await within(
      PHRASE_LIMIT_MS,
      "storing the phrases",
      (async () => {
        while ((await stored()) < PHRASES.length) await sleep(20);
      })(),
    );
    return digests;
  } finally {
    speaker.close();
  }
}

async function measure(
  system: BenchSystem,
  { rate, seconds, syntheses }: Options,
  digests: ReadonlyMap<string, string>,
): Promise<Report> {
  const beginsAtMs = performance.now();
  const endsAtMs = beginsAtMs + WARM_UP_MS + seconds * 1_000;
  const firstFramesMs: number[] = [];
  let [failed, otherBytes, notCached, synthesesBeside] = [0, 0, 0, 0];
  const client = async (index: number) => {
    const speaker = await SessionSpeaker.open(system.edgeUrl, { voice: system.direct.voice });
    try {
      const periodMs = (CLIENTS * 1_000) / rate;
      for (let turn = 0; ; turn++) {
        const startsAtMs = beginsAtMs + periodMs * (turn + index / CLIENTS);
        if (startsAtMs >= endsAtMs) break;
        await sleep(Math.max(0, startsAtMs - performance.now()));
        const phrase = PHRASES[(index + turn) % PHRASES.length] ?? "";
        const heard = await within(PHRASE_LIMIT_MS, "a hit", speaker.speak(phrase)).catch(() => undefined);
        if (heard === undefined) failed += 1;
        else if (heard.digest !== digests.get(phrase)) otherBytes += 1;
        else if (speaker.cache !== "hit") notCached += 1;
        else if (startsAtMs > beginsAtMs + WARM_UP_MS) firstFramesMs.push(heard.firstAudioMs);
      }
    } finally {
      speaker.close();
    }
  };
  const talker = async (index: number) => {
    const speaker = await SessionSpeaker.open(system.edgeUrl, { voice: system.direct.voice });
    try {
      for (let turn = 0; performance.now() < endsAtMs; turn++) {
        await speaker.speak(
          `Sentence ${turn} of speaker ${index} has never been spoken before, and is not short.`,
        );
        synthesesBeside += 1;
      }
    } finally {
      speaker.close();
    }
  };
  await Promise.all([
    ...Array.from({ length: CLIENTS }, (_, index) => client(index)),
    ...Array.from({ length: syntheses }, (_, index) => talker(index)),
  ]);
  const requests = firstFramesMs.length + failed + otherBytes;
  return {
    ...{ rate, requests, failed, otherBytes, notCached, synthesesBeside: round(synthesesBeside) },
    firstFrameMs: summarize(firstFramesMs),
  };
}
