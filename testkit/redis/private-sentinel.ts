import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import {
  freePort,
  type PrivateRedis,
  spawnWithParent,
  startPrivateRedis,
} from "../../scripts/private-redis.ts";

/** A primary, its replica, and one sentinel that alone decides when the one takes the other's place. */
export interface PrivateSentinel {
  readonly url: string;
  readonly primary: PrivateRedis;
  /** Resolves when the replica has been put in the primary's place. */
  promoted(): Promise<void>;
  stop(): Promise<void>;
}

const NAME = "main";
const UP_WITHIN_MS = 15_000;
/** A second until the primary counts as gone; 30 s more where the sentinel itself was paused (its "tilt" mode). */
const PROMOTED_WITHIN_MS = 60_000;

/** @throws Error when the sentinel does not know the replica within 15 s; nothing is left running then */
export async function startPrivateSentinel(): Promise<PrivateSentinel> {
  const closers: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const primary = await startPrivateRedis({ args: ["--repl-diskless-sync-delay", "0"] });
    closers.push(() => primary.stop());
    const replica = await startPrivateRedis({ args: ["--replicaof", "127.0.0.1", String(primary.port)] });
    closers.push(() => replica.stop());
    const port = await startSentinel(primary.port, closers);
    const client = new Redis({ host: "127.0.0.1", port });
    client.on("error", () => {});
    try {
      const deadlineMs = performance.now() + UP_WITHIN_MS;
      while (!(await knowsReplica(client))) {
        if (performance.now() > deadlineMs) throw new Error("the sentinel did not see the replica in 15 s");
        await sleep(50);
      }
    } finally {
      client.disconnect();
    }
    const promoted = () => untilPromoted(replica.port);
    return { url: `redis-sentinel://127.0.0.1:${port}/${NAME}`, primary, promoted, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startSentinel(primaryPort: number, closers: (() => Promise<void>)[]): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), "tts-labs-sentinel-"));
  closers.push(() => rm(dir, { recursive: true, force: true }));
  const port = await freePort();
  const file = join(dir, "sentinel.conf");
  await writeFile(
    file,
    [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${dir}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${primaryPort} 1`,
      `sentinel down-after-milliseconds ${NAME} 1000`,
      `sentinel failover-timeout ${NAME} 5000`,
    ].join("\n"),
  );
  const child = spawnWithParent(process.env["REDIS_SERVER_BIN"] ?? "redis-server", [file, "--sentinel"]);
  child.stdout?.resume();
  child.stderr?.resume();
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  closers.push(async () => {
    child.kill("SIGKILL");
    await closed;
  });
  return port;
}

/** With its link up: only such a one is promoted. */
async function knowsReplica(sentinel: Redis): Promise<boolean> {
  const replicas = (await sentinel.call("SENTINEL", "REPLICAS", NAME).catch(() => [])) as unknown[][];
  return replicas.some((fields) => {
    const at = fields.map(String);
    return at[at.indexOf("master-link-status") + 1] === "ok" && at[at.indexOf("flags") + 1] === "slave";
  });
}

async function untilPromoted(port: number): Promise<void> {
  const client = new Redis({ host: "127.0.0.1", port });
  try {
    const deadlineMs = performance.now() + PROMOTED_WITHIN_MS;
    while (!(await client.info("replication")).includes("role:master")) {
      if (performance.now() > deadlineMs) throw new Error("the replica was not promoted in 60 s");
      await sleep(50);
    }
  } finally {
    client.disconnect();
  }
}
