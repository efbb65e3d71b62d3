import { randomBytes } from "node:crypto";
import { silentLogger } from "@tts-labs/core/logger";
import { defaultEdgeConfig, type EdgeConfig } from "@tts-labs/edge/config";
import { startEdge } from "@tts-labs/edge/main";
import { defaultSimulatorConfig, type SimulatorConfig } from "@tts-labs/simulator/config";
import { startSimulator } from "@tts-labs/simulator/main";
import { defaultWorkerConfig, type WorkerConfig } from "@tts-labs/worker/config";
import { startWorker } from "@tts-labs/worker/main";
import { keysWithoutTtl } from "../redis/keys-without-ttl.ts";

/**
 * The whole system in one process: simulator, workers and edges as they run in production, on free ports,
 * over a Redis the test has, under a key prefix of its own. Its starter closes it.
 */
export interface SystemOptions {
  readonly redisUrl: string;
  readonly edges?: number;
  readonly workers?: number;
  readonly edge?: Partial<EdgeConfig>;
  readonly worker?: Partial<WorkerConfig>;
  readonly simulator?: Partial<SimulatorConfig>;
  /** Protections of the edge that a negative twin does without. */
  readonly seams?: Parameters<typeof startEdge>[2];
}

/**
 * Everything in one process makes its event loop late, on a busy machine beyond what an edge bears alone. A test that
 * is about admission sets limits of its own.
 */
export const WITHOUT_ADMISSION = {
  admissionMaxLagMs: 0,
  admissionMaxQueueWaitMs: 0,
  admissionMaxWaiting: 0,
} as const satisfies Partial<EdgeConfig>;

/** Within this a provider is slow, not silent; a test that is about silence sets its own. */
const PATIENT_SILENCE_MS = 8_000;

type Running<T extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<T>>;

export interface System {
  readonly simulator: Running<typeof startSimulator>;
  readonly workers: readonly Running<typeof startWorker>[];
  readonly edges: readonly Running<typeof startEdge>[];
  /** The first edge's address. */
  readonly url: string;
  /** The first edge's, for operators. */
  readonly opsUrl: string;
  readonly keyPrefix: string;
  /** Keys of this system that would stay in Redis for ever. */
  keysWithoutTtl(): Promise<string[]>;
  close(): Promise<void>;
}

export async function startSystem(options: SystemOptions): Promise<System> {
  const keyPrefix = `test-${randomBytes(4).toString("hex")}`;
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
  };
  const started = <T extends { close(): Promise<unknown> }>(part: T): T => {
    closers.push(() => part.close());
    return part;
  };
  try {
    const simulator = started(
      await startSimulator(defaultSimulatorConfig({ port: 0, ...options.simulator }), silentLogger),
    );
    const common = { redisUrl: options.redisUrl, keyPrefix };
    const workerConfig = defaultWorkerConfig({
      ...common,
      opsPort: 0,
      elevenLabsUrl: simulator.url,
      apiKey: "sk_simulator",
      // The simulator's thread may be busy with others' texts for longer than the budget of a healthy provider.
      silenceMs: PATIENT_SILENCE_MS,
      ...options.worker,
    });
    const workers = [];
    for (let i = 0; i < (options.workers ?? 1); i++) {
      workers.push(started(await startWorker(workerConfig, silentLogger)));
    }
    // Nothing is cached unless a test says so: most count what reaches the provider.
    const cached = { cache: false, elevenLabsUrl: simulator.url };
    const edgeConfig = defaultEdgeConfig({
      ...common,
      port: 0,
      ...cached,
      ...WITHOUT_ADMISSION,
      ...options.edge,
    });
    const edges = [];
    for (let i = 0; i < (options.edges ?? 1); i++) {
      edges.push(started(await startEdge(edgeConfig, silentLogger, options.seams)));
    }
    const [edge] = edges;
    if (edge === undefined) throw new RangeError("a system has at least one edge");
    return {
      simulator,
      workers,
      edges,
      url: edge.url,
      opsUrl: edge.opsUrl,
      keyPrefix,
      keysWithoutTtl: () => keysWithoutTtl(options.redisUrl, keyPrefix),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
