import { readFileSync } from "node:fs";
import { describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { findHaproxy, startHaproxy } from "../../../scripts/chaos/fleet/haproxy.ts";
import { freePort } from "../../../scripts/private-redis.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";

const HAPROXY = findHaproxy();
const CONFIG = readFileSync(new URL("../../../deploy/haproxy/haproxy.cfg", import.meta.url), "utf8");
const CONNECTIONS = 10;

/** Two real edges behind HAProxy with the compose file's configuration, addresses and `change` apart. */
async function startBehindHaproxy(change: (config: string) => string = (config) => config) {
  const system = await startSystem({
    redisUrl: inject("redisUrl"),
    edges: 2,
    edge: { allowedHosts: ["edge"] },
    simulator: { timeScale: 0 },
  });
  onTestFinished(() => system.close());
  const operators = await freePort();
  const servers = system.edges.map(({ port }, i) => `  server edge${i} 127.0.0.1:${port}`).join("\n");
  const haproxy = await startHaproxy(HAPROXY ?? "", (clients) =>
    change(CONFIG)
      .replace("bind :8006", `bind 127.0.0.1:${clients}`)
      .replace("bind :8404", `bind 127.0.0.1:${operators}`)
      .replace(/^ {2}server-template .*$/m, servers),
  );
  onTestFinished(() => haproxy.close());
  const url = `http://127.0.0.1:${haproxy.port}`;
  await vi.waitFor(async () => expect((await fetch(`${url}/healthz`)).status).toBe(200), 10_000);
  const open = async (): Promise<NativeClient> => {
    const client = await NativeClient.connect(url);
    onTestFinished(() => client.close());
    return client;
  };
  return { open, edges: system.edges, sessions: () => system.edges.map((edge) => edge.counts().sessions) };
}

describe.skipIf(HAPROXY === undefined)(
  "behind HAProxy (skipped where Debian's haproxy is not installed)",
  () => {
    it("connections spread; an edge that leaves gets no new ones, and its old ones go on speaking", async () => {
      const { open, edges, sessions } = await startBehindHaproxy();
      const held: NativeClient[] = [];
      for (let i = 0; i < CONNECTIONS; i++) held.push(await open());
      expect(sessions()).toEqual([CONNECTIONS / 2, CONNECTIONS / 2]);

      edges[0]?.drain();
      await vi.waitFor(async () => {
        const before = sessions()[1] ?? 0;
        for (let i = 0; i < CONNECTIONS; i++) await open();
        expect(sessions()[1]).toBe(before + CONNECTIONS);
      }, 10_000);
      expect(sessions()[0]).toBe(CONNECTIONS / 2);
      for (const client of held.slice(0, 2)) {
        client.send({ type: "text", text: "Still here." });
        client.send({ type: "stream_end" });
        expect((await client.utterance(1)).pcm.byteLength).toBeGreaterThan(10_000);
      }
    });

    it("without its health check, clients are still sent to the edge that leaves, which refuses them", async () => {
      const { open, edges } = await startBehindHaproxy((config) =>
        config.replace(/^ {2}(option httpchk|http-check .*)$/gm, ""),
      );
      edges[0]?.drain();
      const opened = await Promise.allSettled(Array.from({ length: CONNECTIONS }, open));
      expect(opened.filter(({ status }) => status === "rejected").length).toBeGreaterThan(0);
    });
  },
);
