import { silentLogger } from "@tts-labs/core/logger";
import { openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ResumingTestClient } from "../../../testkit/clients/resuming-client.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

/** It is heard from the cache: what it leaves in Redis is its session's record, and that must do. */
const VOICE = "simGermanAnna000000A";
const FIRST = "Der Zug nach Köln fährt heute von Gleis sieben, mit einer Verspätung von zwanzig Minuten.";
const SECOND = "Bitte Vorsicht bei der Einfahrt.";
let system: System;
let redis: RedisConnection;

beforeAll(async () => {
  redis = openRedis({ url: inject("redisUrl"), purpose: "commands", logger: silentLogger });
  const edge = { cache: true, resumeWindowMs: 3_000 };
  system = await startSystem({ redisUrl: inject("redisUrl"), edges: 2, edge });
});
afterAll(async () => {
  await system?.close();
  redis.disconnect();
});

const keys = (part: string) => redis.keys(`*${system.keyPrefix}*${part}*`);
const url = (edge: number) => system.edges[edge]?.url ?? "";
const stores = () => metric(system.opsUrl, "tts_cache_stored_total").catch(() => 0);

/** Puts `text` into the cache. @returns the keys of its entry */
async function store(text: string): Promise<string[]> {
  const before = new Set(await keys(":cache:"));
  const stored = await stores();
  const response = await fetch(`${url(0)}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm" },
    body: JSON.stringify({ text, voice: VOICE }),
  });
  await response.arrayBuffer();
  await expect.poll(stores).toBe(stored + 1);
  return (await keys(":cache:")).filter((key) => !before.has(key));
}

/** Hears the first of two cached texts as it is spoken, the second waits; then its line is cut. */
async function cutWhileHearing(): Promise<ResumingTestClient> {
  const client = new ResumingTestClient();
  await client.connect(url(0), { delivery: "paced" });
  for (const text of [FIRST, SECOND]) client.send({ type: "text", text, voice: VOICE, end: true });
  await client.until("the first's beginning", () => client.bytes > 0 || undefined);
  await client.until("the second's name", () => client.received(2).utteranceId || undefined);
  return client;
}

test("it leaves no stream behind, and the one that waits is spoken anew where its entry has gone", async () => {
  await store(FIRST);
  const second = await store(SECOND);
  system.simulator.reset();
  const client = await cutWhileHearing();
  const ids = [1, 2].map((number) => client.received(number).utteranceId);
  for (const id of ids) expect(await keys(`:stream:{${id}}`)).toEqual([]);
  client.cut();
  expect(await redis.del(...second)).toBe(1);
  await client.resume(url(1));
  for (const [i, text] of [FIRST, SECOND].entries()) {
    const { pcm, end } = await client.ended(i + 1);
    expect(end).toMatchObject({ type: "stream_complete", cache: i === 0 ? "hit" : "miss" });
    expect(pcm.equals((await renderSpeech({ text, voice: VOICE })).pcm)).toBe(true);
  }
  expect(system.simulator.report().ends).toBe(1);
  await client.close();
});

test("the one that is being heard can't be spoken anew in its middle: its position is told to be gone", async () => {
  const client = await cutWhileHearing();
  client.cut();
  await redis.del(...(await keys(":cache:")));
  await client.resume(url(1));
  await client.until(
    "the refusal",
    () => client.errors.at(-1)?.code === "session.position_gone" || undefined,
  );
});
