import type { Scenario } from "./scenario.ts";
import { cutClient, killEdge } from "./scenarios/edges.ts";
import { providerDrop, providerHang, providerSilent } from "./scenarios/provider.ts";
import { redisBlackHole, redisFailover, restartRedis, restartRedisEmpty } from "./scenarios/redis.ts";
import { rollingRestart } from "./scenarios/rolling-restart.ts";
import { freezeWorker, killWorker } from "./scenarios/workers.ts";

/** In the order of `--list`. */
export const SCENARIOS: readonly Scenario[] = [
  killWorker,
  freezeWorker,
  killEdge,
  cutClient,
  restartRedis,
  restartRedisEmpty,
  redisFailover,
  redisBlackHole,
  providerDrop,
  providerHang,
  providerSilent,
  rollingRestart,
];
