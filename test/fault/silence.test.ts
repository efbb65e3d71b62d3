import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterEach, describe, expect, inject, it } from "vitest";
import { NativeClient } from "../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../testkit/fleet/system.ts";

const TEXT = "The river bends three times.";
const VOICE = "simEnglishGrace0000A";
const BUDGET_MS = 800;

describe("a provider that stays silent on one socket", () => {
  let system: System;
  let client: NativeClient;
  afterEach(async () => {
    await client.close();
    await system.close();
  });

  async function speak(silenceMs: number, fault: "stall-before-audio" | "quota-silence") {
    system = await startSystem({ redisUrl: inject("redisUrl"), worker: { silenceMs, poolWarm: 0 } });
    client = await NativeClient.connect(system.url, {}, { limitMs: 15_000 });
    system.simulator.setFault({ name: fault, ...(fault === "stall-before-audio" ? { forMs: 4_000 } : {}) });
    const beganAtMs = performance.now();
    const spoken = await client.speak(TEXT);
    const whole = (await renderSpeech({ text: TEXT, voice: VOICE })).pcm;
    return { spoken, whole, tookMs: performance.now() - beganAtMs, report: system.simulator.report() };
  }

  it("is tried on another once its budget is used up, and every sample is heard once", async () => {
    const { spoken, whole, tookMs, report } = await speak(BUDGET_MS, "stall-before-audio");
    expect(spoken.end.type).toBe("stream_complete");
    expect(spoken.pcm.equals(whole)).toBe(true);
    expect(report.openings).toBe(2);
    expect(tookMs).toBeGreaterThan(BUDGET_MS);
    expect(tookMs).toBeLessThan(4_000);
  });

  it("is waited for in vain without the budget", async () => {
    const { report, tookMs } = await speak(60_000, "stall-before-audio");
    expect(report.openings).toBe(1);
    expect(tookMs).toBeGreaterThan(4_000);
  });

  it("and calls it success is not believed", async () => {
    const { spoken, whole, report } = await speak(BUDGET_MS, "quota-silence");
    expect(spoken.end.type).toBe("stream_complete");
    expect(spoken.pcm.equals(whole)).toBe(true);
    expect(report.openings).toBe(2);
  });
});

describe("a provider that is slow to begin", () => {
  const CLIENTS = 10;

  /**
   * As many utterances at once, from each of which the provider's first audio is `firstAudioMs` away. @returns how they
   * ended
   */
  async function crowd(firstAudioMs: number) {
    const system = await startSystem({
      redisUrl: inject("redisUrl"),
      worker: { silenceMs: 300, firstAudioTimeoutMs: 1_000, poolWarm: 0 },
      simulator: { firstAudioMs, firstAudioSpreadMs: 0 },
    });
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => NativeClient.connect(system.url, {}, { limitMs: 15_000 })),
    );
    try {
      const spoken = await Promise.all(clients.map((it) => it.speak(TEXT)));
      const [after] = await Promise.all(clients.slice(0, 1).map((it) => it.speak(TEXT)));
      const codes = spoken.map(({ end }) => (end.type === "error" ? end.code : end.type));
      return { codes, after: after?.end, openings: system.simulator.report().openings };
    } finally {
      await Promise.all(clients.map((it) => it.close()));
      await system.close();
    }
  }

  it("but within its deadline never opens the circuit, though each utterance has moved to another socket", async () => {
    const { codes, after, openings } = await crowd(400);
    expect(codes).toEqual(Array(CLIENTS).fill("stream_complete"));
    expect(after?.type).toBe("stream_complete");
    expect(openings).toBe(2 * (CLIENTS + 1));
  });

  it("and beyond its deadline opens it", async () => {
    const { codes, after } = await crowd(1_400);
    expect(codes).toEqual(Array(CLIENTS).fill("provider.first_audio_timeout"));
    expect(after).toMatchObject({ code: "provider.circuit_open" });
  });
});
