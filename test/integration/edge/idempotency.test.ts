import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { Gate } from "../../../testkit/ground/gate.ts";

const VOICE = "simEnglishGrace0000A";

const gate = new Gate();
let cached: EdgeAlone;
let uncached: EdgeAlone;
beforeAll(async () => {
  const worker = {
    provider: "api.elevenlabs.io",
    beforeChunk: () => gate.passed(),
    outcomeOf: ({ speech }: { readonly speech: { readonly voice: string } }) =>
      speech.voice === "fails"
        ? ({ kind: "failed", code: "provider.fault", message: "It broke.", retryable: true } as const)
        : undefined,
  };
  const redisUrl = inject("redisUrl");
  cached = await startEdgeAlone({ redisUrl, worker, edge: { cache: true } });
  uncached = await startEdgeAlone({ redisUrl, worker, edge: { cache: false } });
});
afterEach(async () => {
  gate.open();
  for (const { edge } of [cached, uncached]) {
    await expect.poll(() => edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
  }
});
afterAll(async () => {
  await cached.close();
  await uncached.close();
});

interface Surface {
  readonly path: string;
  readonly body: (text: string, voice?: string) => object;
  readonly conflict: object;
}

/** Every HTTP surface for speech, by what it is called. */
const SURFACES: Readonly<Record<string, Surface>> = {
  native: {
    path: "/api/v1/synthesize",
    body: (text, voice = VOICE) => ({ text, voice, format: "pcm" }),
    conflict: { error: { code: "protocol.idempotency_conflict", retryable: false } },
  },
  ElevenLabs: {
    path: `/v1/text-to-speech/${VOICE}/stream?output_format=pcm_24000`,
    body: (text) => ({ text }),
    conflict: { detail: { code: "conflict" } },
  },
  OpenAI: {
    path: "/v1/audio/speech",
    body: (input, voice = VOICE) => ({ input, voice, model: "tts-1", response_format: "pcm" }),
    conflict: { error: { code: expect.any(String) } },
  },
};

const post = (alone: EdgeAlone, path: string, body: object, key: string, signal?: AbortSignal) =>
  fetch(new URL(path, alone.edge.url), {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify(body),
    signal: signal ?? AbortSignal.timeout(20_000),
  });

const heard = async (response: Response) => Buffer.from(await response.arrayBuffer());

describe.each(Object.entries(SURFACES))(
  "a request of %s that names itself",
  (name, { path, body, conflict }) => {
    test("is made once, however often it is sent", async () => {
      const text = `Said once, heard thrice, by ${name}.`;
      const runs = cached.worker.runs.length;
      for (let i = 0; i < 3; i++) {
        const response = await post(cached, path, body(text), `thrice-${name}`);
        expect(response.status).toBe(200);
        expect((await heard(response)).equals(fakeSpeechOf(text))).toBe(true);
        await expect.poll(() => cached.edge.counts().backgroundWork).toBe(0);
      }
      expect(cached.worker.runs.length - runs).toBe(1);
    });

    test("is a conflict where it asks for something else", async () => {
      await heard(await post(cached, path, body("This."), `conflict-${name}`));
      const other = await post(cached, path, body("That."), `conflict-${name}`);
      expect(other.status).toBe(409);
      expect(await other.json()).toMatchObject(conflict);
    });
  },
);

describe("a request that names itself", () => {
  const { path, body } = SURFACES["native"] as Surface;

  test("is made to its end where its client goes away, and the next hears all of it", async () => {
    const text = "The line broke in the middle of this.";
    gate.limitTo(1);
    const going = new AbortController();
    const runs = cached.worker.runs.length;
    const first = await post(cached, path, body(text), "broken", going.signal);
    expect(first.status).toBe(200);
    going.abort();
    gate.open();
    await expect.poll(() => cached.worker.runs.at(-1)?.state).toBe("completed");
    const again = await post(cached, path, body(text), "broken");
    expect((await heard(again)).equals(fakeSpeechOf(text))).toBe(true);
    expect(cached.worker.runs.length - runs).toBe(1);
  });

  test("without a name it is stopped then: the twin", async () => {
    const text = "And nobody heard the end of this.";
    gate.limitTo(1);
    const going = new AbortController();
    const first = await fetch(new URL(path, cached.edge.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body(text)),
      signal: going.signal,
    });
    expect(first.status).toBe(200);
    going.abort();
    await expect.poll(() => cached.edge.counts().sessions).toBe(0);
    gate.open();
    await expect.poll(() => cached.worker.runs.at(-1)?.state).toBe("cancelled");
  });

  test("may be made again where it came to nothing", async () => {
    const runs = cached.worker.runs.length;
    for (let i = 0; i < 2; i++) {
      const failed = await post(cached, path, { ...body("It fails."), voice: "fails", whole: true }, "fails");
      expect(failed.status).toBe(502);
      await expect.poll(() => cached.edge.counts().backgroundWork).toBe(0);
    }
    expect(cached.worker.runs.length - runs).toBe(2);
  });

  test("whose body is wrong does not use up its name", async () => {
    const wrong = await post(cached, path, { text: 7 }, "mended");
    expect(wrong.status).toBe(400);
    await expect.poll(() => cached.edge.counts().backgroundWork).toBe(0);
    expect((await post(cached, path, body("Mended."), "mended")).status).toBe(200);
  });

  test("whose speech nothing keeps is told so, and never made twice", async () => {
    const runs = uncached.worker.runs.length;
    await heard(await post(uncached, path, body("Nothing keeps this."), "unkept"));
    await expect.poll(() => uncached.edge.counts().backgroundWork).toBe(0);
    const again = await post(uncached, path, body("Nothing keeps this."), "unkept");
    expect(again.status).toBe(409);
    expect(await again.json()).toMatchObject({
      error: { code: "protocol.idempotency_spent", retryable: false },
    });
    expect(uncached.worker.runs.length - runs).toBe(1);
  });

  test("leaves nothing in Redis that lasts", async () => {
    const keys = await cached.redis.keys(`${cached.keys.prefix}:idempotency:*`);
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect(await cached.redis.pttl(key)).toBeGreaterThan(0);
  });

  test("has a name of at most 255 characters", async () => {
    const response = await post(cached, path, body("Long."), "x".repeat(256));
    expect(response.status).toBe(400);
  });
});
