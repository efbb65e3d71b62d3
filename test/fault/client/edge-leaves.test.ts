import { SpeechClient } from "@tts-labs/client/speech-client";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { expect, inject, it } from "vitest";
import { startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simGermanAnna000000A";
const TEXT =
  "Der Zug nach Köln fährt heute von Gleis sieben, und zwar mit einer Verspätung von etwa zwanzig Minuten. " +
  "Wir bitten um Ihr Verständnis und wünschen allen Reisenden eine angenehme Fahrt.";

it("clients of an edge that leaves move to the other one in mid-speech, and hear every byte once", async () => {
  const system = await startSystem({
    redisUrl: inject("redisUrl"),
    edges: 2,
    edge: { drainSettleMs: 0, drainSpreadMs: 500, drainLimitMs: 10_000 },
    // For speech that no client comes back to.
    worker: { drainMs: 500 },
  });
  const urls = system.edges.map(({ url }) => url);
  const clients = await Promise.all(
    // In real time, so that all are in the middle when it leaves.
    Array.from({ length: 8 }, () => SpeechClient.connect({ url: urls, delivery: "paced" })),
  );
  // The negative twin: it does not move.
  const settled = await SpeechClient.connect({ url: urls, delivery: "paced", resumeWindowMs: 0 });
  try {
    const cutOff = settled.speak(TEXT, { voice: VOICE });
    const moves = clients.map((client) => {
      const seen: string[] = [];
      client.on("reconnecting", ({ reason }) => seen.push(reason.code));
      client.on("resumed", () => seen.push("resumed"));
      client.on("error", ({ code }) => seen.push(code));
      return seen;
    });
    let leaving: Promise<void> | undefined;
    const heard = await Promise.all(
      clients.map(async (client) => {
        const pcm: Buffer[] = [];
        let end = 0;
        for await (const { firstSample, samples } of client.speak(TEXT, { voice: VOICE })) {
          expect(firstSample).toBe(end);
          end += samples.length;
          pcm.push(Buffer.from(samples.buffer));
          if (end > 48_000) leaving ??= system.edges[0]?.leave();
        }
        return Buffer.concat(pcm);
      }),
    );
    await leaving;
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE });
    await expect(cutOff.finished).rejects.toMatchObject({ code: "draining" });
    expect(cutOff.receivedSamples).toBeLessThan(pcm.byteLength / 2);
    for (const one of heard) expect(one.equals(pcm)).toBe(true);
    expect(moves).toEqual(clients.map(() => ["draining", "resumed"]));
    expect(system.edges[1]?.counts().sessions).toBe(clients.length);
  } finally {
    for (const client of [...clients, settled]) await client.close();
    await system.close();
  }
});
