import { join } from "node:path";
import { freePort, startPrivateRedis } from "../scripts/private-redis.ts";
import { Supervisor } from "../scripts/supervisor/supervisor.ts";
import { root } from "../scripts/tools.ts";
import type { DirectRoute } from "./direct-speaker.ts";

/** The real programs as child processes on free ports of this machine, as `npm start` runs them. */
export interface BenchSystem {
  readonly edgeUrl: string;
  /** The provider that the worker speaks with, for those who go there directly. */
  readonly direct: DirectRoute;
  /** Ends every process that was started, in reverse, each within a limit. May be called twice. */
  close(): Promise<void>;
}

const API_KEY = "sk_simulator";
const VOICE = "simEnglishGrace0000A";
const MODEL = "eleven_flash_v2_5";
const SAMPLE_RATE_HZ = 24_000;

/** `env` is added to each program's environment by its name. */
export async function startBenchSystem(
  env: Readonly<Record<"simulator" | "worker" | "edge", NodeJS.ProcessEnv>>,
): Promise<BenchSystem> {
  const supervisor = new Supervisor();
  const stopOnSignal = () => void supervisor.stop().then(() => process.exit(130));
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.once(signal, stopOnSignal);
  const close = async () => {
    for (const signal of signals) process.off(signal, stopOnSignal);
    await supervisor.stop();
  };
  const common: NodeJS.ProcessEnv = {
    PATH: process.env["PATH"],
    LOG_LEVEL: "warn",
    NODE_COMPILE_CACHE: join(root, ".run", "compile-cache"),
    TTS_VOICE: VOICE,
    TTS_MODEL: MODEL,
    TTS_SAMPLE_RATE_HZ: String(SAMPLE_RATE_HZ),
  };
  const start = (name: keyof typeof env, port: number, own: NodeJS.ProcessEnv) =>
    supervisor.start({
      name,
      file: join(root, "apps", name, "src", "main.ts"),
      env: { ...common, ...own, ...env[name] },
      readyUrl: `http://127.0.0.1:${port}/readyz`,
      onLine: (line) => process.stderr.write(`${name} | ${line}\n`),
    });
  try {
    const redisUrl = await startRedis(supervisor);
    const [simulatorPort, workerPort, edgePort] = [await freePort(), await freePort(), await freePort()];
    const providerUrl = `http://127.0.0.1:${simulatorPort}`;
    await start("simulator", simulatorPort, { SIMULATOR_PORT: String(simulatorPort) });
    await Promise.all([
      start("worker", workerPort, {
        REDIS_URL: redisUrl,
        WORKER_PORT: String(workerPort),
        ELEVENLABS_URL: providerUrl,
        ELEVENLABS_API_KEY: API_KEY,
      }),
      start("edge", edgePort, { REDIS_URL: redisUrl, PORT: String(edgePort) }),
    ]);
    return {
      edgeUrl: `http://127.0.0.1:${edgePort}`,
      direct: {
        url: providerUrl,
        apiKey: API_KEY,
        voice: VOICE,
        model: MODEL,
        sampleRateHz: SAMPLE_RATE_HZ,
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startRedis(supervisor: Supervisor): Promise<string> {
  const redis = await startPrivateRedis();
  // biome-ignore lint/nursery/noFloatingPromises: `own` returns nothing; the rule takes it for a promise
  supervisor.own("private Redis", redis.closed, redis.stop);
  return redis.url;
}
