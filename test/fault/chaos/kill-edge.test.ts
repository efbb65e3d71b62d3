import { expect, it } from "vitest";
import { killEdge } from "../../../scripts/chaos/scenarios/edges.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "the clients of an edge that is killed go on at another, from the very sample",
  async () => {
    const { broken } = await runSmall(killEdge);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "clients that do not resume lose what they were hearing",
  async () => {
    const { broken, tally } = await runSmall(killEdge, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.lost).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
