import { expect, it } from "vitest";
import { restartRedis } from "../../../scripts/chaos/scenarios/redis.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "a Redis that is killed and comes back with its data interrupts nobody for good",
  async () => {
    const { broken } = await runSmall(restartRedis);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "one that comes back empty loses what was under way",
  async () => {
    const { broken, tally } = await runSmall(restartRedis, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.lostTold).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
