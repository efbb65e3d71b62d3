import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_LIMITS } from "@tts-labs/edge/budget/edge-budget";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, type EdgeAloneOptions, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { UPGRADE } from "../../../testkit/floods/flood-kinds.ts";

const ABORTED = 400;
const AT_A_TIME = 8;
/** Longer than an edge takes to open a session, shorter than a client has to stay where many have left. */
const HOLD_MS = 20;
/** Those that made others doubtful, and those that came meanwhile. */
const MOST_BEGUN = 50 + 2 * AT_A_TIME;

async function open(seams: EdgeAloneOptions["seams"] = {}): Promise<EdgeAlone> {
  const alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), seams });
  onTestFinished(() => alone.close());
  return alone;
}

async function giveUpMany(port: number): Promise<void> {
  const one = async () => {
    for (let i = 0; i < ABORTED / AT_A_TIME; i++) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      await once(socket, "connect");
      await new Promise((resolve) => socket.write(UPGRADE, resolve));
      await sleep(HOLD_MS);
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, one));
}

/** Sessions that wait in Redis for clients that will not come back. */
const begun = async ({ redis, keys }: EdgeAlone) =>
  (await redis.keys(`${keys.prefix}:held-session:*`)).length;

describe("upgrades whose clients leave at once, at line rate,", () => {
  test("open no sessions once many have left, and a client that stays has its own", async () => {
    const alone = await open();
    await giveUpMany(alone.edge.port);
    expect(await begun(alone)).toBeLessThanOrEqual(MOST_BEGUN);
    const client = await NativeClient.connect(alone.edge.url);
    expect((await client.speak("I stay.")).end.type).toBe("stream_complete");
    await client.close();
  });

  test("open one each where nothing counts them (negative twin)", async () => {
    const { connection, edge } = DEFAULT_LIMITS;
    const givenUpRequests = { perSecond: 20, burst: Number.POSITIVE_INFINITY };
    const alone = await open({ limits: { connection, edge: { ...edge, givenUpRequests } } });
    await giveUpMany(alone.edge.port);
    expect(await begun(alone)).toBeGreaterThan(2 * MOST_BEGUN);
  });

  test("clients that speak and leave at once are none of them", async () => {
    const alone = await open();
    for (let i = 0; i < 60; i++) {
      const client = await NativeClient.connect(alone.edge.url);
      client.send({ type: "ping" });
      await client.next("pong");
      await client.close();
    }
    const text = await (await fetch(`${alone.edge.opsUrl}/metrics`)).text();
    expect(text).not.toMatch(/budget="given-up-requests",action="paused"\} [1-9]/);
    expect(text).toMatch(/tts_edge_budget_used\{budget="given-up-requests"\} 0/);
  });
});
