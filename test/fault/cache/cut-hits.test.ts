import { SpeechClient } from "@tts-labs/client/speech-client";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { hearCut } from "../../../testkit/clients/hear-cut.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";
import { metric } from "../../../testkit/ground/metrics.ts";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";

const VOICE = "simGermanAnna000000A";
const TEXT = "Der Zug nach Köln fährt heute von Gleis sieben, mit einer Verspätung von zwanzig Minuten.";

let system: System;
const proxies: ChaosProxy[] = [];

beforeAll(async () => {
  const edge = { cache: true, resumeWindowMs: 3_000 };
  system = await startSystem({ redisUrl: inject("redisUrl"), edges: 2, edge });
  for (const { url } of system.edges) proxies.push(await new ChaosProxy().open(Number(new URL(url).port)));
});
afterAll(async () => {
  for (const proxy of proxies) await proxy.close();
  await system?.close();
});

/** What has been stored by all edges. */
async function stored(): Promise<number> {
  const counts = await Promise.all(
    system.edges.map(({ opsUrl }) => metric(opsUrl, "tts_cache_stored_total")),
  );
  return counts.reduce((sum, it) => sum + it);
}

const connect = () => SpeechClient.connect({ url: proxies.map(({ port }) => `http://127.0.0.1:${port}`) });

test("a client cut off while it hears cached speech comes back to another edge and hears every byte once", async () => {
  const uncut = (await renderSpeech({ text: TEXT, voice: VOICE })).pcm;
  const first = await connect();
  expect((await hearCut(first.speak(TEXT, { voice: VOICE }), proxies, 1e9)).equals(uncut)).toBe(true);
  await first.close();
  await expect.poll(stored).toBe(1);
  system.simulator.reset();
  let resumed = 0;
  for (const cutEvery of [5_000, 20_000, 47_000]) {
    const client = await connect();
    client.on("resumed", () => resumed++);
    expect((await hearCut(client.speak(TEXT, { voice: VOICE }), proxies, cutEvery)).equals(uncut)).toBe(true);
    await client.close();
  }
  expect(resumed).toBeGreaterThan(3);
  expect(system.simulator.report().ends).toBe(0);
});

test("so does one who asked first, while it is being spoken", async () => {
  const text =
    `${TEXT} Bitte beachten Sie auch die Durchsagen am Bahnsteig und an den Anzeigetafeln. `.repeat(3);
  const uncut = (await renderSpeech({ text, voice: VOICE })).pcm;
  const client = await connect();
  let resumed = 0;
  client.on("resumed", () => resumed++);
  expect((await hearCut(client.speak(text, { voice: VOICE }), proxies, 60_000)).equals(uncut)).toBe(true);
  expect(resumed).toBeGreaterThan(1);
  // The reader that fills the cache was left, and has read on.
  await expect.poll(stored).toBe(2);
  await client.close();
});
