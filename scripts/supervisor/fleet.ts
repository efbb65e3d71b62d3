import { join } from "node:path";
import { freePort, startPrivateRedis } from "../private-redis.ts";
import { root } from "../tools.ts";
import { FleetMember } from "./fleet-member.ts";
import { Supervisor } from "./supervisor.ts";

/**
 * Any number of edges and workers as processes of their own, over one Redis and one simulator, on free ports
 * of this machine: what `npm start` runs, multiplied. For load and fault runs.
 */
export interface FleetOptions {
  /** A Redis of one's own; default: a private one, which ends with the fleet. */
  readonly redisUrl?: string;
  readonly edges?: number;
  readonly workers?: number;
  /** Added to each program's environment. */
  readonly env?: ProgramEnvironments;
  /** Entry files other than the programs' own. */
  readonly files?: Partial<Readonly<Record<Program, string>>>;
  /** What the programs say; default: nothing is kept. */
  readonly onLine?: (name: string, line: string) => void;
}

type ProgramEnvironment = (port: number, opsPort: number) => NodeJS.ProcessEnv;
export type Program = "simulator" | "worker" | "edge";
export type ProgramEnvironments = Partial<Readonly<Record<Program, NodeJS.ProcessEnv>>>;

export interface Fleet {
  readonly redisUrl: string;
  readonly simulator: FleetMember;
  readonly edges: readonly FleetMember[];
  readonly workers: readonly FleetMember[];
  /** One more, as those it joins. */
  add(program: "worker" | "edge"): Promise<FleetMember>;
  /** Ends every process in reverse order of starting, each within a limit. May be called twice. */
  close(): Promise<void>;
}

export const SIMULATOR_KEY = "sk_simulator";

/** @throws Error when a part could not start; what had started is ended then */
export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  const supervisor = new Supervisor();
  const start = async (program: Program, name: string, own: ProgramEnvironment) => {
    const [port, opsPort] = [await freePort(), await freePort()];
    const url = `http://127.0.0.1:${port}`;
    const opsUrl = program === "edge" ? `http://127.0.0.1:${opsPort}` : url;
    const part = {
      name,
      file: options.files?.[program] ?? join(root, "apps", program, "src", "main.ts"),
      env: {
        PATH: process.env["PATH"],
        LOG_LEVEL: "warn",
        NODE_COMPILE_CACHE: join(root, ".run", "compile-cache"),
        ...own(port, opsPort),
        ...options.env?.[program],
      },
      onLine: (line: string) => options.onLine?.(name, line),
    };
    return FleetMember.start(name, { url, opsUrl }, () => supervisor.start(part));
  };
  try {
    const redisUrl = options.redisUrl ?? (await startRedis(supervisor));
    const simulator = await start("simulator", "simulator", (port) => ({
      SIMULATOR_PORT: String(port),
      SIMULATOR_API_KEYS: SIMULATOR_KEY,
    }));
    const members = { worker: [] as FleetMember[], edge: [] as FleetMember[] };
    const names = { worker: 0, edge: 0 };
    const own = {
      worker: (port: number) => ({
        REDIS_URL: redisUrl,
        WORKER_PORT: String(port),
        ELEVENLABS_URL: simulator.url,
        ELEVENLABS_API_KEY: SIMULATOR_KEY,
      }),
      edge: (port: number, opsPort: number) => ({
        REDIS_URL: redisUrl,
        PORT: String(port),
        OPS_PORT: String(opsPort),
        ELEVENLABS_URL: simulator.url,
        // Runs that repeat their sentences mean them to be spoken each time; a cache has to be asked for.
        CACHE: "false",
        // Its clients share the machine, and make its event loop late: a run that is about admission says so.
        ADMISSION_MAX_LAG_MS: "0",
      }),
    };
    const add = async (program: "worker" | "edge") => {
      names[program] += 1;
      const member = await start(program, `${program} ${names[program]}`, own[program]);
      members[program].push(member);
      return member;
    };
    const many = (program: "worker" | "edge", count: number) =>
      Promise.all(Array.from({ length: count }, () => add(program)));
    await Promise.all([many("worker", options.workers ?? 1), many("edge", options.edges ?? 1)]);
    return {
      redisUrl,
      simulator,
      workers: members.worker,
      edges: members.edge,
      add,
      close: () => supervisor.stop(),
    };
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
}

async function startRedis(supervisor: Supervisor): Promise<string> {
  const redis = await startPrivateRedis();
  await supervisor.own("private Redis", redis.closed, redis.stop);
  return redis.url;
}
