import { expect, it } from "vitest";
import { cutClient } from "../../../scripts/chaos/scenarios/edges.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "clients whose connections are cut at random hear what they would have heard, byte for byte",
  async () => {
    const { broken } = await runSmall(cutClient);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "clients that do not resume lose what they were hearing",
  async () => {
    const { broken, tally } = await runSmall(cutClient, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.lost).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
