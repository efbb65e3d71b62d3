import { once } from "node:events";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf, SAMPLES_PER_CHARACTER } from "../../../testkit/fleet/fake-worker.ts";
import { Gate } from "../../../testkit/ground/gate.ts";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";
import { RedisPlace } from "../../../testkit/redis/redis-place.ts";

const TEXT = "Whatever happens to Redis while I speak, not one sample of this is lost or said twice. ".repeat(
  3,
);
/** Chunks of eight characters that are stored before something happens. */
const BEFORE = 8;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
const opened = <T>(thing: T, close: (thing: T) => Promise<unknown>): T => {
  closers.push(() => close(thing));
  return thing;
};

/** Of a worker that gives up at the first trouble. */
const NO_PATIENCE = { commandTimeoutMs: 300, storageRetryMs: 0 };
type Patience = typeof NO_PATIENCE;

const startAt = async (redisUrl: string, gate?: Gate, workerPatience?: Patience): Promise<EdgeAlone> =>
  opened(
    await startEdgeAlone({
      redisUrl,
      ...(workerPatience === undefined ? {} : { workerPatience }),
      edge: { openTimeoutMs: 1_500, stallTimeoutMs: 5_000 },
      worker: gate === undefined ? {} : { beforeChunk: () => gate.passed() },
    }),
    (it) => it.close(),
  );
const connectTo = async ({ edge }: EdgeAlone): Promise<NativeClient> =>
  opened(await NativeClient.connect(edge.url, {}, { limitMs: 20_000 }), (it) => it.terminate());

/** Speaks, and does `hurt` when a part of it has been stored; the worker is held at `gate` from there. */
const speakThrough = async (
  redisUrl: string,
  hurt: (gate: Gate, stored: () => number, isSpeaking: () => boolean) => Promise<unknown>,
  workerPatience?: Patience,
) => {
  const gate = new Gate();
  const alone = await startAt(redisUrl, gate, workerPatience);
  const client = await connectTo(alone);
  gate.limitTo(BEFORE);
  const speaking = client.speak(TEXT);
  await client.until("the beginning", () => (client.received(1).samples > 0 ? true : undefined));
  const stored = () => (alone.worker.runs[0]?.appendedSamples ?? 0) / SAMPLES_PER_CHARACTER / 8;
  await expect.poll(stored).toBe(BEFORE);
  await hurt(gate, stored, () => alone.worker.running > 0);
  gate.open();
  return { alone, client, spoken: await speaking };
};

describe("an utterance in flight", () => {
  test("goes on when Redis comes back with all it had, byte for byte", async () => {
    const place = opened(await RedisPlace.open("kept"), (it) => it.close());
    const { spoken } = await speakThrough(place.url, async (gate) => {
      await place.kill();
      gate.open();
      await place.start();
    });
    expect(spoken.end.type).toBe("stream_complete");
    expect(spoken.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("ends with a retryable error when Redis comes back empty, and its session speaks on", async () => {
    const place = opened(await RedisPlace.open("forgotten"), (it) => it.close());
    const { client, spoken } = await speakThrough(place.url, async (gate) => {
      await place.kill();
      gate.open();
      await place.start();
    });
    expect(spoken.end).toMatchObject({ type: "error", retryable: true });
    expect(spoken.end).toMatchObject({ code: expect.stringMatching(/^(stream\.lost|storage\.)/) });
    // What came of it was right as far as it went.
    expect(spoken.pcm.equals(fakeSpeechOf(TEXT).subarray(0, spoken.pcm.length))).toBe(true);
    expect(spoken.pcm.length).toBeLessThan(fakeSpeechOf(TEXT).length);
    const next = await client.speak("And here we are again.");
    expect(next.pcm.equals(fakeSpeechOf("And here we are again."))).toBe(true);
  });

  const standsStill = async (workerPatience?: Patience) => {
    const place = opened(await RedisPlace.open("forgotten"), (it) => it.close());
    const admin = opened(new Redis(place.url), async (it) => it.disconnect());
    const hurt = async (gate: Gate) => {
      const sleeping = admin.call("DEBUG", "SLEEP", "1");
      gate.open();
      await sleeping;
    };
    return (await speakThrough(place.url, hurt, workerPatience)).spoken;
  };

  test("goes on after Redis has stood still, byte for byte", async () => {
    expect((await standsStill()).pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("ends there with an error where the worker does not wait for the answer", async () => {
    expect((await standsStill(NO_PATIENCE)).end).toMatchObject({ type: "error", retryable: true });
  });

  const openProxy = async () => {
    const place = opened(await RedisPlace.open("forgotten"), (it) => it.close());
    const proxy = opened(await new ChaosProxy().open(Number(new URL(place.url).port)), (it) => it.close());
    return { proxy, url: `redis://127.0.0.1:${proxy.port}` };
  };

  test("goes on over connections that are reset again and again, byte for byte", async () => {
    const { proxy, url } = await openProxy();
    const { spoken } = await speakThrough(url, async (gate, stored) => {
      for (let reset = 1; reset <= 6; reset++) {
        const before = stored();
        gate.open();
        proxy.cut();
        gate.limitTo(3);
        await expect.poll(stored, { timeout: 5_000 }).toBeGreaterThan(before);
      }
    });
    expect(spoken.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("ends there with an error where what was cut off is not sent again", async () => {
    const { proxy, url } = await openProxy();
    const loseAnswers = async (gate: Gate, _stored: unknown, isSpeaking: () => boolean) => {
      proxy.swallow = "answers";
      gate.open();
      await expect.poll(isSpeaking, { timeout: 5_000 }).toBe(false);
      proxy.swallow = "nothing";
      proxy.cut();
    };
    const { spoken } = await speakThrough(url, loseAnswers, NO_PATIENCE);
    expect(spoken.end).toMatchObject({ type: "error", retryable: true });
  });
});

test("while Redis is away the edge lives on, unready, and tells whoever asks for speech to try again", async () => {
  const place = opened(await RedisPlace.open("kept"), (it) => it.close());
  const alone = await startAt(place.url);
  // What is to be closed wants a Redis to say goodbye to.
  closers.push(() => place.start());
  const client = await connectTo(alone);
  const status = async (path: string) => (await fetch(new URL(path, alone.edge.url))).status;
  expect((await client.speak("Before.")).end.type).toBe("stream_complete");

  await place.kill();
  await expect.poll(() => status("/readyz"), { timeout: 5_000 }).toBe(503);
  expect(await status("/healthz")).toBe(200);
  const refused = await client.speak("Meanwhile.");
  expect(refused.end).toMatchObject({ type: "error", retryable: true });
  expect(refused.end).toMatchObject({ code: expect.stringMatching(/^storage\./) });
  expect(await knockAt(alone)).toMatchObject({
    type: "error",
    code: expect.stringMatching(/^storage\./),
    retryable: true,
  });
  const answer = await fetch(new URL("/api/v1/synthesize", alone.edge.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"text":"And I."}`,
  });
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ error: { retryable: true } });

  await place.start();
  await expect.poll(() => status("/readyz"), { timeout: 10_000 }).toBe(200);
  for (const it of [client, await connectTo(alone)]) {
    const after = await it.speak("And after.");
    expect(after.pcm.equals(fakeSpeechOf("And after."))).toBe(true);
  }
});

/** What a new connection is told first. */
async function knockAt({ edge }: EdgeAlone): Promise<unknown> {
  const socket = new WebSocket(new URL("/api/v1/stream", edge.url.replace(/^http/, "ws")));
  const [data] = (await once(socket, "message")) as [Buffer];
  socket.terminate();
  return JSON.parse(data.toString());
}
