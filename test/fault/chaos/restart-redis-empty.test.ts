import { expect, it } from "vitest";
import { restartRedisEmpty } from "../../../scripts/chaos/scenarios/redis.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "a Redis that comes back empty ends what is under way, told and retryable, and every session goes on",
  async () => {
    const { broken } = await runSmall(restartRedisEmpty);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

// Of two protections this one is switched off. The other one, a worker that ends a job whose text is gone, remains.
it.concurrent(
  "no session is stuck where an edge takes a forgotten stream for a silent one: the worker finds no text and ends it",
  async () => {
    const { tally } = await runSmall(restartRedisEmpty, { unprotected: true });
    expect(tally.sessionsStuck).toBe(0);
  },
  LIMIT_MS,
);
