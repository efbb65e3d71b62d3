import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { unknownVariables } from "@tts-labs/core/process/unknown-variables";
import { STARTED_REDIS_FILE } from "../cache/started-redis.ts";
import { PRIVATE_CACHE_MAX_BYTES, startPrivateRedis } from "../private-redis.ts";
import { instances, noteInstance } from "../say/running-instance.ts";
import { root } from "../tools.ts";
import { readCommit } from "../version.ts";
import { defaultVoice } from "./default-voice.ts";
import { assertKeyTaken } from "./key-check.ts";
import { openLogView } from "./log-view.ts";
import { serverProblem, startOnPort } from "./ports.ts";
import { Supervisor } from "./supervisor.ts";

/** What worker and simulator agree on; it opens nothing else. */
const SIMULATOR_KEY = "sk_simulator";

const say = (text: string) => process.stdout.write(`${text}\n`);

export interface LocalSystemOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Whether the parts tell what they do, and not only what goes wrong. */
  readonly isVerbose: boolean;
  /** More flags of Node for the part of this name. */
  readonly nodeFlags?: (name: string) => readonly string[];
}

/**
 * Starts simulator, edge and worker, with a Redis of their own unless REDIS_URL is set, and prints where they are.
 * @throws Error with a sentence for the person at the terminal
 */
export async function startLocalSystem(
  supervisor: Supervisor,
  { env, isVerbose, nodeFlags = () => [] }: LocalSystemOptions,
): Promise<void> {
  const host = env["HOST"] || "127.0.0.1";
  const port = Number(env["PORT"] || 8006);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`PORT=${env["PORT"]} is no port.`);
  const problem = await serverProblem(port, host);
  if (problem === "EADDRINUSE") throw new Error(takenSentence(port));
  if (problem !== undefined) throw new Error(`The edge can't listen on ${host}:${port} (${problem}).`);
  for (const { name, nearest } of unknownVariables(env)) {
    say(`${name} is read by no program.${nearest === undefined ? "" : ` Was ${nearest} meant?`}`);
    // It has been told, and need not be told again by every part.
    delete env[name];
  }
  const { ELEVENLABS_API_KEY: apiKey, ELEVENLABS_API_KEYS: apiKeys, ...keyless } = env;
  await assertKeyTaken(env);
  const isPrivate = !env["REDIS_URL"];
  const redisUrl = env["REDIS_URL"] || (await startRedis(supervisor));
  const show = openLogView((text) => process.stdout.write(text), process.stdout.isTTY);
  const common = {
    ...keyless,
    REDIS_URL: redisUrl,
    LOG_LEVEL: isVerbose ? "info" : env["LOG_LEVEL"] || "warn",
    TTS_COMMIT: env["TTS_COMMIT"] || readCommit(),
    // Saves about 0.1 s of every later start.
    NODE_COMPILE_CACHE: join(root, ".run", "compile-cache"),
    // Nobody takes over here, so there is nothing to hand over: Ctrl-C is felt at once.
    WORKER_DRAIN_MS: env["WORKER_DRAIN_MS"] || "0",
    DRAIN_SPREAD_MS: env["DRAIN_SPREAD_MS"] || "0",
  };
  const start = (name: string, own: NodeJS.ProcessEnv) =>
    supervisor.start({
      name,
      file: join(root, "apps", name, "src", "main.ts"),
      nodeFlags: nodeFlags(name),
      env: { ...common, ...own },
      onLine: show(name),
    });

  const isSimulated = !apiKey && !apiKeys && !env["ELEVENLABS_URL"];
  const startSimulator = () =>
    startOnPort({ asked: env["SIMULATOR_PORT"], usual: 8016, variable: "SIMULATOR_PORT" }, (it) =>
      start("simulator", { SIMULATOR_PORT: it, SIMULATOR_API_KEYS: SIMULATOR_KEY }),
    );
  const isLateSimulator = isSimulated && Boolean(env["SIMULATOR_PORT"]);
  const simulatorPort = isSimulated && !isLateSimulator ? await startSimulator() : env["SIMULATOR_PORT"];
  const provider: NodeJS.ProcessEnv = isSimulated
    ? { ELEVENLABS_URL: `http://127.0.0.1:${simulatorPort}`, ELEVENLABS_API_KEY: SIMULATOR_KEY }
    : {
        ELEVENLABS_URL: env["ELEVENLABS_URL"],
        ELEVENLABS_API_KEY: apiKey,
        ELEVENLABS_API_KEYS: apiKeys,
      };
  // Before all whose ports were asked for, since its own is the lock: of two starts at once one alone gets past this.
  const opsPort = await startOnPort({ asked: env["OPS_PORT"], usual: 8005, variable: "OPS_PORT" }, (it) =>
    start("edge", {
      HOST: host,
      PORT: String(port),
      OPS_PORT: it,
      ...(isPrivate && { CACHE_MAX_BYTES: env["CACHE_MAX_BYTES"] || String(PRIVATE_CACHE_MAX_BYTES) }),
      // By its address the edge knows whose voices it keeps in the cache.
      ...(provider["ELEVENLABS_URL"] === undefined ? {} : { ELEVENLABS_URL: provider["ELEVENLABS_URL"] }),
    }),
  );
  if (isLateSimulator) await startSimulator();
  const workerPort = await startOnPort(
    { asked: env["WORKER_PORT"], usual: 8007, variable: "WORKER_PORT" },
    (it) => start("worker", { ...provider, WORKER_PORT: it }),
  );

  const url = `http://${["127.0.0.1", "0.0.0.0"].includes(host) ? "localhost" : host}:${port}`;
  const ops = `http://localhost:${opsPort}`;
  process.once("exit", noteInstance({ url, opsUrl: ops }));
  const from = isSimulated
    ? `${provider["ELEVENLABS_URL"]} (local simulator)`
    : (provider["ELEVENLABS_URL"] ?? "ElevenLabs");
  say(`
  tts-labs speaks at   ${url}/fastrtc

  by command           npm run say -- "Guten Tag, wie geht es Ihnen?" --out hello.wav
  by HTTP              curl ${url}/api/v1/synthesize -H 'content-type: application/json' -H 'accept: audio/wav' -d '{"text":"Hello World"}' -o hello.wav
  live, metrics        ${ops}/api/v1/live  ${ops}/metrics  http://localhost:${workerPort}/metrics
  voices from          ${from}
  default voice        ${await defaultVoice({ url, ops })}
  Redis                ${env["REDIS_URL"] ? "yours (REDIS_URL)" : `private, ${redisUrl}`}

  Ctrl-C ends it.
`);
}

