import { expect, it } from "vitest";
import { rollingRestart } from "../../../scripts/chaos/scenarios/rolling-restart.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "every process is replaced, one after the other, and nobody hears it",
  async () => {
    const { broken } = await runSmall(rollingRestart);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "clients that do not resume lose what they were hearing",
  async () => {
    const { broken, tally } = await runSmall(rollingRestart, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.lost).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
