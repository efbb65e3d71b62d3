import { setTimeout as pause } from "node:timers/promises";
import { silentLogger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import { toSpeechOptions } from "@tts-labs/protocol/speech-options";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import {
  type ElevenLabsSynthesizer,
  openElevenLabsSynthesizer,
} from "@tts-labs/worker/elevenlabs/elevenlabs-synthesizer";
import { silentObserver } from "@tts-labs/worker/elevenlabs/observer";
import type { PoolOptions } from "@tts-labs/worker/elevenlabs/pool/pool";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Random } from "../../testkit/ground/random.ts";

/** Upgrades take 180 ms, as the real ones do; what is measured comes after so long. */
const SETTLING_MS = 3_000;
const MEASURED_MS = 8_000;
const PER_SECOND = 20;

const speech = toSpeechOptions(
  {},
  { voice: "simEnglishGrace0000A", model: "eleven_flash_v2_5", sampleRateHz: 24_000 },
);
const never = new AbortController().signal;

describe("a pool at 20 utterances a second, which come by chance", () => {
  let simulator: Simulator;
  let synthesizer: ElevenLabsSynthesizer;
  let checkouts: string[] = [];
  let warm = 0;
  let mostWarm = 0;
  beforeAll(async () => {
    simulator = await startSimulator(defaultSimulatorConfig({ port: 0, loggedConnections: 1 }), silentLogger);
  });
  afterAll(() => simulator.close());
  afterEach(() => synthesizer.close());

  function open(pool: Partial<PoolOptions> = {}): void {
    checkouts = [];
    mostWarm = 0;
    synthesizer = openElevenLabsSynthesizer({
      url: simulator.url,
      apiKey: "sk_simulator",
      pool,
      logger: silentLogger,
      observer: {
        ...silentObserver,
        checkedOut: (how) => checkouts.push(how),
        warm: (count) => {
          warm = count;
          mostWarm = Math.max(mostWarm, count);
        },
      },
    });
  }

  /** Takes sockets for so long, at random distances. @returns the share that was warm */
  async function take(durationMs: number): Promise<number> {
    const random = new Random(3);
    const before = checkouts.length;
    const taken: Promise<void>[] = [];
    const endAtMs = performance.now() + durationMs;
    for (let nextAtMs = performance.now(); nextAtMs < endAtMs; ) {
      taken.push(
        synthesizer.open(speech, never).then((it) => it.abort(new GatewayError("cancelled.by_client"))),
      );
      nextAtMs += (-Math.log(1 - random.next()) * 1_000) / PER_SECOND;
      await pause(Math.max(0, nextAtMs - performance.now()));
    }
    await Promise.all(taken);
    const measured = checkouts.slice(before);
    return measured.filter((how) => how === "hit").length / measured.length;
  }

  it("has a warm socket for 99 of 100, and none left when the route has been out of use", async () => {
    open({ keepRouteMs: 1_500 });
    await take(SETTLING_MS);
    const share = await take(MEASURED_MS);
    expect(share).toBeGreaterThanOrEqual(0.99);
    await vi.waitFor(() => expect(warm).toBe(0), { timeout: 3_000, interval: 20 });
    await vi.waitFor(() => expect(simulator.report().connections.open).toBe(0), {
      timeout: 3_000,
      interval: 20,
    });
  });

  it("that does not follow demand has not", async () => {
    open({ followsDemand: false });
    await take(SETTLING_MS);
    expect(await take(MEASURED_MS / 2)).toBeLessThan(0.9);
  });

  it("never holds more sockets than its bound", async () => {
    open({ maxSockets: 4 });
    await take(SETTLING_MS);
    expect(mostWarm).toBeGreaterThan(1);
    expect(mostWarm).toBeLessThanOrEqual(4);
  });
});
