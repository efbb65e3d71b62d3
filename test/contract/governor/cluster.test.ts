import { afterAll, beforeAll, describe } from "vitest";
import { type PrivateCluster, startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";
import { governorContract } from "./contract.ts";

describe("the governor over a three-node Redis Cluster", () => {
  let cluster: PrivateCluster;
  beforeAll(async () => {
    cluster = await startPrivateCluster();
  });
  afterAll(() => cluster.stop());
  governorContract(() => cluster.url);
});
