import { randomBytes } from "node:crypto";
import { silentLogger } from "@tts-labs/core/logger";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { defaultWorkerConfig } from "@tts-labs/worker/config";
import { type RunningWorker, startWorker } from "@tts-labs/worker/main";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { HandEdge, SPEECH } from "../../../testkit/fleet/hand-edge.ts";

const keyPrefix = `worker-${randomBytes(4).toString("hex")}`;
const config = () =>
  defaultWorkerConfig({
    redisUrl: inject("redisUrl"),
    keyPrefix,
    opsPort: 0,
    elevenLabsUrl: simulator.url,
    apiKey: "sk_simulator",
    audioStreamMaxBytes: 128 * 1024,
    drainMs: 5_000,
  });

let simulator: Simulator;
let worker: RunningWorker;
let edge: HandEdge;

beforeAll(async () => {
  simulator = await startSimulator(defaultSimulatorConfig({ port: 0, timeScale: 0.1 }), silentLogger);
  worker = await startWorker(config(), silentLogger);
  edge = await HandEdge.open(inject("redisUrl"), keyPrefix);
});
afterAll(async () => {
  await edge.close();
  await worker.close();
  await simulator.close();
});
beforeEach(() => simulator.reset());

const render = async (text: string) => (await renderSpeech({ ...SPEECH, text })).pcm;
const violations = () => Object.values(simulator.report().violations).reduce((sum, count) => sum + count, 0);
const metric = async (line: RegExp): Promise<number> => {
  const text = await (await fetch(`${worker.opsUrl}/metrics`)).text();
  return Number(line.exec(text)?.[1] ?? 0);
};

describe("a worker", () => {
  test("speaks a job's text: the provider's samples, byte for byte, with their alignment and latency", async () => {
    const text = "Good morning. How are you today?";
    const heard = await edge.speak(text);
    expect(heard.result).toMatchObject({ outcome: { kind: "completed" }, characters: text.length });
    expect(heard.pcm.equals(await render(text))).toBe(true);
    const said = heard.entries.flatMap((entry) => entry.alignment?.chars ?? []).join("");
    expect(said.trim().replaceAll("  ", " ")).toBe(text);
    expect(heard.entries[0]?.latencyMs?.provider).toBeGreaterThan(0);
    expect(heard.result.samples * 2).toBe(heard.pcm.byteLength);
    expect(violations()).toBe(0);
  });

  test("speaks text that comes token by token as it would the whole", async () => {
    const text = "The first sentence is short. The second one comes a little later, and it is longer.";
    const tokens = text.match(/\s?\S+/g) ?? [];
    const utterance = await edge.utterance([{ kind: "text", text: tokens[0] ?? "" }]);
    for (const token of tokens.slice(1)) await utterance.send({ kind: "text", text: token });
    await utterance.send({ kind: "end" });
    const heard = await utterance.listen();
    expect(heard.result.characters).toBe(text.length);
    expect(heard.pcm.equals(await render(text))).toBe(true);
  });

  test("begins to speak a sentence while its utterance is still open", async () => {
    const utterance = await edge.utterance([{ kind: "text", text: "This is spoken at once. And this" }]);
    const reader = utterance.reader();
    expect((await reader.read(1, AbortSignal.timeout(10_000))).kind).toBe("entries");
    await reader.close();
    await utterance.send({ kind: "text", text: " comes later." }, { kind: "end" });
    const heard = await utterance.listen();
    expect(heard.pcm.equals(await render("This is spoken at once. And this comes later."))).toBe(true);
  });

  test("stops reading its provider when nobody takes the audio; then every byte arrives", async () => {
    const text = "One sentence follows the other, and none of them is short enough. ".repeat(8).trim();
    const utterance = await edge.utterance([{ kind: "text", text }, { kind: "end" }]);
    const stream = { tag: utterance.utteranceId, name: "audio" } as const;
    const stored = async () => (await edge.streams.inspect(stream))?.storedBytes ?? 0;
    const limits = { timeout: 10_000, interval: 20 };
    await vi.waitFor(async () => expect(await stored()).toBeGreaterThan(100_000), limits);
    await vi.waitFor(
      async () => expect(await metric(/^tts_worker_provider_sockets_paused (\d+)/m)).toBe(1),
      limits,
    );
    expect(await stored()).toBeLessThanOrEqual(128 * 1024);
    const heard = await utterance.listen();
    const rendered = await render(text);
    expect(rendered.byteLength).toBeGreaterThan(1_000_000);
    expect(heard.pcm.equals(rendered)).toBe(true);
  });

  test("lets the provider go at once when the client cancels", async () => {
    const utterance = await edge.utterance([
      { kind: "text", text: "A long story begins here, and goes on. " },
    ]);
    await vi.waitFor(() => expect(simulator.report().texts).toBeGreaterThan(0), { timeout: 5_000 });
    await utterance.send({ kind: "cancel" });
    const heard = await utterance.listen();
    expect(heard.result.outcome).toEqual({ kind: "cancelled" });
    await vi.waitFor(async () => expect(await metric(/^tts_worker_utterances_active (\d+)/m)).toBe(0));
  });

  test("speaks many at once, each whole and in order, one opening per socket, and leaves no lasting key", async () => {
    const texts = Array.from(
      { length: 24 },
      (_, i) => `This is voice number ${i}, and it is heard to its end.`,
    );
    const heard = await Promise.all(texts.map((text) => edge.speak(text)));
    const rendered = await Promise.all(texts.map(render));
    for (const [i, { pcm }] of heard.entries()) expect(pcm.equals(rendered[i] ?? Buffer.of())).toBe(true);
    const report = simulator.report();
    expect(report.openings).toBe(report.upgrades.accepted);
    expect(violations()).toBe(0);
    await vi.waitFor(async () => expect(await edge.keysWithoutTtl()).toEqual([]), { timeout: 5_000 });
    expect(await edge.queue.depth()).toEqual({ waiting: 0, active: 0 });
  });
});

