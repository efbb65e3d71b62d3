import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

const ANNA = "simGermanAnna000000A";

const clients: NativeClient[] = [];
const connect = async (url: string) => {
  const client = await NativeClient.connect(url);
  clients.push(client);
  return client;
};
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

describe("a prewarm, with two edges and two workers,", () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({
      redisUrl: inject("redisUrl"),
      edges: 2,
      workers: 2,
      simulator: { upgradeMs: 80, upgradeSpreadMs: 0, upgradeTailPercent: 0 },
    });
  });
  afterAll(() => system.close());

  test("is answered once its route is warm, with the time to connect; the text that follows waits for no connect", async () => {
    const client = await connect(system.url);
    client.send({ type: "prewarm", prewarm_id: "anna", voice: ANNA });
    const { connect_ms, ...answer } = await client.next("prewarmed");
    expect(answer).toEqual({
      type: "prewarmed",
      prewarm_id: "anna",
      voice: ANNA,
      model: client.connected.model,
    });
    expect(connect_ms).toBeGreaterThanOrEqual(80);
    client.send({ type: "text", text: "Guten Tag.", voice: ANNA, end: true });
    const { end } = await client.utterance(1);
    if (end.type !== "stream_complete") throw new Error("not complete");
    expect(end.latency_ms["connect"]).toBeLessThan(40);
    expect(await metric(system.opsUrl, "tts_edge_prewarms_total")).toBe(1);
  });

  test("pays for the connect where it was not asked for", async () => {
    const client = await connect(system.url);
    client.send({ type: "text", text: "Good day.", seed: 4711, end: true });
    const { end } = await client.utterance(1);
    if (end.type !== "stream_complete") throw new Error("not complete");
    expect(end.latency_ms["connect"]).toBeGreaterThanOrEqual(80);
  });

  test("is answered on each edge that asks, again and again, while it stays warm", async () => {
    const others = await Promise.all(system.edges.map(({ url }) => connect(url)));
    for (let round = 1; round <= 2; round++) {
      for (const client of others) client.send({ type: "prewarm", voice: ANNA });
      for (const client of others) expect((await client.next("prewarmed")).voice).toBe(ANNA);
    }
  });

  test("of a voice that there is not gets the provider's reason, though the provider accepts the connection", async () => {
    const client = await connect(system.url);
    client.send({ type: "prewarm", prewarm_id: "none", voice: "noSuchVoice" });
    const error = await client.next("error");
    expect(error.code).toBe("provider.voice_not_found");
    expect(error.facts).toMatchObject({ prewarm_id: "none" });
    expect((await client.speak("Still here.")).end.type).toBe("stream_complete");
  });
});

describe("a prewarm that no worker follows", () => {
  let alone: EdgeAlone;
  beforeAll(async () => {
    alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), edge: { pickupTimeoutMs: 300 } });
  });
  afterAll(() => alone.close());

  test("is told within the deadline that there will be none, and the session goes on (negative twin)", async () => {
    const client = await connect(alone.edge.url);
    client.send({ type: "prewarm", prewarm_id: "a" });
    const error = await client.next("error");
    expect(error).toMatchObject({ code: "worker.unavailable", retryable: true });
    expect(error.facts).toMatchObject({ prewarm_id: "a", limit_ms: 300 });
    expect((await client.speak("Spoken all the same.")).end.type).toBe("stream_complete");
  });
});
