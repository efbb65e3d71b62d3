import { expect, it } from "vitest";
import { redisFailover } from "../../../scripts/chaos/scenarios/redis.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "primaries of a cluster may be killed: their replicas have it all",
  async () => {
    const { broken } = await runSmall(redisFailover);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "without replicas, what lay on them is lost",
  async () => {
    const { broken, tally } = await runSmall(redisFailover, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.lostTold).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
