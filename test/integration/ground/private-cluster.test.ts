import { Cluster } from "ioredis";
import { expect, it } from "vitest";
import { startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";

it("a private cluster takes keys of every node, and stops without a process left", async () => {
  const cluster = await startPrivateCluster();
  const client = new Cluster(cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port })));
  try {
    const names = Array.from({ length: 64 }, (_, index) => `key-${index}`);
    for (const name of names) await client.set(name, name, "EX", 60);
    for (const name of names) expect(await client.get(name)).toBe(name);
    const held = await Promise.all(client.nodes("master").map((node) => node.dbsize()));
    expect(held).toHaveLength(3);
    expect(Math.min(...held)).toBeGreaterThan(0);
  } finally {
    client.disconnect();
    await cluster.stop();
    await cluster.stop();
  }
  for (const { pid } of cluster.nodes) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});
