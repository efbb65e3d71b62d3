import { afterEach, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import type { SpokenUtterance } from "../../../testkit/clients/received-speech.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

/** About 6 s of speech; no two alike, so that none is another's. */
const textOf = (i: number) =>
  `${i}: I was here before all the others came, and I go on speaking as if they had never been. `.repeat(3);
const SPEAKERS = 10;
/** Clients that all want to speak at once. */
const CROWD = 150;
const PICKUP_TIMEOUT_MS = 2_500;
/** Of a frame, behind real time. The pacer keeps the listener four frames of 40 ms ahead at least. */
const LATE_LIMIT_MS = 160;

let alone: EdgeAlone | undefined;
const clients: NativeClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.terminate();
  await alone?.close();
});

/** A worker that has its hands full with the speakers. */
const start = async (limits: { readonly admissionMaxWaiting: number }) => {
  alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    concurrency: SPEAKERS,
    edge: {
      admissionMaxLagMs: 0,
      admissionMaxQueueWaitMs: 0,
      ...limits,
      pickupTimeoutMs: PICKUP_TIMEOUT_MS,
      openTimeoutMs: 10_000,
    },
    worker: { maxBytes: 48 * 1024 },
  });
  return alone;
};
const connect = async (url: string, query: Record<string, string | number> = {}) => {
  const client = await NativeClient.connect(url, query, { limitMs: 30_000 });
  clients.push(client);
  return client;
};
const beginToSpeak = async (url: string) => {
  const speakers = [];
  for (let i = 0; i < SPEAKERS; i++) {
    const client = await connect(url, { delivery: "paced", frame_samples: 960 });
    const spoken = client.speak(textOf(i));
    // A caller that does not wait for it must not be told that it was cut short.
    spoken.catch(() => undefined);
    speakers.push({ client, spoken, expected: fakeSpeechOf(textOf(i)) });
  }
  await Promise.all(
    speakers.map(({ client }) => client.until("frames", () => client.receivedFrames || undefined)),
  );
  return speakers;
};
/** How each of the crowd fares: refused at the door, or by what its utterance ends with, and after how long. */
const comeInCrowds = (url: string) =>
  Promise.all(
    Array.from({ length: CROWD }, async (_, i) => {
      // The crowd gathers over some time.
      await expect
        .poll(() => performance.now() >= beganAtMs + i * 20, { interval: 20, timeout: 10_000 })
        .toBe(true);
      try {
        const client = await connect(url);
        return (await client.speak(`Me too, said the ${i}th.`)).end.type;
      } catch (error) {
        return /503 capacity\.overloaded/.test(String(error)) ? "refused" : String(error);
      }
    }),
  );
let beganAtMs = 0;

const mostLateMs = ({ frames }: SpokenUtterance): number => {
  const [first] = frames;
  return Math.max(...frames.map((it) => it.atMs - (first?.atMs ?? 0) - it.firstSample / 24));
};
const count = (fates: readonly string[], fate: string) => fates.filter((it) => it === fate).length;

describe("when many more come than can be served", () => {
  test("most are refused at the door, told when to come back, and those who speak are not disturbed", async () => {
    const { edge } = await start({ admissionMaxWaiting: 15 });
    const speakers = await beginToSpeak(edge.url);
    beganAtMs = performance.now();
    const fates = await comeInCrowds(edge.url);
    expect(count(fates, "refused")).toBeGreaterThan(CROWD / 4);
    expect(await metric(edge.opsUrl, "tts_edge_admission_refused_total")).toBeGreaterThanOrEqual(
      count(fates, "refused"),
    );
    const answer = await fetch(new URL("/api/v1/synthesize", edge.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"text":"And I?"}`,
    });
    if (answer.status === 503) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    for (const { spoken, expected } of speakers) {
      const { pcm, frames, ...rest } = await spoken;
      expect(pcm.equals(expected)).toBe(true);
      expect(mostLateMs({ pcm, frames, ...rest })).toBeLessThan(LATE_LIMIT_MS);
    }
    // When it is over, everybody is welcome again.
    await expect.poll(() => metricOf(edge.opsUrl), { timeout: 10_000 }).toBe(0);
    const late = await connect(edge.url);
    expect((await late.speak("At last.")).end.type).toBe("stream_complete");
  });

  test("without admission all are let in, and learn only after their wait that there is nobody for them", async () => {
    const { edge } = await start({ admissionMaxWaiting: 0 });
    await beginToSpeak(edge.url);
    beganAtMs = performance.now();
    const fates = await comeInCrowds(edge.url);
    expect(count(fates, "refused")).toBe(0);
    expect(count(fates, "error")).toBeGreaterThan(CROWD / 3);
  });
});

/** 1 while new sessions are refused; a gauge without its label is 0. */
async function metricOf(opsUrl: string): Promise<number> {
  return metric(opsUrl, "tts_edge_admission_closed").catch(() => 0);
}
