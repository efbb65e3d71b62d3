import { expect, it } from "vitest";
import { redisBlackHole } from "../../../scripts/chaos/scenarios/redis.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "links to Redis that die without a close interrupt nobody for good",
  async () => {
    const { broken } = await runSmall(redisBlackHole);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "links that nobody watches stay dead, and nothing is spoken any more",
  async () => {
    const { broken, tally } = await runSmall(redisBlackHole, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.sessionsNotGoingOn).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
