import { expect, it } from "vitest";
import { providerSilent } from "../../../scripts/chaos/scenarios/provider.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "an utterance whose provider stays silent, or is done without a sample, is spoken on a fresh socket",
  async () => {
    const { broken } = await runSmall(providerSilent);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "without that, it is never spoken",
  async () => {
    const { broken, tally } = await runSmall(providerSilent, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.errors["provider.silent"]).toBeGreaterThan(0);
    expect(tally.completed).toBeLessThan(tally.utterances);
  },
  LIMIT_MS,
);
