import { expect, it } from "vitest";
import { SPOKEN_SENTENCES } from "../../../scripts/chaos/listener/texts.ts";
import type { Scenario } from "../../../scripts/chaos/scenario.ts";
import { cutClient, killEdge } from "../../../scripts/chaos/scenarios/edges.ts";
import { LIMIT_MS, runSmall } from "../../../testkit/fleet/chaos-run.ts";

/** Ten sessions have six texts between them. */
const text: NonNullable<Scenario["text"]> = (session, turn) => {
  const { text: whole, voice } = SPOKEN_SENTENCES[(session + turn * 5) % 6] ?? { text: "", voice: "" };
  return { text: whole, voice, pieces: [whole] };
};

it.concurrent.each([cutClient, killEdge])(
  "$name: what is heard from the cache, or with another, survives its edge byte for byte as well",
  async (scenario) => {
    const { broken, tally } = await runSmall({ ...scenario, text }, { cache: true });
    expect(broken).toEqual([]);
    const { hit = 0, joined = 0, miss = 0 } = tally.cache;
    expect(miss).toBeGreaterThan(0);
    expect(hit + joined).toBeGreaterThan(0);
  },
  LIMIT_MS,
);

it.concurrent(
  "without resuming it is lost",
  async () => {
    const { broken, tally } = await runSmall({ ...cutClient, text }, { cache: true, unprotected: true });
    expect(broken).not.toEqual([]);
    expect(tally.lost).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
