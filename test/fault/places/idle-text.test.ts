import { afterEach, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { ResumingTestClient } from "../../../testkit/clients/resuming-client.ts";
import { type System, type SystemOptions, startSystem } from "../../../testkit/fleet/system.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

/** The shortest pause that is noticed, so that tests do not wait for long. */
const IDLE_TEXT_MS = 1_200;
const VOICE = "simEnglishGrace0000A";
const FIRST = "This is how it begins. ";
const SECOND = "And after a long pause it goes on. ";

let system: System;
afterEach(() => system.close());

const open = async (options: Omit<SystemOptions, "redisUrl"> = {}) => {
  system = await startSystem({
    redisUrl: inject("redisUrl"),
    ...options,
    worker: { idleTextMs: IDLE_TEXT_MS, providerSlots: 4, ...options.worker },
  });
  return system.url;
};

const ofWorker = (name: string, worker = 0) => metric(system.workers[worker]?.opsUrl ?? "", name);
const running = () => ofWorker("tts_worker_utterances_active");
const isParked = () => expect.poll(running, { timeout: 10_000 }).toBe(0);

test("who has begun and gives no more text holds neither a worker's place nor a slot, and is spoken on when more comes", async () => {
  const client = await NativeClient.connect(await open());
  client.send({ type: "text", text: FIRST, voice: VOICE });
  client.send({ type: "flush" });
  await client.until("audio", () => client.received(1).samples > 20_000 || undefined);
  await isParked();
  expect(await ofWorker("tts_worker_slots_held")).toBe(0);
  const before = client.received(1).samples;
  const askedAtMs = performance.now();
  client.send({ type: "text", text: SECOND });
  client.send({ type: "flush" });
  await client.until("more audio", () => client.received(1).samples > before || undefined);
  expect(performance.now() - askedAtMs).toBeLessThan(3_000);
  await isParked();
  client.send({ type: "text", text: "Then it ends.", end: true });
  const { end, words } = await client.utterance(1);
  expect(end).toMatchObject({ type: "stream_complete", replaced_samples: 0 });
  expect(words.map(({ text }) => text).join(" ")).toBe(`${FIRST}${SECOND}Then it ends.`);
  expect(await ofWorker("tts_worker_continuations_total").catch(() => 0)).toBe(0);
  await client.close();
});

test("an end that comes after the pause ends it", async () => {
  const client = await NativeClient.connect(await open());
  client.send({ type: "text", text: FIRST, voice: VOICE });
  client.send({ type: "flush" });
  await client.until("audio", () => client.received(1).samples > 20_000 || undefined);
  await isParked();
  client.send({ type: "stream_end" });
  expect((await client.utterance(1)).end.type).toBe("stream_complete");
  await client.close();
});

test("so do clients with a letter now and then: others find all places free", async () => {
  const url = await open({ worker: { concurrency: 10 } });
  const clients = await Promise.all(Array.from({ length: 12 }, () => NativeClient.connect(url)));
  for (const client of clients) client.send({ type: "text", text: "Hello. ", voice: VOICE });
  await expect.poll(running, { timeout: 10_000 }).toBeGreaterThan(0);
  await isParked();
  // No word has come yet: no worker is asked.
  for (const client of clients) client.send({ type: "text", text: "a" });
  const speaker = await NativeClient.connect(url);
  expect((await speaker.speak("Somebody else speaks meanwhile.", { voice: VOICE })).end.type).toBe(
    "stream_complete",
  );
  expect(await running()).toBe(0);
  await Promise.all([speaker, ...clients].map((client) => client.close()));
});

test("a session that is resumed elsewhere is spoken on, too", async () => {
  await open({ edges: 2 });
  const client = await ResumingTestClient.connect(system.url);
  client.send({ type: "text", text: FIRST, voice: VOICE });
  client.send({ type: "flush" });
  await client.until("audio", () => client.bytes > 40_000 || undefined);
  await isParked();
  client.cut();
  await client.resume(system.edges[1]?.url ?? "");
  client.send({ type: "text", text: SECOND, end: true });
  expect((await client.ended(1)).end?.type).toBe("stream_complete");
  await client.close();
});

test("who never gives more is told so by its own limit", async () => {
  const url = await open({ edge: { stallTimeoutMs: 4_000 } });
  const client = await NativeClient.connect(url);
  client.send({ type: "text", text: FIRST, voice: VOICE });
  client.send({ type: "flush" });
  expect(await client.next("error")).toMatchObject({ code: "session.text_timeout" });
  await client.close();
});

test("kept as before, all places are held by who says nothing", async () => {
  const url = await open({ edge: { pickupTimeoutMs: 3_000 }, worker: { concurrency: 10, idleTextMs: 0 } });
  const clients = await Promise.all(Array.from({ length: 10 }, () => NativeClient.connect(url)));
  for (const client of clients) client.send({ type: "text", text: "Hello. ", voice: VOICE });
  await expect.poll(running, { timeout: 10_000 }).toBe(10);
  const speaker = await NativeClient.connect(url);
  expect((await speaker.speak("Somebody else is not heard.", { voice: VOICE })).end).toMatchObject({
    code: "worker.unavailable",
  });
  await Promise.all([speaker, ...clients].map((client) => client.close()));
});
