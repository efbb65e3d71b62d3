import { afterAll, beforeAll, describe } from "vitest";
import { type PrivateCluster, startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";
import { boundContract, cacheContract } from "./contract.ts";
import { flightsContract, redisFlights } from "./flights-contract.ts";
import { redisCaches } from "./stores.ts";

let cluster: PrivateCluster;
beforeAll(async () => {
  cluster = await startPrivateCluster();
});
afterAll(() => cluster.stop());

describe("cached speech over a three-node Redis Cluster", () => {
  cacheContract((limits) => redisCaches(cluster.url)(limits));
  boundContract((limits) => redisCaches(cluster.url)(limits));
});

describe("cached speech over a cluster that evicts by itself", () => {
  cacheContract((limits) => redisCaches(cluster.url, "redis")(limits));
});

describe("flights over a three-node Redis Cluster", () =>
  flightsContract((ttlMs) => redisFlights(cluster.url)(ttlMs)));
