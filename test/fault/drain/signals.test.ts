import { afterEach, describe, expect, inject, test } from "vitest";
import { type Fleet, startFleet } from "../../../scripts/supervisor/fleet.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";

let fleet: Fleet | undefined;
const clients: NativeClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.terminate();
  await fleet?.close();
});

const start = async (settings: Readonly<Record<string, string>>) => {
  const keyPrefix = `drain-${process.pid}-${Math.round(performance.now())}`;
  fleet = await startFleet({
    redisUrl: inject("redisUrl"),
    edges: 1,
    workers: 1,
    env: {
      worker: { REDIS_KEY_PREFIX: keyPrefix },
      edge: { REDIS_KEY_PREFIX: keyPrefix, ...settings },
    },
  });
  const [edge] = fleet.edges;
  if (edge === undefined) throw new RangeError("a fleet has an edge");
  return edge;
};
const connect = async (url: string) => {
  const client = await NativeClient.connect(url);
  clients.push(client);
  return client;
};
const readiness = (url: string) =>
  fetch(new URL("/readyz", url)).then(
    ({ status }) => status,
    () => "gone" as const,
  );

describe("an edge that gets SIGTERM", () => {
  test("is unready at once, serves on until the balancer has seen it, tells its clients, and ends in time", async () => {
    const edge = await start({ DRAIN_SETTLE_MS: "1500", DRAIN_SPREAD_MS: "300", DRAIN_LIMIT_MS: "5000" });
    const client = await connect(edge.url);
    const signalledAtMs = performance.now();
    edge.part.signal("SIGTERM");
    await expect.poll(() => readiness(edge.url), { interval: 20 }).toBe(404);
    expect(performance.now() - signalledAtMs).toBeLessThan(1_000);
    // A balancer that has not looked again sends one more.
    const late = await connect(edge.url);
    expect((await late.speak("Just in time.")).end.type).toBe("stream_complete");
    for (const it of [client, late]) {
      expect((await it.next("draining")).reconnect_in_ms).toBeLessThanOrEqual(300);
      expect(await it.closed).toEqual({ code: 4001, reason: "draining" });
    }
    expect(await edge.part.exited).toBe("exit code 0");
    expect(performance.now() - signalledAtMs).toBeGreaterThan(1_500);
    expect(performance.now() - signalledAtMs).toBeLessThan(10_000);
  });

  test("skips all waiting at the second signal", async () => {
    const edge = await start({ DRAIN_SETTLE_MS: "600000", DRAIN_LIMIT_MS: "600000" });
    const client = await connect(edge.url);
    const signalledAtMs = performance.now();
    edge.part.signal("SIGTERM");
    await expect.poll(() => readiness(edge.url), { interval: 20 }).toBe(404);
    // Two within a second count as one: Ctrl-C reaches a process by two ways.
    await expect.poll(() => performance.now() - signalledAtMs > 1_100, { timeout: 3_000 }).toBe(true);
    expect(client.isClosed).toBe(false);
    edge.part.signal("SIGTERM");
    expect(await client.closed).toMatchObject({ code: 4001 });
    expect(await edge.part.exited).toBe("exit code 0");
    expect(performance.now() - signalledAtMs).toBeLessThan(10_000);
  });
});
