import { type ConnectOptions, SpeechClient } from "@tts-labs/client/speech-client";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";

const VOICE = "simGermanAnna000000A";
const TEXT = "Der Zug nach Köln fährt heute von Gleis sieben.";
/** What guards an idle connection, here much shorter than by default, though far longer than the watch. */
const LONG_WAY = { pingIntervalMs: 2_000, pongTimeoutMs: 1_000 };

/**
 * Two edges, each behind a proxy. The one that speaks falls silent in mid-utterance: its connection stays up, and
 * nothing comes through it any more.
 */
describe("a line that is dead and never closed", () => {
  let system: System;
  const proxies: ChaosProxy[] = [];
  let whole: Buffer;

  beforeAll(async () => {
    system = await startSystem({ redisUrl: inject("redisUrl"), edges: 2 });
    for (const { url } of system.edges) proxies.push(await new ChaosProxy().open(Number(new URL(url).port)));
    whole = (await renderSpeech({ text: TEXT, voice: VOICE })).pcm;
  });
  beforeEach(() => {
    for (const proxy of proxies) proxy.swallow = "nothing";
  });
  afterAll(async () => {
    for (const proxy of proxies) await proxy.close();
    await system?.close();
  });

  /** @returns what was heard, why the connection was replaced, and the longest pause between two chunks */
  async function hearAcross(options: Partial<ConnectOptions>) {
    const url = proxies.map(({ port }) => `http://127.0.0.1:${port}`);
    const client = await SpeechClient.connect({ url, delivery: "paced", ...LONG_WAY, ...options });
    const reasons: string[] = [];
    client.on("reconnecting", ({ reason }) => reasons.push(reason.code));
    try {
      const pcm: Buffer[] = [];
      let longestMs = 0;
      let heardAtMs: number | undefined;
      for await (const { samples } of client.speak(TEXT, { voice: VOICE })) {
        const nowMs = performance.now();
        longestMs = Math.max(longestMs, nowMs - (heardAtMs ?? nowMs));
        heardAtMs = nowMs;
        pcm.push(Buffer.from(samples.buffer));
        const [first] = proxies;
        if (pcm.length === 10 && first !== undefined) first.swallow = "answers";
      }
      return { pcm: Buffer.concat(pcm), longestMs, reasons };
    } finally {
      await client.close();
    }
  }

  it("is left soon by a client that waits for speech, which goes on elsewhere at the very sample", async () => {
    const { pcm, longestMs, reasons } = await hearAcross({ waitingPingMs: 200, waitingPongTimeoutMs: 100 });
    expect(pcm.equals(whole)).toBe(true);
    expect(reasons).toEqual(["client.unresponsive"]);
    console.log(`silent for ${Math.round(longestMs)} ms`);
    expect(longestMs).toBeLessThan(LONG_WAY.pingIntervalMs);
  });

  it("holds the speech up until the next ping of an idle connection where nobody watches", async () => {
    const { pcm, longestMs, reasons } = await hearAcross({ waitingPingMs: Number.POSITIVE_INFINITY });
    expect(pcm.equals(whole)).toBe(true);
    expect(reasons).toEqual(["client.unresponsive"]);
    console.log(`silent for ${Math.round(longestMs)} ms`);
    expect(longestMs).toBeGreaterThanOrEqual(LONG_WAY.pingIntervalMs + LONG_WAY.pongTimeoutMs);
  });
});
