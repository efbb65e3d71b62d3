import type { Redis } from "ioredis";
import { isCluster, type RedisConnection } from "./client.ts";

/**
 * Counts how often a connection to any node was cut. After a cut there may be another server at the other end, or
 * the same one with an older memory: a writer that has stored something before looks again before it stores more.
 */
export class LinkWatch {
  readonly #redis: RedisConnection;
  readonly #watched = new Set<Redis>();
  #cuts = 0;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    if (!isCluster(redis)) redis.on("close", this.#onCut);
    else {
      for (const node of redis.nodes("all")) this.#watch(node);
      redis.on("+node", this.#watch);
      redis.on("-node", this.#onGone);
    }
  }

  get cuts(): number {
    return this.#cuts;
  }

  /** Safe to call twice. */
  close(): void {
    this.#redis.off("close", this.#onCut);
    this.#redis.off("+node", this.#watch);
    this.#redis.off("-node", this.#onGone);
    for (const node of this.#watched) node.off("close", this.#onCut);
    this.#watched.clear();
  }

  readonly #onCut = (): void => {
    this.#cuts += 1;
  };

  readonly #watch = (node: Redis): void => {
    if (this.#watched.has(node)) return;
    this.#watched.add(node);
    node.on("close", this.#onCut);
  };

  readonly #onGone = (node: Redis): void => {
    this.#cuts += 1;
    node.off("close", this.#onCut);
    this.#watched.delete(node);
  };
}
