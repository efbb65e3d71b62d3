import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { freePort, type PrivateRedis, startPrivateRedis } from "../../scripts/private-redis.ts";

/**
 * A Redis Cluster of one's own: three primaries on free loopback ports, no persistence, and if asked for a
 * replica of each. A primary that is ended leaves its third of the slots unserved; the others go on
 * (`cluster-require-full-coverage no`), call it failed after `cluster-node-timeout`, 2 s, and then its replica,
 * where there is one, takes its place.
 *
 * Built with CLUSTER commands alone, so no `redis-cli` is needed. Up in about 3 s: the nodes' gossip ticks
 * once a second.
 */
export interface PrivateCluster {
  /** As our processes take it: `redis-cluster://127.0.0.1:a,127.0.0.1:b,127.0.0.1:c`. */
  readonly url: string;
  /** The primaries, in the order of their slots. */
  readonly nodes: readonly PrivateRedis[];
  /** Of the primary at the same place; empty where none were asked for. */
  readonly replicas: readonly PrivateRedis[];
  /** Ends the nodes that are left and removes their folders. May be called twice. */
  stop(): Promise<void>;
}

const NODES = 3;
const SLOTS = 16_384;
/** A node talks to the others on its port plus this (Redis' own rule). */
const BUS_OFFSET = 10_000;
const UP_WITHIN_MS = 15_000;
const START_ATTEMPTS = 5;

export interface PrivateClusterOptions {
  readonly args?: readonly string[];
  /** One replica of each primary. */
  readonly replicas?: boolean;
}

/** @throws Error when the nodes do not agree within 15 s; none is left running then */
export async function startPrivateCluster(options: PrivateClusterOptions = {}): Promise<PrivateCluster> {
  const nodes: PrivateRedis[] = [];
  const replicas: PrivateRedis[] = [];
  const stop = async () => {
    await Promise.all([...nodes, ...replicas].map((node) => node.stop()));
  };
  try {
    const args = ["--repl-diskless-sync-delay", "0", ...(options.args ?? [])];
    for (let index = 0; index < NODES; index += 1) {
      nodes.push(await startNode(args));
      if (options.replicas === true) replicas.push(await startNode(args));
    }
    await join(nodes, replicas);
  } catch (error) {
    await stop();
    throw error;
  }
  const hosts = [...nodes, ...replicas].map((node) => `127.0.0.1:${node.port}`).join(",");
  return { url: `redis-cluster://${hosts}`, nodes, replicas, stop };
}

async function startNode(args: readonly string[]): Promise<PrivateRedis> {
  const clusterArgs = [
    ...["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"],
    ...["--cluster-require-full-coverage", "no", "--cluster-config-file", "nodes.conf"],
    ...args,
  ];
  // Another process may take one of the two ports between our look and the node's start.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startPrivateRedis({ port: await freePortWithBus(), args: clusterArgs });
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

async function freePortWithBus(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = await freePort();
    if (port + BUS_OFFSET <= 65_535 && (await isFree(port + BUS_OFFSET))) return port;
  }
  throw new Error("no port whose cluster bus port is free too could be had");
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

async function join(nodes: readonly PrivateRedis[], replicas: readonly PrivateRedis[]): Promise<void> {
  const primaries = nodes.map((node) => new Redis(node.url));
  const followers = replicas.map((node) => new Redis(node.url));
  try {
    const share = Math.ceil(SLOTS / nodes.length);
    for (const [index, client] of primaries.entries()) {
      const last = Math.min((index + 1) * share, SLOTS) - 1;
      await client.call("CLUSTER", "ADDSLOTSRANGE", index * share, last);
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
    }
    const [first] = nodes;
    for (const client of [...primaries.slice(1), ...followers]) {
      if (first !== undefined) await client.call("CLUSTER", "MEET", "127.0.0.1", first.port);
    }
    await agreed([...primaries, ...followers], knowsAllSlots);
    for (const [index, client] of followers.entries()) {
      await client.call("CLUSTER", "REPLICATE", String(await primaries[index]?.call("CLUSTER", "MYID")));
    }
    await agreed(followers, holdsACopy);
    await agreed(primaries.slice(0, followers.length), (client) => knowsReplicas(client, replicas.length));
  } finally {
    for (const client of [...primaries, ...followers]) client.disconnect();
  }
}

async function agreed(clients: readonly Redis[], holds: (client: Redis) => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + UP_WITHIN_MS;
  while (!(await Promise.all(clients.map(holds))).every(Boolean)) {
    if (performance.now() > deadlineMs) throw new Error("the cluster's nodes did not agree in 15 s");
    await sleep(20);
  }
}

async function knowsAllSlots(client: Redis): Promise<boolean> {
  const info = String(await client.call("CLUSTER", "INFO"));
  return (
    info.includes("cluster_state:ok") &&
    info.includes(`cluster_slots_ok:${SLOTS}`) &&
    info.includes(`cluster_size:${NODES}`)
  );
}

const holdsACopy = async (client: Redis) =>
  (await client.info("replication")).includes("master_link_status:up");

/** A replica is voted for only when the others know of it. */
async function knowsReplicas(client: Redis, count: number): Promise<boolean> {
  const nodes = String(await client.call("CLUSTER", "NODES"));
  return nodes.split("\n").filter((line) => /\bslave\b/.test(line)).length === count;
}
