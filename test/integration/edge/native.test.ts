import { samplesToMs } from "@tts-labs/protocol/audio/pcm";
import { MAX_UTTERANCE_CHARACTERS, MAX_UTTERANCES_PER_SESSION } from "@tts-labs/protocol/limits";
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { Gate } from "../../../testkit/ground/gate.ts";

const TEXT = "The quick brown fox jumps over the lazy dog, twice.";

let alone: EdgeAlone;
const gate = new Gate();
const clients: NativeClient[] = [];
const connect = async (query: Record<string, string | number> = {}, headers: Record<string, string> = {}) => {
  const client = await NativeClient.connect(alone.edge.url, query, { headers });
  clients.push(client);
  return client;
};

beforeAll(async () => {
  const worker = { beforeChunk: () => gate.passed() };
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), worker });
});
afterEach(async () => {
  gate.open();
  for (const client of clients.splice(0)) await client.close();
  await expect.poll(() => alone.edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
});
afterAll(() => alone.close());

describe("a session of the native protocol", () => {
  test("says first what it will send", async () => {
    const query = {
      session_id: "my-session",
      delivery: "paced",
      overflow: "drop-oldest",
      frame_samples: 480,
    };
    const client = await connect(query, { "x-request-id": "call-17" });
    expect(client.connected).toMatchObject({
      protocol: 1,
      session_id: "my-session",
      delivery: "paced",
      overflow: "drop-oldest",
      frame_samples: 480,
      sample_rate: 24_000,
      provider: "elevenlabs",
      request_id: "call-17",
      encoding: "pcm_s16le",
    });
    // The server's clock, for clients that compare it with theirs.
    expect(Math.abs(Date.parse(client.connected.time) - Date.now())).toBeLessThan(60_000);
    expect(client.connected.resume_token.length).toBeGreaterThan(40);
  });

  test("names its encoding, and tells the time in UTC when it opens and when an utterance completes", async () => {
    const before = Date.now();
    const client = await connect();
    const { end } = await client.speak(TEXT);
    const after = Date.now();
    if (end.type !== "stream_complete") throw new Error("not complete");
    expect(client.connected.encoding).toBe("pcm_s16le");
    const times = [client.connected.time, end.time];
    expect(times.map((time) => new Date(time).toISOString())).toEqual(times);
    const [opened = 0, completed = 0] = times.map((time) => Date.parse(time));
    expect(opened).toBeGreaterThanOrEqual(before);
    expect(completed).toBeGreaterThanOrEqual(opened);
    expect(completed).toBeLessThanOrEqual(after);
  });

  test("speaks a text to the last sample, with words and totals", async () => {
    const client = await connect({ frame_samples: 960 });
    const spoken = await client.speak(TEXT);
    const samples = fakeSpeechOf(TEXT).length / 2;
    expect(spoken.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    expect(spoken.words.map((it) => it.text).join(" ")).toBe(TEXT);
    expect(spoken.alignments.flatMap((it) => it.chars).join("")).toBe(TEXT);
    expect(spoken.end).toMatchObject({
      type: "stream_complete",
      utterance: 1,
      characters: TEXT.length,
      samples,
      dropped_frames: 0,
      frames: Math.ceil(samples / 960),
      duration_ms: samplesToMs(samples, 24_000),
      latency_ms: { slot: 0, connect: 2, provider: 3, turn: expect.any(Number) },
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
    if (spoken.end.type !== "stream_complete") throw new Error("not complete");
    // The fake worker says 1 ms, which is less where all of it was faster than the 6 ms that it makes up.
    expect(spoken.end.latency_ms["queue"]).toBeLessThanOrEqual(1);
    const parts = Object.values(spoken.end.latency_ms).reduce((sum, ms) => sum + ms, 0);
    expect(parts).toBeCloseTo(spoken.end.first_audio_ms ?? 0, 5);
  });

  test("speaks text that comes token by token, flushes included, as one utterance", async () => {
    const client = await connect({ frame_samples: 240 });
    for (const token of TEXT.split(/(?<= )/)) {
      client.send({ type: "text", text: token });
      client.send({ type: "flush" });
      client.send({ type: "text", text: "" });
    }
    client.send({ type: "stream_end" });
    const spoken = await client.utterance(1);
    expect(spoken.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    expect(alone.worker.runOf(spoken.utteranceId).text).toBe(TEXT);
    expect(alone.worker.runOf(spoken.utteranceId).flushes).toBeGreaterThan(0);
  });

  test("speaks text whose last message says so, without a stream_end", async () => {
    const client = await connect();
    for (const [i, texts] of [[TEXT], ["In two ", "pieces."], ["And an empty last one.", ""]].entries()) {
      for (const [piece, text] of texts.entries()) {
        client.send({ type: "text", text, end: piece === texts.length - 1 });
      }
      const spoken = await client.utterance(i + 1);
      expect(spoken.pcm.equals(fakeSpeechOf(texts.join("")))).toBe(true);
    }
  });

  test("what is refused together with its end stands in nobody's way", async () => {
    const client = await connect();
    client.send({ type: "text", text: "Half of a pair: \ud83d", end: true });
    await client.next("error", ({ code }) => code === "protocol.invalid_message");
    client.send({ type: "text", text: "Begun, " });
    client.send({ type: "text", text: "and refused.", voice: "another", end: true });
    await client.next("error", ({ code }) => code === "protocol.wrong_state");
    expect((await client.utterance(1)).pcm.equals(fakeSpeechOf("Begun, "))).toBe(true);
    expect((await client.speak("Again.")).pcm.equals(fakeSpeechOf("Again."))).toBe(true);
  });

  test("joins an emoji that was parted between two messages, from the first one on", async () => {
    const client = await connect();
    const [first = "", second = ""] = "😀".split("");
    client.send({ type: "text", text: first, voice: "parted" });
    client.send({ type: "text", text: `${second} Hello ${first}` });
    client.send({ type: "text", text: `${second}!` });
    client.send({ type: "stream_end" });
    const { pcm } = await client.utterance(1);
    expect(pcm.equals(fakeSpeechOf("😀 Hello 😀!"))).toBe(true);
    expect((await client.next("utterance_started")).voice).toBe("parted");
    expect(client.messages.filter(({ type }) => type === "error")).toEqual([]);
  });

  test("speaks the longest text there may be, characters of four bytes included", async () => {
    const client = await connect({ frame_samples: 9_600 });
    const text = "😀ä".repeat(1_500);
    client.send({ type: "text", text });
    for (let left = MAX_UTTERANCE_CHARACTERS - text.length; left > 0; left -= 7_100) {
      client.send({ type: "text", text: "x".repeat(Math.min(left, 7_100)) });
    }
    client.send({ type: "stream_end" });
    const started = await client.next("utterance_started");
    await client.until(
      "all text",
      () =>
        alone.worker.runs.find((it) => it.job.utteranceId === started.utterance_id)?.text.length ===
          MAX_UTTERANCE_CHARACTERS || undefined,
    );
    expect(alone.worker.runOf(started.utterance_id).text.startsWith(text)).toBe(true);
  });

  test("speaks utterances in order while the later ones are already made", async () => {
    const client = await connect();
    const texts = ["First of them. ", "And a second. ", "The third."];
    gate.close();
    for (const text of texts) {
      client.send({ type: "text", text });
      client.send({ type: "stream_end" });
    }
    await expect.poll(() => alone.worker.running).toBe(texts.length);
    gate.open();
    for (const [i, text] of texts.entries()) {
      expect((await client.utterance(i + 1)).pcm.equals(fakeSpeechOf(text))).toBe(true);
    }
  });

  test("asks workers for the utterance that is delivered and the two behind it; the rest waits as text", async () => {
    const client = await connect();
    const before = alone.worker.runs.length;
    const texts = Array.from({ length: MAX_UTTERANCES_PER_SESSION }, (_, i) => `This is number ${i}. `);
    gate.close();
    for (const text of texts) client.send({ type: "text", text, end: true });
    await expect.poll(() => alone.worker.running).toBe(3);
    // Whatever is asked for is asked for within this round trip.
    client.send({ type: "ping", t: 7 });
    await client.next("pong");
    expect(alone.worker.runs.length - before).toBe(3);
    gate.open();
    for (const [i, text] of texts.entries()) {
      expect((await client.utterance(i + 1)).pcm.equals(fakeSpeechOf(text))).toBe(true);
    }
    expect(alone.worker.runs.length - before).toBe(texts.length);
  });

  test("holds a place for each of eight utterances where all are begun at once (negative twin)", async () => {
    const worker = { beforeChunk: () => gate.passed() };
    const eager = await startEdgeAlone({
      redisUrl: inject("redisUrl"),
      edge: { utterancesAhead: 7 },
      worker,
    });
    onTestFinished(() => eager.close());
    gate.close();
    const client = await NativeClient.connect(eager.edge.url);
    onTestFinished(() => client.terminate());
    for (let i = 0; i < MAX_UTTERANCES_PER_SESSION; i++) {
      client.send({ type: "text", text: `This is number ${i}. `, end: true });
    }
    await expect.poll(() => eager.worker.running).toBe(MAX_UTTERANCES_PER_SESSION);
    gate.open();
    await client.utterance(MAX_UTTERANCES_PER_SESSION);
  });

  test("takes no more unfinished utterances than its limit, and never half of a refused text", async () => {
    const client = await connect();
    gate.close();
    for (let i = 0; i < MAX_UTTERANCES_PER_SESSION; i++) {
      client.send({ type: "text", text: `Number ${i}.` });
      client.send({ type: "stream_end" });
    }
    client.send({ type: "text", text: "One too " });
    const refused = await client.next("error");
    expect(refused).toMatchObject({ code: "capacity.too_many_utterances", retryable: true });
    gate.open();
    await client.utterance(MAX_UTTERANCES_PER_SESSION);
    client.send({ type: "text", text: "many." });
    client.send({ type: "stream_end" });
    const spoken = await client.speak("Again.");
    expect(spoken.number).toBe(MAX_UTTERANCES_PER_SESSION + 1);
    expect(spoken.pcm.equals(fakeSpeechOf("Again."))).toBe(true);
  });

  test("refuses options that differ from those its utterance was opened with", async () => {
    const client = await connect();
    client.send({ type: "text", text: "Hallo ", voice: "simGermanAnna000000A", language: "de" });
    client.send({ type: "text", text: "du ", voice: "simGermanAnna000000A" });
    client.send({ type: "text", text: "nein ", voice: "simEnglishGrace0000A" });
    expect(await client.next("error")).toMatchObject({
      code: "protocol.wrong_state",
      facts: { option: "voice" },
    });
    client.send({ type: "text", text: "da." });
    client.send({ type: "stream_end" });
    const spoken = await client.utterance(1);
    expect(spoken.pcm.equals(fakeSpeechOf("Hallo du da."))).toBe(true);
    const { speech } = alone.worker.runOf(spoken.utteranceId).job;
    expect(speech).toMatchObject({ voice: "simGermanAnna000000A", language: "de", sampleRateHz: 24_000 });
  });

  test("stops at once when cancelled: not a frame after, the worker told, the next utterance whole", async () => {
    const client = await connect();
    gate.limitTo(3);
    client.send({ type: "text", text: TEXT });
    client.send({ type: "stream_end" });
    client.send({ type: "text", text: "And another." });
    const first = await client.next("utterance_started");
    await client.until("audio", () => client.received(1).samples > 0 || undefined);
    client.send({ type: "played", utterance_id: first.utterance_id, samples: 700 });
    client.send({ type: "cancel" });
    const spoken = await client.utterance(1);
    expect(spoken.end).toMatchObject({ type: "cancelled", played_samples: 700 });
    if (spoken.end.type !== "cancelled") throw new Error("not cancelled");
    expect(spoken.pcm.length / 2).toBe(spoken.end.sent_samples);
    expect(spoken.end.first_audio_ms).toBeGreaterThan(0);
    expect(Object.keys(spoken.end.latency_ms ?? {}).length).toBeGreaterThan(0);
    expect((await client.utterance(2)).end.type).toBe("cancelled");
    gate.open();
    await expect.poll(() => alone.worker.runOf(first.utterance_id).state).toBe("cancelled");
    expect((await client.speak("Now this.")).pcm.equals(fakeSpeechOf("Now this."))).toBe(true);
  });

  test("cancels one of several utterances by its id", async () => {
    const client = await connect();
    gate.close();
    for (const text of ["One.", "Two.", "Three."]) {
      client.send({ type: "text", text });
      client.send({ type: "stream_end" });
    }
    const second = await client.next("utterance_started", (it) => it.utterance === 2);
    client.send({ type: "cancel", utterance_id: second.utterance_id });
    await client.next("cancelled");
    gate.open();
    expect((await client.utterance(1)).pcm.equals(fakeSpeechOf("One."))).toBe(true);
    expect((await client.utterance(3)).pcm.equals(fakeSpeechOf("Three."))).toBe(true);
    expect((await client.utterance(2)).end.type).toBe("cancelled");
  });

  test("answers pings past the audio that waits, and does not resume in the middle of a connection", async () => {
    const client = await connect();
    client.send({ type: "ping", t: 12.5 });
    expect(await client.next("pong")).toEqual({ type: "pong", t: 12.5 });
    client.send({ type: "resume", resume_token: client.connected.resume_token });
    expect((await client.next("error")).code).toBe("protocol.wrong_state");
    expect((await client.speak("Still here.")).end.type).toBe("stream_complete");
  });

  test("leaves the routes it wants warm where workers find them, for a while", async () => {
    const client = await connect();
    client.send({ type: "prewarm", voice: "simGermanAnna000000A" });
    client.send({ type: "ping" });
    await client.next("pong");
    await expect.poll(() => alone.redis.zcard(alone.keys.routes)).toBe(1);
    const [route, expiresAtMs] = await alone.redis.zrange(alone.keys.routes, 0, "0", "WITHSCORES");
    expect(JSON.parse(route ?? "")).toMatchObject({ voice: "simGermanAnna000000A", sampleRateHz: 24_000 });
    expect(Number(expiresAtMs)).toBeGreaterThan(Date.now());
    expect(await alone.redis.pttl(alone.keys.routes)).toBeGreaterThan(0);
  });

  test("keeps its id: a newer connection that only names it is refused, and the session speaks on", async () => {
    const older = await connect({ session_id: "the-same-one" });
    await expect(connect({ session_id: "the-same-one" })).rejects.toThrow(/session\.held/);
    expect((await older.speak("I am here.")).end.type).toBe("stream_complete");
  });
});
