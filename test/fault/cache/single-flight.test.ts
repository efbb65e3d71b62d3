import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Truths } from "../../../scripts/chaos/listener/truth.ts";
import { type Fleet, startFleet } from "../../../scripts/supervisor/fleet.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import type { SpokenUtterance } from "../../../testkit/clients/received-speech.ts";

const VOICE = "simGermanAnna000000A";
const CLIENTS = 500;
/** All within 50 ms. */
const SPREAD_MS = 50;
/** A splice's sample comes from an alignment in whole milliseconds. */
const WORD_TOLERANCE_SAMPLES = 2 * 24;

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    edges: 2,
    workers: 4,
    env: {
      // Slow enough that a kill hits it in the middle, though 500 clients in one process learn of its start late.
      simulator: { SIMULATOR_CONCURRENCY: "1000", SIMULATOR_GENERATION_SPEED: "1.5" },
      worker: { TTS_VOICE: VOICE },
      edge: { TTS_VOICE: VOICE, CACHE: "true" },
    },
  });
});
afterAll(() => fleet.close());
beforeEach(() => fetch(`${fleet.simulator.url}/admin/reset`, { method: "POST" }));

const report = async () =>
  (await (await fetch(`${fleet.simulator.url}/admin/report`)).json()) as {
    ends: number;
    generating: { now: number };
  };

async function post(text: string, edge: number): Promise<{ cache: string | null; pcm: Buffer }> {
  const response = await fetch(`${fleet.edges[edge]?.url}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm" },
    body: JSON.stringify({ text }),
  });
  return { cache: response.headers.get("x-cache"), pcm: Buffer.from(await response.arrayBuffer()) };
}

/** 500 clients on both edges, spread over 50 ms. */
const askAll = (text: string) =>
  Promise.all(
    Array.from({ length: CLIENTS }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, (SPREAD_MS * i) / CLIENTS));
      return post(text, i % 2);
    }),
  );

/** 500 sessions, on both edges. */
const connectAll = () =>
  Promise.all(
    Array.from({ length: CLIENTS }, (_, i) =>
      NativeClient.connect(fleet.edges[i % 2]?.url ?? "", {}, { limitMs: 60_000 }),
    ),
  );

async function spread(client: NativeClient, text: string): Promise<SpokenUtterance> {
  await new Promise((resolve) => setTimeout(resolve, SPREAD_MS * Math.random()));
  return client.speak(text);
}

describe(`${CLIENTS} clients that ask for the same within ${SPREAD_MS} ms, on 2 edges and 4 workers`, () => {
  test("cause one synthesis, and all hear the same bytes", { timeout: 60_000 }, async () => {
    const text = "Achtung, eine Durchsage für alle Reisenden: Der Zug nach Köln fällt heute leider aus.";
    const answers = await askAll(text);
    const { pcm } = await renderSpeech({ text, voice: VOICE });
    expect(answers.filter((it) => it.pcm.equals(pcm))).toHaveLength(CLIENTS);
    expect((await report()).ends).toBe(1);
    expect(answers.filter(({ cache }) => cache === "miss")).toHaveLength(1);
  });

  test("all hear the same samples when the worker is killed in the middle, up to the splice and after it", {
    timeout: 90_000,
  }, async () => {
    const text =
      "Eine lange Durchsage beginnt, während der die Maschine stirbt, die sie gerade spricht. " +
      "Trotzdem hören alle Reisenden jedes Wort davon bis zum Ende, und keines fehlt.";
    const clients = await connectAll();
    const asked = Promise.all(clients.map((client) => spread(client, text)));
    await expect.poll(async () => (await report()).generating.now, { interval: 5 }).toBeGreaterThan(0);
    const speaking = await Promise.all(
      fleet.workers.map(async (worker) => {
        const shown = await (await fetch(`${worker.url}/metrics`)).text();
        return Number(/^tts_worker_utterances_active (\d+)/m.exec(shown)?.[1]) > 0 ? worker : undefined;
      }),
    );
    const doomed = speaking.filter((it) => it !== undefined);
    expect(doomed).toHaveLength(1);
    await expect.poll(() => clients[0]?.receivedFrames, { interval: 5 }).toBeGreaterThan(0);
    await doomed[0]?.kill();
    const answers = await asked;
    await Promise.all(clients.map((client) => client.close()));

    for (const { end, splices } of answers) {
      expect(end.type).toBe("stream_complete");
      expect(splices).toHaveLength(1);
    }
    const at = answers[0]?.splices[0]?.firstSample ?? 0;
    expect(new Set(answers.map(({ splices }) => splices[0]?.firstSample))).toEqual(new Set([at]));
    const truths = new Truths();
    const whole = await truths.of(text, VOICE);
    const word = whole.words.find(({ firstSample }) => Math.abs(firstSample - at) < WORD_TOLERANCE_SAMPLES);
    expect(word).toBeDefined();
    const rest = await truths.of(text.slice(word?.char), VOICE);
    const expected = Buffer.concat([whole.pcm.subarray(0, at * BYTES_PER_SAMPLE), rest.pcm]);
    expect(answers.filter(({ pcm }) => pcm.equals(expected))).toHaveLength(CLIENTS);
    expect((await report()).ends).toBe(2);
  });

  test("all others hear it whole when the edge is killed whose client asked first", {
    timeout: 60_000,
  }, async () => {
    const text =
      "Die erste, die danach gefragt hat, ist nicht mehr da, und auch ihr Rechner nicht. Wir sprechen weiter.";
    const first = post(text, 0).catch(() => undefined);
    await expect.poll(async () => (await report()).generating.now, { interval: 5 }).toBeGreaterThan(0);
    const others = Promise.all(Array.from({ length: 20 }, () => post(text, 1)));
    await expect
      .poll(async () =>
        /^tts_edge_sessions\{.*\} 20$/m.test(await (await fetch(`${fleet.edges[1]?.opsUrl}/metrics`)).text()),
      )
      .toBe(true);
    await fleet.edges[0]?.kill();
    await first;
    const { pcm } = await renderSpeech({ text, voice: VOICE });
    for (const it of await others) expect(it.pcm.equals(pcm)).toBe(true);
    expect((await report()).ends).toBe(1);
  });
});
