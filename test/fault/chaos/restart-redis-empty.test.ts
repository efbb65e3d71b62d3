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
  "sessions are stuck where a forgotten stream is taken for a silent one",
  async () => {
    const { broken, tally } = await runSmall(restartRedisEmpty, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.sessionsStuck).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