describe("a worker that is asked about itself", () => {
  const get = (path: string, init?: RequestInit) => fetch(`${worker.opsUrl}${path}`, init);

  test("is alive and ready, and says so in metrics with closed label sets", async () => {
    expect((await get("/healthz")).status).toBe(200);
    expect(await (await get("/readyz")).json()).toEqual({ status: "ready" });
    await edge.speak("Counted.");
    const response = await get("/metrics");
    expect(response.headers.get("content-type")).toContain("text/plain");
    const text = await response.text();
    expect(text).toMatch(/^tts_worker_utterances_total\{outcome="completed"\} [1-9]/m);
    expect(text).toMatch(/^tts_worker_first_audio_seconds_count\{part="provider"\} [1-9]/m);
    expect(text).toMatch(/^tts_worker_pool_checkouts_total\{how="hit"\} [1-9]/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
    expect(text).not.toContain("Counted.");
  });

  test("answers other paths and methods with typed errors", async () => {
    expect((await get("/secret")).status).toBe(404);
    expect((await get("/healthz", { method: "POST" })).status).toBe(405);
  });

  test("warms a route that an edge says is wanted", async () => {
    const { openings } = simulator.report();
    const wanted = JSON.stringify({ ...SPEECH, voice: "simGermanAnna000000A" });
    await edge.redis.zadd(edge.keys.routes, Date.now() + 5_000, wanted);
    await edge.redis.pexpire(edge.keys.routes, 5_000);
    await vi.waitFor(() => expect(simulator.report().openings).toBeGreaterThan(openings), { timeout: 5_000 });
    const hits = /^tts_worker_pool_checkouts_total\{how="hit"\} (\d+)/m;
    const before = await metric(hits);
    await edge.speak("Guten Tag.", { voice: "simGermanAnna000000A" });
    expect(await metric(hits)).toBe(before + 1);
  });

  test("has listed the provider's voices for the edges", async () => {
    await vi.waitFor(async () => {
      const voices: unknown = JSON.parse((await edge.redis.get(edge.keys.voices)) ?? "[]");
      expect(voices).toContainEqual({ id: SPEECH.voice, name: expect.any(String), language: "en" });
    });
    expect(await edge.redis.pttl(edge.keys.voices)).toBeGreaterThan(0);
  });
});

describe("a worker that drains", () => {
  test("finishes what it speaks, leaves new jobs to others, and is not ready meanwhile", async () => {
    const own = `${keyPrefix}-drain`;
    const leaving = await startWorker({ ...config(), keyPrefix: own }, silentLogger);
    const hand = await HandEdge.open(inject("redisUrl"), own);
    try {
      const running = await hand.utterance([{ kind: "text", text: "This one is finished. " }]);
      await vi.waitFor(async () => expect((await hand.queue.depth()).active).toBe(1));
      const closing = leaving.close();
      const ready = await fetch(`${leaving.opsUrl}/readyz`);
      expect(ready.status).toBe(503);
      expect(await ready.json()).toEqual({ status: "not ready", reason: "draining" });
      const later = await hand.utterance([
        { kind: "text", text: "This one goes elsewhere." },
        { kind: "end" },
      ]);
      await running.send({ kind: "end" });
      expect((await running.listen()).result.outcome).toEqual({ kind: "completed" });
      await closing;
      expect(await hand.queue.depth()).toEqual({ waiting: 1, active: 0 });
      const next = await startWorker({ ...config(), keyPrefix: own }, silentLogger);
      expect((await later.listen()).result.outcome).toEqual({ kind: "completed" });
      await next.close();
    } finally {
      await hand.close();
      await leaving.close();
    }
  });

  test("hands over what does not finish in time, without waiting for its lease to run out", async () => {
    const own = `${keyPrefix}-drain-late`;
    const leaving = await startWorker({ ...config(), keyPrefix: own, drainMs: 50 }, silentLogger);
    const hand = await HandEdge.open(inject("redisUrl"), own);
    try {
      const utterance = await hand.utterance([{ kind: "text", text: "Its text is not" }]);
      await vi.waitFor(async () => expect((await hand.queue.depth()).active).toBe(1));
      await leaving.close();
      expect(await hand.queue.depth()).toEqual({ waiting: 1, active: 0 });
      const next = await startWorker({ ...config(), keyPrefix: own }, silentLogger);
      onTestFinished(() => next.close());
      await utterance.send({ kind: "text", text: " complete yet." });
      await utterance.send({ kind: "end" });
      expect((await utterance.listen()).result.outcome).toEqual({ kind: "completed" });
    } finally {
      await hand.close();
      await leaving.close();
    }
  });
});
