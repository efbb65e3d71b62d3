import { afterAll, beforeAll, describe } from "vitest";
import { type PrivateCluster, startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";
import { breakerContract } from "./contract.ts";

describe("the breaker over a three-node Redis Cluster", () => {
  let cluster: PrivateCluster;
  beforeAll(async () => {
    cluster = await startPrivateCluster();
  });
  afterAll(() => cluster.stop());
  breakerContract(() => cluster.url);
});
