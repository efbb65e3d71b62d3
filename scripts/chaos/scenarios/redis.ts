import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Scenario, Stage } from "../scenario.ts";

/** As long as a supervisor or Kubernetes takes to start it again. */
const DOWN_MS = 1_000;
const BETWEEN_MS = 6_000;
/** Detection (2 s), election, and the clients' learning of it. */
const FAILOVER_MS = 8_000;

const load = { sessions: 40, delivery: "burst", resume: true } as const;

/** Killed and started again, in a while once more. */
const restarts = async (stage: Stage) => {
  await stage.ended(1);
  for (let turn = 0; turn === 0 || !stage.enough; turn += 1) {
    stage.struck("killed Redis");
    await stage.redis.kill();
    await sleep(DOWN_MS);
    await stage.redis.start();
    await stage.pause(BETWEEN_MS);
  }
};

export const restartRedis: Scenario = {
  name: "restart-redis",
  about: "kill -9 of a Redis with its append-only file on, back a second later",
  system: { redis: "append-only", edges: 2, workers: 3, env: {} },
  load,
  promises: { mayRefuse: true },
  unprotected: {
    about: "the append-only file is off",
    system: { redis: "empty" },
  },
  harm: restarts,
};

export const restartRedisEmpty: Scenario = {
  name: "restart-redis-empty",
  about:
    "kill -9 of a Redis without persistence: what is under way may end, told and retryable; sessions go on",
  system: { redis: "empty", edges: 2, workers: 3, env: {} },
  load,
  promises: { mayFailRetryably: true },
  unprotected: {
    about: "a stream that Redis has forgotten is taken for a silent one",
    system: { files: { edge: join(import.meta.dirname, "../fleet/edge-that-waits.ts") } },
  },
  harm: restarts,
};

/** Until the links are noticed to be dead, and a while of speech. */
const BLACK_HOLE_MS = 12_000;

export const redisBlackHole: Scenario = {
  name: "redis-black-hole",
  about: "every established connection to Redis passes nothing on any more, and stays open; new ones work",
  system: { redis: "behind-proxy", edges: 2, workers: 3, env: {} },
  load,
  promises: { mayRefuse: true },
  unprotected: {
    about: "no connection is watched (REDIS_DEAD_AFTER_MS=0)",
    system: { env: { edge: { REDIS_DEAD_AFTER_MS: "0" }, worker: { REDIS_DEAD_AFTER_MS: "0" } } },
  },
  harm: async (stage) => {
    await stage.ended(1);
    for (let turn = 0; turn === 0 || !stage.enough; turn += 1) {
      stage.struck("every link to Redis is dead");
      stage.redis.blackHole();
      await stage.pause(BLACK_HOLE_MS);
    }
  },
};

export const redisFailover: Scenario = {
  name: "redis-failover",
  about: "a cluster with replicas; the primaries are killed one after the other, replicas take their place",
  system: { redis: "cluster-with-replicas", edges: 2, workers: 3, env: {} },
  load,
  promises: { mayRefuse: true },
  unprotected: {
    about: "the cluster has no replicas",
    system: { redis: "cluster" },
  },
  harm: async (stage) => {
    await stage.ended(1);
    // Two of three: the last one could not be elected against.
    for (const place of [0, 1]) {
      if (place > 0 && stage.enough) return;
      stage.struck(`killed primary ${place + 1}`);
      await stage.redis.killPrimary(place);
      await sleep(FAILOVER_MS);
    }
  },
};
