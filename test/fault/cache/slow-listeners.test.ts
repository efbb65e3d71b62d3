import { silentLogger } from "@tts-labs/core/logger";
import type { UtteranceJob } from "@tts-labs/core/queue/utterance-job";
import { defaultEdgeConfig } from "@tts-labs/edge/config";
import { startEdge } from "@tts-labs/edge/main";
import { expect, inject, onTestFinished, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { Gate } from "../../../testkit/ground/gate.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

/** Far more than the kernel's socket buffers, the edge, and the stream's bound hold together: 22 MB. */
const LONG = "Whoever stops reading makes everybody behind him wait. ".repeat(400);
/** Of an utterance's stream; less of it than that is held for those who join. */
const BOUND = 512 * 1024;
const CACHE = { cache: true, cacheMaxEntryBytes: 32 * 1024 * 1024, slowClientNoticeMs: 300 };

function closedGate(): Gate {
  const gate = new Gate();
  gate.close();
  return gate;
}

async function start(edge: object = {}, gate = new Gate()): Promise<EdgeAlone> {
  const alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    edge: { ...CACHE, ...edge },
    worker: { chunkCharacters: 15, maxBytes: 256 * 1024, beforeChunk: () => gate.passed() },
  });
  onTestFinished(() => alone.close());
  return alone;
}

/** Asks for it and then reads nothing. */
async function standStill(url: string): Promise<NativeClient> {
  const client = await NativeClient.connect(url, {}, { limitMs: 20_000 });
  onTestFinished(() => client.terminate());
  client.pause();
  client.send({ type: "text", text: LONG });
  client.send({ type: "stream_end" });
  return client;
}

async function ask(
  url: string,
  text = LONG,
): Promise<{ readonly cache: string | null; readonly isWhole: boolean }> {
  const response = await fetch(`${url}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm" },
    body: JSON.stringify({ text }),
  });
  const body = Buffer.from(await response.arrayBuffer());
  return { cache: response.headers.get("x-cache"), isWhole: body.equals(fakeSpeechOf(text)) };
}

const slowClientsTold = (opsUrl: string) => metric(opsUrl, "tts_edge_slow_clients_told_total");

async function hearAll(client: NativeClient): Promise<boolean> {
  client.resume();
  return (await client.utterance(1)).pcm.equals(fakeSpeechOf(LONG));
}

test("who asked first and takes nothing holds the worker back alone; who joins here is not slowed, and both hear all", async () => {
  const { edge, worker } = await start();
  const slow = await standStill(edge.url);
  await expect.poll(() => slowClientsTold(edge.opsUrl), { timeout: 8_000 }).toBe(1);
  // Alone it keeps the worker waiting: what would hold for those who join as well, were each a reader of the stream.
  const waits = worker.runs[0]?.appendedSamples;
  expect(worker.running).toBe(1);
  expect(await ask(edge.url)).toEqual({ cache: "joined", isWhole: true });
  expect(worker.runs).toHaveLength(1);
  expect(worker.runs[0]?.appendedSamples).toBeGreaterThan(waits ?? Number.POSITIVE_INFINITY);
  expect(await hearAll(slow)).toBe(true);
});

test("nor is who joins on another edge", async () => {
  const gate = closedGate();
  const { edge, worker, keys } = await start({}, gate);
  const voice = "simEnglishGrace0000A";
  const config = { ...CACHE, port: 0, redisUrl: inject("redisUrl"), keyPrefix: keys.prefix, voice };
  const other = await startEdge(defaultEdgeConfig(config), silentLogger);
  onTestFinished(() => other.close());
  const slow = await standStill(edge.url);
  await expect.poll(() => worker.running).toBe(1);
  const asked = ask(other.url);
  await expect.poll(() => other.counts().utterances).toBe(1);
  gate.open();
  expect(await asked).toEqual({ cache: "joined", isWhole: true });
  expect(worker.runs).toHaveLength(1);
  expect(await hearAll(slow)).toBe(true);
});

test("speech that outgrows an entry, or the edge's memory, is heard whole by all who listen", async () => {
  const text = LONG.slice(0, 5_000);
  for (const bound of [{ cacheMaxEntryBytes: 1024 * 1024 }, { cacheMemoryBytes: 1024 * 1024 }]) {
    const gate = closedGate();
    const { edge, worker } = await start(bound, gate);
    const asked = Array.from({ length: 3 }, () => ask(edge.url, text));
    await expect.poll(() => edge.counts().utterances).toBe(3);
    await expect.poll(() => worker.running).toBe(1);
    gate.open();
    for (const it of await Promise.all(asked)) expect(it.isWhole).toBe(true);
    expect(worker.runs).toHaveLength(1);
    const label = "cacheMaxEntryBytes" in bound ? "entry" : "edge";
    expect(await metric(edge.opsUrl, `tts_cache_outgrown_total{bound="${label}"}`)).toBe(1);
  }
});

test("an utterance that waits long for its turn is still there from its first sample on", async () => {
  const gate = closedGate();
  const first = "Wait for me.";
  let held: string | undefined;
  const beforeChunk = ({ utteranceId }: UtteranceJob) => {
    held ??= utteranceId;
    return held === utteranceId ? gate.passed() : undefined;
  };
  const alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    edge: CACHE,
    worker: { chunkCharacters: 15, maxBytes: BOUND, beforeChunk },
  });
  onTestFinished(() => alone.close());
  const client = await NativeClient.connect(alone.edge.url);
  onTestFinished(() => client.terminate());
  const second = "This is said long before it is heard, and is longer than a stream holds. ".repeat(8);
  for (const text of [first, second]) {
    client.send({ type: "text", text });
    client.send({ type: "stream_end" });
  }
  await expect.poll(() => alone.worker.runs[1]?.appendedSamples).toBeGreaterThan(BOUND * 0.4);
  gate.open();
  expect((await client.utterance(1)).pcm.equals(fakeSpeechOf(first))).toBe(true);
  expect((await client.utterance(2)).pcm.equals(fakeSpeechOf(second))).toBe(true);
});
