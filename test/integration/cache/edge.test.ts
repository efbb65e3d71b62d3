import { createHash } from "node:crypto";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

const VOICE = "simEnglishGrace0000A";
let system: System;
/** Says a text that was never said before. */
let number = 0;
const fresh = (text = "The train to the coast leaves at seven") => `${text}, platform ${++number}.`;

beforeAll(async () => {
  system = await startSystem({
    redisUrl: inject("redisUrl"),
    workers: 2,
    edges: 2,
    edge: { cache: true, cacheMaxEntryBytes: 8 * 1024 * 1024 },
    simulator: { timeScale: 0.2 },
  });
});
afterAll(() => system.close());
beforeEach(() => system.simulator.reset());

/** Utterances whose text the provider was given. */
const spoken = () => system.simulator.report().ends;

async function post(text: string, edge = 0, options: object = {}, accept = "audio/pcm") {
  const response = await fetch(`${system.edges[edge]?.url}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept },
    body: JSON.stringify({ text, ...options }),
  });
  const body = Buffer.from(await response.arrayBuffer());
  return { status: response.status, cache: response.headers.get("x-cache"), body };
}

/** Storing follows the end of the answer. */
const stored = async (edge = 0) => metric(system.edges[edge]?.opsUrl ?? "", "tts_cache_stored_total");
async function sayOnce(text: string, options: object = {}) {
  const before = await stored();
  const answer = await post(text, 0, options);
  await expect.poll(() => stored()).toBe(before + 1);
  return answer;
}

describe("what was spoken once", () => {
  test("is served again by any edge, byte for byte, and the provider hears nothing of it", async () => {
    const text = fresh();
    const first = await sayOnce(text);
    expect(first.cache).toBe("miss");
    expect(first.body.equals((await renderSpeech({ text, voice: VOICE })).pcm)).toBe(true);
    system.simulator.reset();
    for (const edge of [0, 1]) {
      expect(await post(text, edge)).toEqual({ ...first, cache: "hit" });
      expect((await post(`  ${text.replaceAll(" ", "  ")}\n`, edge)).cache).toBe("hit");
    }
    expect(spoken()).toBe(0);
  });

  test("comes as a WAV with its true lengths, which speech that is still being made can't have", async () => {
    const text = fresh("A strict reader believes the lengths in a header");
    const before = await stored();
    const made = await post(text, 0, {}, "audio/wav");
    await expect.poll(() => stored()).toBe(before + 1);
    const kept = await post(text, 1, {}, "audio/wav");
    expect([made.cache, kept.cache]).toEqual(["miss", "hit"]);
    expect(made.body.readUInt32LE(40)).toBe(0xffff_ffff);
    expect([kept.body.readUInt32LE(4), kept.body.readUInt32LE(40)]).toEqual([
      kept.body.length - 8,
      kept.body.length - 44,
    ]);
    expect(kept.body.subarray(44).equals(made.body.subarray(44))).toBe(true);
  });

  test("comes with the same words and alignment, as messages and as JSON", async () => {
    const text = fresh("A quiet river runs behind the old mill, where children fish");
    const captioned: unknown[] = [];
    const bytes: string[] = [];
    const before = await stored();
    for (const edge of system.edges) {
      const client = await NativeClient.connect(edge.url);
      const utterance = await client.speak(text);
      bytes.push(createHash("sha256").update(utterance.pcm).digest("hex"));
      const captions = client.messages.filter(({ type }) => type === "alignment" || type === "words");
      captioned.push(captions.map((it) => ({ ...it, utterance_id: "" })));
      const complete = client.messages.find(({ type }) => type === "stream_complete");
      expect(complete).toMatchObject({
        cache: edge === system.edges[0] ? "miss" : "hit",
        characters: text.length,
      });
      await client.close();
      if (edge === system.edges[0]) await expect.poll(() => stored()).toBe(before + 1);
    }
    expect(bytes[1]).toBe(bytes[0]);
    expect(captioned[1]).toEqual(captioned[0]);
    const json = JSON.parse((await post(text, 1, {}, "application/json")).body.toString());
    expect(json).toMatchObject({ cache: "hit" });
    expect(json.words.length).toBeGreaterThan(8);
  });

  test.each([
    ["voice", { voice: "simGermanAnna000000A" }],
    ["seed", { seed: 7 }],
    ["speed", { voice_settings: { speed: 1.1 } }],
    ["model", { model: "eleven_multilingual_v2" }],
  ])("is not served where another %s is asked for", async (_name, options) => {
    const text = fresh("Every morning the baker opens his door");
    const first = await sayOnce(text);
    const other = await sayOnce(text, options);
    expect(other.cache).toBe("miss");
    expect(other.body.equals(first.body)).toBe(false);
    expect((await post(text)).body.equals(first.body)).toBe(true);
    expect((await post(text, 1, options)).body.equals(other.body)).toBe(true);
  });

  test("in a session, text that is complete at once is looked up, text that comes in pieces is not", async () => {
    const text = fresh("If you would like to hear that again, say so");
    await sayOnce(text);
    const client = await NativeClient.connect(system.url);
    const utterance = await client.speak(text);
    expect(utterance.pcm.equals((await renderSpeech({ text, voice: VOICE })).pcm)).toBe(true);
    const ended = (await client.next("stream_complete")).cache;
    expect(ended).toBe("hit");
    client.send({ type: "text", text: text.slice(0, 10) });
    await client.next("utterance_started", ({ utterance: n }) => n === 2);
    // A ping is answered at once: the edge has seen the first piece by itself.
    client.send({ type: "ping" });
    await client.next("pong");
    client.send({ type: "text", text: text.slice(10) });
    client.send({ type: "stream_end" });
    expect((await client.next("stream_complete", ({ utterance: n }) => n === 2)).cache).toBe("off");
    await client.close();
  });
});

describe("what is just being spoken", () => {
  test("is spoken once, however many ask for it on both edges; all hear the same", async () => {
    const text = fresh("A hundred callers ask for one and the same announcement");
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => post(text, i % 2)));
    expect(spoken()).toBe(1);
    const rendered = (await renderSpeech({ text, voice: VOICE })).pcm;
    for (const { body } of answers) expect(body.equals(rendered)).toBe(true);
    const uses = answers.map(({ cache }) => cache);
    expect(uses.filter((it) => it === "miss")).toHaveLength(1);
    expect(uses.filter((it) => it === "joined")).toHaveLength(99);
    expect((await post(text)).cache).toBe("hit");
  });

  test("without the cache each of them is spoken: the count sees it", async () => {
    const uncached = await startSystem({ redisUrl: inject("redisUrl"), simulator: { timeScale: 0.2 } });
    try {
      const ask = () =>
        fetch(`${uncached.url}/api/v1/synthesize`, {
          method: "POST",
          headers: { "content-type": "application/json", accept: "audio/pcm" },
          body: JSON.stringify({ text: "Everyone asks for this." }),
        }).then((response) => response.arrayBuffer());
      await Promise.all(Array.from({ length: 10 }, ask));
      expect(uncached.simulator.report().ends).toBe(10);
    } finally {
      await uncached.close();
    }
  });

  test("goes on for those who joined when the one who asked first cancels", async () => {
    const text = fresh("The one who asked for this first does not want it any more");
    const before = await stored();
    const first = await NativeClient.connect(system.url);
    first.send({ type: "text", text });
    first.send({ type: "stream_end" });
    await first.next("utterance_started");
    await expect.poll(() => spoken()).toBe(1);
    const others = Promise.all([post(text, 0), post(text, 1)]);
    await expect.poll(() => metric(system.edges[1]?.opsUrl ?? "", "tts_edge_sessions")).toBe(1);
    await expect.poll(() => metric(system.edges[0]?.opsUrl ?? "", "tts_edge_sessions")).toBe(2);
    first.send({ type: "cancel" });
    await first.next("cancelled");
    const rendered = (await renderSpeech({ text, voice: VOICE })).pcm;
    for (const { body } of await others) expect(body.equals(rendered)).toBe(true);
    await expect.poll(() => stored()).toBe(before + 1);
    await first.close();
  });

  test("is cancelled at the provider when nobody else has joined, and nothing is kept", async () => {
    const text = fresh(
      "Nobody else has asked for this, which is rather long, so that it is cut short. ".repeat(8),
    );
    const before = await stored();
    const first = await NativeClient.connect(system.url);
    first.send({ type: "text", text });
    first.send({ type: "stream_end" });
    await expect.poll(() => first.receivedFrames).toBeGreaterThan(0);
    first.send({ type: "cancel" });
    await first.next("cancelled");
    await expect.poll(() => system.simulator.report().generating.now).toBe(0);
    expect(system.simulator.report().finals).toBe(0);
    await first.close();
    expect(await stored()).toBe(before);
    expect((await post(text)).cache).toBe("miss");
  });
});

test("nothing stays in Redis for ever", async () => {
  expect(await system.keysWithoutTtl()).toEqual([]);
});
