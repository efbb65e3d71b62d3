import { expect, it } from "vitest";
import { restartRedisEmpty } from "../../../scripts/chaos/scenarios/redis.ts";
import { LIMIT_MS, runSmall } from "../../harness/chaos-run.ts";

it.concurrent(
  "a Redis that comes back empty ends what is under way, told and retryable, and every session goes on",
  async () => {
    const { broken } = await runSmall(restartRedisEmpty);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "one that does not come back keeps sessions from going on, but nobody waits for ever",
  async () => {
    const { broken, tally } = await runSmall(restartRedisEmpty, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.sessionsNotGoingOn).toBe(tally.sessions);
    expect(tally.sessionsStuck).toBe(0);
  },
  LIMIT_MS,
);
