import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { freePort, type PrivateRedis, startPrivateRedis } from "../../scripts/private-redis.ts";

/**
 * A Redis Cluster of one's own: three primaries on free loopback ports, no replicas, no persistence. A node
 * that is ended leaves its third of the slots unserved; the others go on (`cluster-require-full-coverage no`)
 * and call it failed after `cluster-node-timeout`, 2 s.
 *
 * Built with CLUSTER commands alone, so no `redis-cli` is needed. Up in about 3 s: the nodes' gossip ticks
 * once a second.
 */
export interface PrivateCluster {
  /** As our processes take it: `redis-cluster://127.0.0.1:a,127.0.0.1:b,127.0.0.1:c`. */
  readonly url: string;
  readonly nodes: readonly PrivateRedis[];
  /** Ends the nodes that are left and removes their folders. May be called twice. */
  stop(): Promise<void>;
}

const NODES = 3;
const SLOTS = 16_384;
/** A node talks to the others on its port plus this (Redis' own rule). */
const BUS_OFFSET = 10_000;
const UP_WITHIN_MS = 15_000;
const START_ATTEMPTS = 5;

/** @throws Error when the nodes do not agree within 15 s; none is left running then */
export async function startPrivateCluster(
  options: { readonly args?: readonly string[] } = {},
): Promise<PrivateCluster> {
  const nodes: PrivateRedis[] = [];
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    for (let index = 0; index < NODES; index += 1) nodes.push(await startNode(options.args ?? []));
    await join(nodes);
  } catch (error) {
    await stop();
    throw error;
  }
  const hosts = nodes.map((node) => `127.0.0.1:${node.port}`).join(",");
  return { url: `redis-cluster://${hosts}`, nodes, stop };
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

async function join(nodes: readonly PrivateRedis[]): Promise<void> {
  const clients = nodes.map((node) => new Redis(node.url));
  try {
    const share = Math.ceil(SLOTS / nodes.length);
    for (const [index, client] of clients.entries()) {
      const last = Math.min((index + 1) * share, SLOTS) - 1;
      await client.call("CLUSTER", "ADDSLOTSRANGE", index * share, last);
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
      const first = nodes[0];
      if (index > 0 && first) await client.call("CLUSTER", "MEET", "127.0.0.1", first.port);
    }
    const deadlineMs = performance.now() + UP_WITHIN_MS;
    while (!(await all(clients, knowsAllSlots))) {
      if (performance.now() > deadlineMs) throw new Error("the cluster's nodes did not agree in 15 s");
      await sleep(20);
    }
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function all(clients: readonly Redis[], holds: (client: Redis) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(clients.map(holds))).every(Boolean);
}

async function knowsAllSlots(client: Redis): Promise<boolean> {
  const info = String(await client.call("CLUSTER", "INFO"));
  return (
    info.includes("cluster_state:ok") &&
    info.includes(`cluster_slots_ok:${SLOTS}`) &&
    info.includes(`cluster_size:${NODES}`)
  );
}