/** That of this folder is named, since it is the one that most likely is forgotten in another terminal. */
function takenSentence(port: number): string {
  const own = instances().find((it) => URL.parse(it.url)?.port === String(port));
  return own === undefined
    ? `Port ${port} is taken. End what listens there, or choose another: PORT=8010 npm start`
    : `Port ${port} is taken: tts-labs already runs from this folder, at ${own.url}/fastrtc (process ${own.pid}). End it there with Ctrl-C, or start another beside it: PORT=8010 npm start`;
}

async function startRedis(supervisor: Supervisor): Promise<string> {
  const redis = await startPrivateRedis({ over: "socket" });
  await supervisor.own("private Redis", redis.closed, redis.stop);
  // For `npm run cache`, which would not find it else.
  await mkdir(dirname(STARTED_REDIS_FILE), { recursive: true });
  await writeFile(STARTED_REDIS_FILE, `${redis.url}\n`);
  return redis.url;
}

/**
 * Runs until a signal comes, or something fails or ends by itself; then everything that was started is ended.
 * @param start takes what it starts to the supervisor; where it throws, its sentence is printed
 */
export async function superviseUntilEnd(
  start: (supervisor: Supervisor, interrupted: AbortSignal) => Promise<void>,
): Promise<never> {
  const supervisor = new Supervisor();
  const stopped = new AbortController();
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (!supervisor.isStopping) say("\nStopping …");
        void supervisor.stop();
        stopped.abort();
        resolve();
      });
    }
  });

  const started = start(supervisor, stopped.signal);
  const failure = await Promise.race([
    started.then(
      () => supervisor.failed,
      (error: Error) => error.message,
    ),
    interrupted,
  ]);
  if (failure !== undefined) process.stderr.write(`${failure}\n`);
  stopped.abort();
  await supervisor.stop();
  // A start in progress has met the stop by now or does within its own limits; it closes what it had opened.
  await Promise.allSettled([started]);
  process.exit(failure === undefined ? 0 : 1);
}
