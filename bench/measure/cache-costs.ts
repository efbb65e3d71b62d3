import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, isCluster, openRedis } from "@tts-labs/core/redis/client";
import type { BenchSystem } from "../load/system.ts";
import { round } from "./summary.ts";

/**
 * What the edges' processes and Redis have spent so far, for anything. Other load on the machine changes times much
 * more than these.
 */
interface Spent {
  readonly edgeCpuMs: number;
  readonly redisCpuMs: number;
  /** Those that scripts call included. */
  readonly redisCommands: number;
}

export type Costs = Spent;

/** Begins to count. @returns what was spent since then, per each of so many */
export async function countCosts(system: BenchSystem): Promise<(count: number) => Promise<Costs>> {
  const before = await spent(system);
  return async (count) => {
    const after = await spent(system);
    const each = (what: keyof Spent) => round((after[what] - before[what]) / Math.max(1, count));
    return {
      edgeCpuMs: each("edgeCpuMs"),
      redisCpuMs: each("redisCpuMs"),
      redisCommands: each("redisCommands"),
    };
  };
}

async function spent({ edgeOpsUrls, redisUrl }: BenchSystem): Promise<Spent> {
  const exposed = await Promise.all(
    edgeOpsUrls.map((url) => fetch(`${url}/metrics`).then((answer) => answer.text())),
  );
  const seconds = exposed.map((text) => Number(/^process_cpu_seconds_total ([\d.]+)/m.exec(text)?.[1]));
  const redis = openRedis({ url: redisUrl, purpose: "commands", logger: silentLogger });
  if (isCluster(redis)) throw new TypeError("the bench's Redis is a single one");
  try {
    const info = await redis.info();
    const field = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1]);
    return {
      edgeCpuMs: 1_000 * seconds.reduce((sum, it) => sum + it, 0),
      redisCpuMs: 1_000 * (field("used_cpu_user") + field("used_cpu_sys")),
      redisCommands: field("total_commands_processed"),
    };
  } finally {
    await closeRedis(redis);
  }
}
