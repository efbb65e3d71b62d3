import type { WorkerConfig } from "@tts-labs/worker/config";
import { afterEach, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { ResumingTestClient } from "../../../testkit/clients/resuming-client.ts";
import { type System, type SystemOptions, startSystem } from "../../../testkit/fleet/system.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

const SOCKETS = 200;
const PLACES: Partial<WorkerConfig> = { concurrency: 100 };
const SENTENCE = "Good morning, this is somebody who has something to say.";
const VOICE = "simEnglishGrace0000A";

let system: System;
const clients: NativeClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await system.close();
});

const open = async (options: Omit<SystemOptions, "redisUrl"> = {}) => {
  system = await startSystem({ redisUrl: inject("redisUrl"), worker: PLACES, ...options });
};

/** Sessions whose text has begun with one letter. */
async function idle(count: number): Promise<void> {
  const opened = await Promise.all(Array.from({ length: count }, () => NativeClient.connect(system.url)));
  clients.push(...opened);
  for (const client of opened) client.send({ type: "text", text: "H" });
  await Promise.all(opened.map((client) => client.next("utterance_started")));
}

/** Of one who comes now, in ms. */
async function firstAudioMs(): Promise<number> {
  const client = await NativeClient.connect(system.url);
  clients.push(client);
  const { end } = await client.speak(SENTENCE, { voice: VOICE });
  if (end.type !== "stream_complete") throw new Error(end.type === "error" ? end.code : end.type);
  return end.first_audio_ms ?? Number.POSITIVE_INFINITY;
}

const best = async (times: number) => {
  const all: number[] = [];
  for (let time = 0; time < times; time++) all.push(await firstAudioMs());
  return Math.min(...all);
};

const running = () => metric(system.workers[0]?.opsUrl ?? "", "tts_worker_utterances_active");

test(`${SOCKETS} texts of one letter take no worker's place: who speaks beside them is heard as soon as ever`, async () => {
  await open();
  await best(2);
  const quiet = await best(3);
  await idle(SOCKETS);
  expect(await best(3)).toBeLessThan(2 * quiet);
  await expect.poll(running).toBe(0);
});

test("a worker is asked for as soon as a word is whole, the text is flushed or has ended", async () => {
  await open();
  await idle(3);
  const [word, flushed, ended] = clients;
  word?.send({ type: "text", text: "ello there, " });
  flushed?.send({ type: "flush" });
  ended?.send({ type: "stream_end" });
  await expect.poll(() => ended?.received(1).samples, { timeout: 5_000 }).toBeGreaterThan(0);
  await expect.poll(() => flushed?.received(1).samples, { timeout: 5_000 }).toBeGreaterThan(0);
  word?.send({ type: "stream_end" });
  const heard = await Promise.all([word, ended].map((client) => client?.utterance(1)));
  expect(heard.map((it) => it?.end.type)).toEqual(["stream_complete", "stream_complete"]);
});

test("a text that never becomes a word ends by its own limit, with a name", async () => {
  await open({ edge: { stallTimeoutMs: 500 } });
  await idle(1);
  expect(await clients[0]?.next("error")).toMatchObject({ code: "session.text_timeout" });
});

test("a session that is resumed goes on waiting, and is spoken once it has a word", async () => {
  await open({ edges: 2 });
  const client = await ResumingTestClient.connect(system.url);
  client.send({ type: "text", text: "H" });
  await client.until("its utterance", () => client.received(1).utteranceId || undefined);
  client.cut();
  await client.resume(system.edges[1]?.url ?? "");
  expect(await running()).toBe(0);
  client.send({ type: "text", text: "ello there.", end: true });
  expect((await client.ended(1)).end?.type).toBe("stream_complete");
  await client.close();
});

test("where a worker is asked for at the first letter, all places are taken and nobody else is heard", async () => {
  const admitsAll = { admissionMaxLagMs: 0, admissionMaxQueueWaitMs: 0, admissionMaxWaiting: 0 };
  await open({ edge: { pickupTimeoutMs: 4_000, ...admitsAll }, seams: { asksAtOnce: true } });
  await firstAudioMs();
  await idle(SOCKETS);
  await expect.poll(running, { timeout: 10_000 }).toBe(PLACES.concurrency);
  await expect(firstAudioMs()).rejects.toThrow("worker.unavailable");
});
