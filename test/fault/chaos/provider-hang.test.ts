import { expect, it } from "vitest";
import { providerHang } from "../../../scripts/chaos/scenarios/provider.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "an utterance whose provider stops without a word goes on, on a fresh socket",
  async () => {
    const { broken } = await runSmall(providerHang);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "without that, its rest is lost",
  async () => {
    const { broken, tally } = await runSmall(providerHang, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.lostTold).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
