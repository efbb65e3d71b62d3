import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";
import { type PrivateCluster, startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";
import { type PrivateRedis, startPrivateRedis } from "../../private-redis.ts";

export type RedisKind = "empty" | "append-only" | "behind-proxy" | "cluster" | "cluster-with-replicas";

/** A Redis that can be hurt. */
export interface ChaosRedis {
  readonly url: string;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** The same address again: with its data if it is append-only, else empty. */
  start(): Promise<void>;
  /** kill -9 of a primary of the cluster, by its place; it does not come back. */
  killPrimary(place: number): Promise<void>;
  /** Established connections pass nothing on from now on, and stay open; new ones work. Only behind a proxy. */
  blackHole(): void;
  close(): Promise<void>;
}

export async function startChaosRedis(kind: RedisKind): Promise<ChaosRedis> {
  if (kind === "cluster" || kind === "cluster-with-replicas") {
    const cluster = await startPrivateCluster({ replicas: kind === "cluster-with-replicas" });
    return new ClusterToHurt(cluster);
  }
  if (kind === "behind-proxy") return BehindProxy.start();
  return SingleToHurt.start(kind === "append-only");
}

class SingleToHurt implements ChaosRedis {
  readonly #dir: string;
  readonly #args: readonly string[];
  #server: PrivateRedis;

  private constructor(dir: string, args: readonly string[], server: PrivateRedis) {
    this.#dir = dir;
    this.#args = args;
    this.#server = server;
  }

  static async start(isAppendOnly: boolean): Promise<SingleToHurt> {
    const dir = await mkdtemp(join(tmpdir(), "tts-labs-chaos-"));
    // Written before each answer, so that kill -9 of the process alone loses nothing that was acknowledged.
    const args = isAppendOnly ? ["--appendonly", "yes", "--appendfsync", "everysec"] : [];
    return new SingleToHurt(dir, args, await startPrivateRedis({ dir, args }));
  }

  get url(): string {
    return this.#server.url;
  }

  async kill(): Promise<void> {
    process.kill(this.#server.pid, "SIGKILL");
    await this.#server.closed;
  }

  async start(): Promise<void> {
    const { port } = this.#server;
    this.#server = await startPrivateRedis({ port, dir: this.#dir, args: this.#args });
  }

  killPrimary(): Promise<void> {
    throw new RangeError("a single Redis has no primaries");
  }

  blackHole(): void {
    throw new RangeError("there is nothing between this Redis and those who use it");
  }

  async close(): Promise<void> {
    await this.#server.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

class BehindProxy implements ChaosRedis {
  readonly url: string;
  readonly #redis: SingleToHurt;
  readonly #proxy: ChaosProxy;

  private constructor(redis: SingleToHurt, proxy: ChaosProxy) {
    this.#redis = redis;
    this.#proxy = proxy;
    this.url = `redis://127.0.0.1:${proxy.port}`;
  }

  static async start(): Promise<BehindProxy> {
    const redis = await SingleToHurt.start(false);
    const proxy = await new ChaosProxy().open(Number(new URL(redis.url).port));
    return new BehindProxy(redis, proxy);
  }

  kill(): Promise<void> {
    return this.#redis.kill();
  }

  start(): Promise<void> {
    return this.#redis.start();
  }

  killPrimary(): Promise<void> {
    return this.#redis.killPrimary();
  }

  blackHole(): void {
    this.#proxy.blackHole();
  }

  async close(): Promise<void> {
    await this.#proxy.close();
    await this.#redis.close();
  }
}

class ClusterToHurt implements ChaosRedis {
  readonly url: string;
  readonly #cluster: PrivateCluster;

  constructor(cluster: PrivateCluster) {
    this.#cluster = cluster;
    this.url = cluster.url;
  }

  kill(): Promise<void> {
    throw new RangeError("a cluster is not killed as a whole");
  }

  start(): Promise<void> {
    throw new RangeError("a cluster is not restarted as a whole");
  }

  blackHole(): void {
    throw new RangeError("there is nothing between a cluster and those who use it");
  }

  async killPrimary(place: number): Promise<void> {
    const node = this.#cluster.nodes[place];
    if (node === undefined) throw new RangeError(`there is no primary ${place}`);
    process.kill(node.pid, "SIGKILL");
    await node.closed;
  }

  close(): Promise<void> {
    return this.#cluster.stop();
  }
}
