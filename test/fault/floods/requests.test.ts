import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { type FloodBounds, toFloodBounds } from "../../../testkit/floods/flood-bounds.ts";
import { FLOODS } from "../../../testkit/floods/flood-kinds.ts";
import { witness } from "../../../testkit/floods/flood-witness.ts";
import { runFlood } from "../../../testkit/floods/run-flood.ts";

/** Seconds of each kind; `npm run bench -- floods` floods for longer. */
const SECONDS = 1;
/** Each HTTP route and method, whole and given up, upgrades included. Messages are another test's. */
const KINDS = Object.entries(FLOODS)
  .filter(([, { kind }]) => kind !== "frames")
  .map(([name]) => name);

let alone: EdgeAlone;
let bounds: FloodBounds;
beforeAll(async () => {
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), edge: { resumeWindowMs: 1_000 } });
  const { url } = alone.edge;
  await witness({ url, seconds: 1 });
  bounds = toFloodBounds(await witness({ url, seconds: SECONDS + 1 }));
});
afterAll(() => alone.close());

describe("one client that floods", () => {
  test.each(KINDS)("with %s disturbs nobody, and leaves nothing behind", async (name) => {
    const { url } = alone.edge;
    const [witnessed, flooder] = await Promise.all([
      witness({ url, seconds: SECONDS + 0.5 }),
      runFlood(url, name, SECONDS),
    ]);
    expect(flooder.connections).toBeGreaterThan(0);
    expect(witnessed.refused).toEqual([]);
    expect(witnessed.lateMs).toBeLessThan(bounds.lateMs);
    expect(Math.max(...witnessed.firstAudioMs)).toBeLessThan(bounds.firstAudioMs);
    await expect
      .poll(() => alone.edge.counts(), { timeout: 10_000 })
      .toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
  });
});
