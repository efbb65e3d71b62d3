import { silentLogger } from "@tts-labs/core/logger";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { GRACE, ProviderClient, socketUrl } from "./provider-client.ts";

const TEXT = "This is a sentence that takes about four seconds when it is spoken.";
const SOCKETS = 100;

let simulator: Simulator;
beforeAll(async () => {
  const config = defaultSimulatorConfig({ port: 0, timeScale: 0.2 });
  simulator = await startSimulator(config, silentLogger);
});
afterAll(() => simulator.close());

async function speakOnAll(): Promise<ProviderClient[]> {
  const clients = Array.from({ length: SOCKETS }, () => new ProviderClient(socketUrl(simulator.url)));
  await Promise.all(clients.map((client) => client.opened));
  for (const client of clients) client.send({ text: " " }, { text: TEXT }, { text: "" });
  await Promise.all(clients.map((client) => client.closed));
  return clients;
}

async function metric(name: string): Promise<number> {
  const metrics = await (await fetch(`${simulator.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1]);
}

describe("a hundred sockets that ask for the same four seconds", () => {
  it("get the same bytes from one synthesis, and leave nothing open", async () => {
    const { pcm } = await renderSpeech({ text: TEXT, voice: GRACE });
    const renderedBefore = await metric("simulator_units_rendered");
    const clients = await speakOnAll();
    expect(clients.every((client) => client.audio.equals(pcm))).toBe(true);
    expect(await metric("simulator_units_rendered")).toBe(renderedBefore);
    await vi.waitFor(() => expect(simulator.report().connections.open).toBe(0));
    expect(simulator.report()).toMatchObject({ violations: {}, finals: SOCKETS, generating: { now: 0 } });
  });

  it("cost little of the processor, clients included", async () => {
    await speakOnAll();
    const before = process.cpuUsage();
    await speakOnAll();
    const { user, system } = process.cpuUsage(before);
    const perSocketMs = (user + system) / 1000 / SOCKETS;
    // 1.6 to 2.8 ms in a process of its own (docs/simulator.md); here the clients and their parsing come on top.
    expect(perSocketMs).toBeLessThan(20);
  });
});
