import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { Random } from "../../../testkit/ground/random.ts";

const TEXT = "Somebody hangs up in the middle of this sentence. ".repeat(3);

let alone: EdgeAlone;
beforeAll(async () => {
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), edge: { resumeWindowMs: 500 } });
});
afterAll(() => alone.close());

const nothing = { sessions: 0, utterances: 0, backgroundWork: 0 };

async function expectNothingLeft(): Promise<void> {
  await expect.poll(() => alone.edge.counts(), { timeout: 10_000 }).toEqual(nothing);
  await expect.poll(() => alone.worker.running, { timeout: 10_000 }).toBe(0);
  const live = async () =>
    (await (await fetch(new URL("/api/v1/live", alone.edge.opsUrl))).json()) as {
      sessions: { total: number };
      utterances: { total: number };
    };
  await expect.poll(async () => (await live()).sessions.total).toBe(0);
  await expect.poll(async () => (await live()).utterances.total).toBe(0);
  const metrics = await (await fetch(new URL("/metrics", alone.edge.opsUrl))).text();
  for (const name of ["tts_edge_connections", "tts_edge_utterances", "tts_edge_queued_frames"]) {
    expect(metrics).toMatch(new RegExp(`^${name} 0$`, "m"));
  }
  expect(metrics).toMatch(/^tts_edge_sessions{dialect="native"} 0$/m);
  const lasting: string[] = [];
  for (const key of await alone.redis.keys(`*${alone.keys.prefix}*`)) {
    if ((await alone.redis.pttl(key)) === -1) lasting.push(key);
  }
  expect(lasting).toEqual([]);
}

describe("clients that vanish", () => {
  test("in mid-utterance have it cancelled at the worker, with what waited behind it", async () => {
    const client = await NativeClient.connect(alone.edge.url);
    client.pause();
    for (let i = 0; i < 4; i++) {
      // Each its own: the same text would be made once for all of them.
      client.send({ type: "text", text: `${i}. ${TEXT.repeat(20)}` });
      client.send({ type: "stream_end" });
    }
    client.send({ type: "text", text: "and one whose text is still open" });
    // The one that is delivered and the two behind it; the others wait as text.
    await expect.poll(() => alone.worker.runs.length).toBe(3);
    await client.terminate();
    await expectNothingLeft();
    expect(alone.worker.runs.some((run) => run.state === "cancelled")).toBe(true);
  });

  test("at any moment, by the hundred, leave nothing behind (seeded)", async () => {
    const random = new Random(4_711);
    const lives = Array.from({ length: 120 }, async () => {
      const client = await NativeClient.connect(alone.edge.url, random.below(2) ? { delivery: "paced" } : {});
      for (let i = random.below(4); i > 0; i--) {
        client.send({ type: "text", text: TEXT.slice(0, 1 + random.below(TEXT.length)) });
        if (random.below(3) > 0) client.send({ type: "stream_end" });
        if (random.below(4) === 0) client.send({ type: "cancel" });
      }
      if (random.below(3) === 0) client.pause();
      const frames = random.below(30);
      await client
        .until("some frames", () => client.receivedFrames >= frames || random.below(3) === 0 || undefined)
        .catch((error: unknown) => expect(String(error)).toMatch(/no some frames|closed/));
      if (random.below(2) === 0) await client.terminate();
      else await client.close();
    });
    const witness = await NativeClient.connect(alone.edge.url);
    for (let i = 0; i < 5; i++) {
      expect((await witness.speak(TEXT)).pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    }
    await witness.close();
    await Promise.all(lives);
    await expectNothingLeft();
  });
});
