import { setTimeout as pause } from "node:timers/promises";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterEach, describe, expect, inject, it } from "vitest";
import { NativeClient } from "../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../testkit/fleet/system.ts";

const SESSIONS = 300;
const SLOTS = 15;
/** So that there is an order in which they came; all have come long before the first half is served. */
const APART_MS = 8;
/** A sample taken so late says more of this machine than of the slots; they are 5 ms apart. */
const LATE_MS = 25;
const TEXT = "The river bends three times before it reaches the old stone bridge.";

describe(`${SESSIONS} sessions, 4 workers, ${SLOTS} slots`, () => {
  let system: System;
  afterEach(() => system.close());

  interface Load {
    /** Share of slots that generated, by the simulator's count, while more waited than there are slots. */
    readonly slotUse: number;
    /** Utterances whose first audio came within a tenth of all places from their turn, as a share of all. */
    readonly inTurn: number;
    readonly ends: readonly string[];
    readonly whole: number;
  }

  async function load(providerSlots: number): Promise<Load> {
    system = await startSystem({
      redisUrl: inject("redisUrl"),
      workers: 4,
      worker: { providerSlots, concurrency: SESSIONS },
      // It allows any number, so that the peak shows what we hold ourselves to.
      simulator: { concurrency: 0, generationSpeed: 10, loggedConnections: 1 },
    });
    const { simulator, url } = system;
    const expected = await renderSpeech({ text: TEXT, voice: "simEnglishGrace0000A" });
    const clients = await Promise.all(
      Array.from({ length: SESSIONS }, () =>
        NativeClient.connect(url, { frame_samples: 9_600 }, { limitMs: 50_000 }),
      ),
    );
    simulator.reset();
    const firstAudio: number[] = [];
    const samples: number[] = [];
    let sampledAtMs = performance.now();
    const sampling = setInterval(() => {
      const sinceMs = performance.now() - sampledAtMs;
      sampledAtMs += sinceMs;
      // All parts live in this process: where a busy machine kept it from running, nothing is said of slots.
      if (sinceMs > LATE_MS) return;
      const { now, peak } = simulator.report().generating;
      const isBacklog = peak >= SLOTS && ended < SESSIONS - 2 * SLOTS;
      if (isBacklog) samples.push(now);
    }, 5);
    let ended = 0;
    const spoken = await Promise.all(
      clients.map(async (client, i) => {
        await pause(i * APART_MS);
        const end = client.speak(TEXT);
        const hasAudio = () => client.received(1).samples > 0 || undefined;
        await Promise.race([client.until("first audio", hasAudio), end]);
        firstAudio.push(i);
        const utterance = await end;
        ended += 1;
        return utterance;
      }),
    );
    clearInterval(sampling);
    await Promise.all(clients.map((client) => client.close()));
    const places = firstAudio.map((i, place) => Math.abs(i - place) / SESSIONS);
    const mean = (list: readonly number[]) => list.reduce((sum, it) => sum + it, 0) / list.length;
    return {
      slotUse: mean(samples) / SLOTS,
      inTurn: places.filter((it) => it <= 0.1).length / SESSIONS,
      ends: spoken.map(({ end }) => (end.type === "error" ? end.code : end.type)),
      whole: spoken.filter(({ pcm }) => pcm.equals(expected.pcm)).length,
    };
  }

  it("never generate more than that, use the slots, and are served in the order in which they came", async () => {
    const { slotUse, inTurn, ends, whole } = await load(SLOTS);
    const report = system.simulator.report();
    expect(ends.filter((it) => it !== "stream_complete")).toEqual([]);
    expect(whole).toBe(SESSIONS);
    expect(report.generating.peak).toBe(SLOTS);
    expect(report.errors).toEqual({});
    expect(report.upgrades.refused).toEqual({});
    expect(slotUse).toBeGreaterThanOrEqual(0.9);
    expect(inTurn).toBeGreaterThanOrEqual(0.9);
  });

  it("without the governor generate as they come", async () => {
    await load(0);
    expect(system.simulator.report().generating.peak).toBeGreaterThan(SLOTS);
  });
});
