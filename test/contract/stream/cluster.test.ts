import { afterAll, beforeAll, describe } from "vitest";
import { type PrivateCluster, startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";
import { streamContract } from "./contract.ts";
import { redisStores } from "./stores.ts";

describe("streams over a three-node Redis Cluster", () => {
  let cluster: PrivateCluster;
  beforeAll(async () => {
    cluster = await startPrivateCluster();
  });
  afterAll(() => cluster.stop());
  streamContract((options) => redisStores(cluster.url)(options));
});
