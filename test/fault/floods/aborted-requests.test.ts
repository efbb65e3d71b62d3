import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_LIMITS } from "@tts-labs/edge/budget/edge-budget";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { type EdgeAlone, type EdgeAloneOptions, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";

const TEXT = "Asked for and given up.";
const ABORTED = 400;
const AT_A_TIME = 8;
/** Longer than an edge takes to see a request, shorter than one has to stay where many are given up. */
const HOLD_MS = 20;
/** Those that made others doubtful, and those that came meanwhile. */
const MOST_BEGUN = 50 + 2 * AT_A_TIME;

async function open(seams: EdgeAloneOptions["seams"] = {}): Promise<EdgeAlone> {
  const alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), seams });
  onTestFinished(() => alone.close());
  return alone;
}

/** `POST /api/v1/synthesize` again and again, each given up before its answer. */
async function giveUpMany(port: number): Promise<void> {
  const body = JSON.stringify({ text: TEXT });
  const said = `POST /api/v1/synthesize HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const one = async () => {
    for (let i = 0; i < ABORTED / AT_A_TIME; i++) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      await once(socket, "connect");
      await new Promise((resolve) => socket.write(said, resolve));
      await sleep(HOLD_MS);
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, one));
}

async function count(alone: EdgeAlone, series: RegExp): Promise<number> {
  const text = await (await fetch(`${alone.edge.opsUrl}/metrics`)).text();
  const values = [...text.matchAll(series)].map(([, value]) => Number(value));
  return values.reduce((sum, value) => sum + value, 0);
}

const begun = (alone: EdgeAlone) => count(alone, /^tts_edge_utterances_ended_total\{.*\} (\d+)/gm);
const paused = (alone: EdgeAlone) =>
  count(alone, /^tts_edge_budget_reached_total\{budget="given-up-requests",action="paused"\} (\d+)/gm);
const isSettled = (alone: EdgeAlone) =>
  expect.poll(() => alone.edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });

describe("requests aborted at line rate", () => {
  test("are begun no more once many were given up, and one that stays is answered", async () => {
    const alone = await open();
    await giveUpMany(alone.edge.port);
    const response = await fetch(new URL("/api/v1/synthesize", alone.edge.url), {
      method: "POST",
      headers: { "content-type": "application/json", accept: "audio/pcm" },
      body: JSON.stringify({ text: TEXT }),
    });
    expect(Buffer.from(await response.arrayBuffer()).equals(fakeSpeechOf(TEXT))).toBe(true);
    await isSettled(alone);
    expect(await paused(alone)).toBeGreaterThan(ABORTED / 4);
    expect(await begun(alone)).toBeLessThanOrEqual(MOST_BEGUN);
  });

  test("all are begun where nothing counts them (negative twin)", async () => {
    const { connection, edge } = DEFAULT_LIMITS;
    const givenUpRequests = { perSecond: 20, burst: Number.POSITIVE_INFINITY };
    const alone = await open({ limits: { connection, edge: { ...edge, givenUpRequests } } });
    await giveUpMany(alone.edge.port);
    await isSettled(alone);
    expect(await begun(alone)).toBeGreaterThan(MOST_BEGUN);
    expect(await paused(alone)).toBe(0);
  });
});
