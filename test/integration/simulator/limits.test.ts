import { silentLogger } from "@tts-labs/core/logger";
import { defaultSimulatorConfig, type SimulatorConfig } from "@tts-labs/simulator/config";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import { describe, expect, it } from "vitest";
import { ProviderClient, socketUrl } from "./provider-client.ts";
import { errorOf } from "./simulator-for-file.ts";

describe("a simulator with", () => {
  async function withConfig(
    overrides: Partial<SimulatorConfig>,
    run: (simulator: Simulator) => Promise<void>,
  ): Promise<void> {
    const own = await startSimulator(
      defaultSimulatorConfig({ port: 0, timeScale: 0, ...overrides }),
      silentLogger,
    );
    try {
      await run(own);
    } finally {
      await own.close();
    }
  }

  it("a concurrency of one lets one wait a little, and refuses who waits longer", () =>
    withConfig({ concurrency: 1, timeScale: 1, upgradeMs: 0, firstAudioMs: 300 }, async (own) => {
      const clients = [0, 1].map(() => new ProviderClient(socketUrl(own.url)));
      await Promise.all(clients.map((client) => client.opened));
      for (const client of clients) client.send({ text: " " }, { text: "Hello there." }, { text: "" });
      await Promise.all(clients.map((client) => client.closed));
      expect(clients.map(errorOf).sort()).toEqual(["too_many_concurrent_requests", undefined]);
      expect(own.report().generating).toEqual({ now: 0, peak: 1 });
    }));

  it("its most connections refuses one more with 503", () =>
    withConfig({ maxConnections: 1 }, async (own) => {
      const first = new ProviderClient(socketUrl(own.url));
      await first.opened;
      await expect(new ProviderClient(socketUrl(own.url)).opened).rejects.toThrow("503");
      first.close();
      await first.closed;
    }));

  it("a close while many speak ends them all", async () => {
    const own = await startSimulator(defaultSimulatorConfig({ port: 0 }), silentLogger);
    const clients = Array.from({ length: 5 }, () => new ProviderClient(socketUrl(own.url)));
    await Promise.all(clients.slice(1).map((client) => client.opened));
    for (const client of clients.slice(1))
      client.send({ text: " " }, { text: "One sentence after the other. ".repeat(7) }, { text: "" });
    await Promise.all([own.close(), own.close()]);
    const closes = await Promise.all(clients.slice(1).map((client) => client.closed));
    expect(closes.every(({ code }) => code === 1006)).toBe(true);
    await expect(fetch(own.url)).rejects.toThrow();
  });
});
