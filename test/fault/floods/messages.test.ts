import { CONNECTION_LIMITS, EDGE_LIMITS } from "@tts-labs/edge/budget/limits";
import { beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { type EdgeAlone, type EdgeAloneOptions, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { type FloodBounds, toFloodBounds } from "../../../testkit/floods/flood-bounds.ts";
import { FLOODS } from "../../../testkit/floods/flood-kinds.ts";
import { witness } from "../../../testkit/floods/flood-witness.ts";
import { runFlood } from "../../../testkit/floods/run-flood.ts";

/**
 * Seconds of each kind; `npm run bench -- floods` floods for longer, and judges to 100 ms. This worker has places for
 * all: what a flooder's utterances take of a real one's shows there.
 */
const SECONDS = 1;
/** Frames that never make a message are seen by no code of ours: docs/budgets.md, "What is not bounded here". */
const KINDS = Object.entries(FLOODS)
  .filter(([, flood]) => flood.kind === "frames" && flood.first === undefined)
  .map(([name]) => name);

async function open(seams: EdgeAloneOptions["seams"] = {}): Promise<EdgeAlone> {
  const alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), seams });
  onTestFinished(() => alone.close());
  return alone;
}

/** The budgets that were met, each with what was done. */
async function reached({ edge }: EdgeAlone): Promise<readonly string[]> {
  const text = await (await fetch(`${edge.opsUrl}/metrics`)).text();
  const series = /^tts_edge_budget_reached_total\{budget="(.*?)",action="(paused|closed)"\} [1-9]/gm;
  return [...text.matchAll(series)].map(([, budget, action]) => `${budget} ${action}`);
}

async function flood(alone: EdgeAlone, name: string) {
  const { url } = alone.edge;
  const [witnessed, flooder] = await Promise.all([
    witness({ url, seconds: SECONDS + 1 }),
    runFlood(url, name, SECONDS),
  ]);
  return { witnessed, flooder, names: await reached(alone) };
}

let bounds: FloodBounds;
beforeAll(async () => {
  const alone = await startEdgeAlone({ redisUrl: inject("redisUrl") });
  const { url } = alone.edge;
  await witness({ url, seconds: 1 });
  bounds = toFloodBounds(await witness({ url, seconds: SECONDS + 1 }));
  await alone.close();
});

describe("one client at line rate", () => {
  test.each(KINDS)("with %s is paused or closed by name, and nobody else notices", async (name) => {
    const { witnessed, flooder, names } = await flood(await open(), name);
    expect(witnessed.refused).toEqual([]);
    expect(witnessed.lateMs).toBeLessThan(bounds.lateMs);
    expect(Math.max(...witnessed.firstAudioMs)).toBeLessThan(bounds.firstAudioMs);
    expect([...names, ...(flooder.closeCode === undefined ? [] : [flooder.closeCode])]).not.toEqual([]);
  });

  test("with pings is neither paused nor closed where a connection has no limits (negative twin)", async () => {
    const rate = { perSecond: Number.POSITIVE_INFINITY, burst: Number.POSITIVE_INFINITY };
    const connection = {
      ...CONNECTION_LIMITS,
      messages: rate,
      bytes: rate,
      heldMessages: Number.POSITIVE_INFINITY,
      heldBytes: Number.POSITIVE_INFINITY,
      messagesPerTurn: Number.POSITIVE_INFINITY,
      unreadAnswers: Number.POSITIVE_INFINITY,
    };
    const alone = await open({ limits: { connection, edge: { ...EDGE_LIMITS, turnMs: 1_000 } } });
    await runFlood(alone.edge.url, "ping frames", SECONDS);
    expect(await reached(alone)).toEqual([]);
  });
});
