import { SIMULATOR_KEY, startFleet } from "../../scripts/supervisor/fleet.ts";
import type { DirectRoute } from "./direct-speaker.ts";

/** The real programs as processes of their own, and the provider they speak with, for those who go there directly. */
export interface BenchSystem {
  readonly redisUrl: string;
  /** Of the first edge. */
  readonly edgeUrl: string;
  readonly edgeUrls: readonly string[];
  /** The address of the worker's metrics. */
  readonly workerUrl: string;
  /** The addresses of their metrics. */
  readonly edgeOpsUrls: readonly string[];
  readonly direct: DirectRoute;
  /** Ends every process that was started. May be called twice. */
  close(): Promise<void>;
}

export type ProgramEnvironments = Readonly<Record<"simulator" | "worker" | "edge", NodeJS.ProcessEnv>>;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const VOICE = "simEnglishGrace0000A";
const MODEL = "eleven_flash_v2_5";
const SAMPLE_RATE_HZ = 24_000;

/** Edges, one worker, the simulator and a private Redis; `env` is added to what they are set to. */
export async function startBenchSystem(env: ProgramEnvironments, edges = 1): Promise<BenchSystem> {
  const speech = { TTS_VOICE: VOICE, TTS_MODEL: MODEL, TTS_SAMPLE_RATE_HZ: String(SAMPLE_RATE_HZ) };
  const fleet = await startFleet({
    edges,
    env: {
      simulator: env.simulator,
      worker: { ...speech, ...env.worker },
      edge: { ...speech, ...env.edge },
    },
    onLine: (name, line) => process.stderr.write(`${name} | ${line}\n`),
  });
  const [edge] = fleet.edges;
  const [worker] = fleet.workers;
  if (edge === undefined || worker === undefined) throw new RangeError("a fleet has at least one of each");
  const endOnSignal = () => void fleet.close().then(() => process.exit(130));
  for (const signal of SIGNALS) process.once(signal, endOnSignal);
  return {
    redisUrl: fleet.redisUrl,
    edgeUrl: edge.url,
    edgeUrls: fleet.edges.map(({ url }) => url),
    workerUrl: worker.url,
    edgeOpsUrls: fleet.edges.map(({ opsUrl }) => opsUrl),
    direct: {
      url: fleet.simulator.url,
      apiKey: SIMULATOR_KEY,
      voice: VOICE,
      model: MODEL,
      sampleRateHz: SAMPLE_RATE_HZ,
    },
    close: () => {
      for (const signal of SIGNALS) process.off(signal, endOnSignal);
      return fleet.close();
    },
  };
}
