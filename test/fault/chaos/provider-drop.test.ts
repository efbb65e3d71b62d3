import { expect, it } from "vitest";
import { providerDrop } from "../../../scripts/chaos/scenarios/provider.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "an utterance whose provider breaks off goes on at the word being spoken, on a fresh socket",
  async () => {
    const { broken } = await runSmall(providerDrop);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "without that, its rest is lost",
  async () => {
    const { broken, tally } = await runSmall(providerDrop, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.lostTold).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
