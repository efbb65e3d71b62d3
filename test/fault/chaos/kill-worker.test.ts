import { expect, it } from "vitest";
import { killWorker } from "../../../scripts/chaos/scenarios/workers.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

it.concurrent(
  "workers killed in mid-utterance are followed by others, who go on at the word being spoken",
  async () => {
    const { broken } = await runSmall(killWorker);
    expect(broken).toEqual([]);
  },
  LIMIT_MS,
);

it.concurrent(
  "without takeover, what they were speaking is lost",
  async () => {
    const { broken, tally } = await runSmall(killWorker, { unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.lostTold).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
