import { expect, it } from "vitest";
import { freezeWorker } from "../../../scripts/chaos/scenarios/workers.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "a worker frozen past its lock is followed by others, and harms nothing when it thaws",
  async () => {
    const { broken } = await runSmall(freezeWorker);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "without takeover, what it was speaking is lost",
  async () => {
    const { broken, tally } = await runSmall(freezeWorker, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.lostTold).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
