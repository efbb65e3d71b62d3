import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, inject, it } from "vitest";
import { NativeClient } from "../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../testkit/fleet/system.ts";

const WORKERS = 3;
/** Long enough for a round of requests on a busy machine. */
const OPEN_MS = 3_000;
const TEXT = "The river bends three times.";

describe("a provider that fails", () => {
  let system: System;
  let clients: NativeClient[] = [];
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await system.close();
  });

  async function start(breakerFaults: number): Promise<void> {
    system = await startSystem({
      redisUrl: inject("redisUrl"),
      workers: WORKERS,
      // No socket is opened ahead, so that each that the simulator sees belongs to a request.
      worker: { breakerFaults, breakerOpenMs: OPEN_MS, poolWarm: 0 },
    });
    clients = await Promise.all(Array.from({ length: 8 }, () => NativeClient.connect(system.url)));
  }

  /** One utterance of each client. @returns how they ended */
  async function speakAtOnce() {
    return (await Promise.all(clients.map((client) => client.speak(TEXT)))).map(({ end }) => end);
  }

  const codes = (ends: Awaited<ReturnType<typeof speakAtOnce>>) =>
    ends.map((end) => (end.type === "error" ? end.code : end.type));
  const asked = () => {
    const { accepted, refused } = system.simulator.report().upgrades;
    return accepted + Object.values(refused).reduce((sum, it) => sum + it, 0);
  };
  const openCircuits = async () => {
    const open = await Promise.all(
      system.workers.map(async ({ opsUrl }) => {
        const text = await fetch(`${opsUrl}/metrics`).then((it) => it.text());
        return /^tts_worker_circuit_open\{.*\} 1$/m.test(text);
      }),
    );
    return open.filter(Boolean).length;
  };
  const probes = async () => {
    const texts = await Promise.all(
      system.workers.map(({ opsUrl }) => fetch(`${opsUrl}/metrics`).then((it) => it.text())),
    );
    const counts = texts.flatMap((it) => [...it.matchAll(/^tts_worker_circuit_probes_total\{.*\} (\d+)$/gm)]);
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  };
  /** As long as a client is told to wait. */
  const obey = async () => {
    const { end } = await (clients[0] as NativeClient).speak(TEXT);
    await pause(end.type === "error" ? end.retry_after_ms : undefined);
  };

  it("is left alone by all workers, asked once per period, and used again when it answers", async () => {
    await start(3);
    const { simulator } = system;
    simulator.setFault({ name: "upgrade-500" }, 1_000);
    await speakAtOnce();
    await expect.poll(openCircuits, { interval: 5 }).toBe(WORKERS);

    simulator.reset();
    simulator.setFault({ name: "upgrade-500" }, 1_000);
    const refused = await speakAtOnce();
    expect(codes(refused)).toEqual(clients.map(() => "provider.circuit_open"));
    for (const end of refused) {
      expect(end).toMatchObject({ retryable: true, retry_after_ms: expect.any(Number) });
      if (end.type === "error") expect(end.retry_after_ms).toBeLessThanOrEqual(OPEN_MS);
    }
    expect(asked()).toBe(0);

    for (let period = 1; period <= 2; period++) {
      await obey();
      await speakAtOnce();
      expect(asked()).toBe(period);
    }

    await obey();
    simulator.clearFaults();
    await speakAtOnce();
    await expect.poll(openCircuits, { interval: 5 }).toBe(0);
    expect(codes(await speakAtOnce())).toEqual(clients.map(() => "stream_complete"));
    expect(await probes()).toBe(3);
  });

  it("is asked on and on without the breaker", async () => {
    await start(0);
    system.simulator.setFault({ name: "upgrade-500" }, 1_000);
    await speakAtOnce();
    const before = asked();
    const ends = await speakAtOnce();
    expect(codes(ends)).toEqual(clients.map(() => "provider.fault"));
    expect(asked() - before).toBeGreaterThanOrEqual(clients.length);
  });
});

describe("a second key", () => {
  let system: System;
  let client: NativeClient;
  afterEach(async () => {
    await client.close();
    await system.close();
  });

  it("serves when the first is refused, and from then on at once", async () => {
    system = await startSystem({
      redisUrl: inject("redisUrl"),
      worker: { apiKey: "sk_refused", apiKeys: "sk_simulator:5", poolWarm: 0 },
    });
    client = await NativeClient.connect(system.url);
    expect((await client.speak(TEXT)).end.type).toBe("stream_complete");
    system.simulator.reset();
    for (let i = 0; i < 3; i++) expect((await client.speak(TEXT)).end.type).toBe("stream_complete");
    expect(system.simulator.report().connections.opened).toBe(3);
  });
});
