import { once } from "node:events";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { silentLogger } from "@tts-labs/core/logger";
import { Cluster, closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PrivateCluster, startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";

/** From its first answer to ready it takes some 20 turns of the event loop. */
const TURNS = 30;

/** Timers still open when every one that was to end soon (ioredis', 2 s at most) has had time to. */
async function timersLeft(): Promise<number> {
  const open = () => process.getActiveResourcesInfo().filter((it) => it === "Timeout").length;
  const deadlineMs = performance.now() + 4_000;
  while (open() > 0 && performance.now() < deadlineMs) await sleep(20, undefined, { ref: false });
  return open();
}

/** Closes one connection after the other, each a turn of the event loop later in its making. */
async function closeAtEachTurn(open: () => Cluster): Promise<Cluster[]> {
  const closed: Cluster[] = [];
  for (const from of ["connecting", "connect"] as const) {
    for (let turns = 0; turns < TURNS; turns++) {
      const connection = open();
      if (from === "connect") await once(connection, "connect");
      for (let i = 0; i < turns; i++) await turn();
      await closeRedis(connection);
      closed.push(connection);
    }
  }
  return closed;
}

describe("a connection to a cluster that is closed at any moment of its making", () => {
  let cluster: PrivateCluster;
  beforeAll(async () => {
    cluster = await startPrivateCluster();
    expect(await timersLeft()).toBe(0);
  });
  afterAll(() => cluster.stop());

  test.each(["commands", "subscriber"] as const)("leaves no timer: %s", async (purpose) => {
    await closeAtEachTurn(() => openRedis({ url: cluster.url, purpose, logger: silentLogger }) as Cluster);
    expect(await timersLeft()).toBe(0);
  });

  test("leaves some, and for ever, where ioredis asks for the map by itself", async () => {
    const nodes = cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
    const closed = await closeAtEachTurn(() => new Cluster(nodes, { slotsRefreshInterval: 10_000 }));
    expect(await timersLeft()).toBeGreaterThan(0);
    for (const connection of closed) connection.disconnect();
  });
});
