import { silentLogger } from "@tts-labs/core/logger";
import { defaultEdgeConfig } from "@tts-labs/edge/config";
import { startEdge } from "@tts-labs/edge/main";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { ListeningClient } from "../../../testkit/clients/listening-client.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { startTwoEdges, type TwoEdges } from "../../../testkit/fleet/two-edges.ts";
import { Gate } from "../../../testkit/ground/gate.ts";

const TEXT = "The quick brown fox jumps over the lazy dog, twice.";
const LONG_TEXT = `${TEXT} `.repeat(6).trim();

/** Chunks of eight characters that the worker speaks while the gate is closed: 12,408 samples. */
const FREE_CHUNKS = 3;

let edges: TwoEdges;
const gate = new Gate();
const speakers: NativeClient[] = [];
const listeners: ListeningClient[] = [];

beforeAll(async () => {
  const worker = {
    beforeChunk: (_: unknown, chunk: number) => (chunk < FREE_CHUNKS ? undefined : gate.passed()),
  };
  const edge = { listenersPerSession: 60, resumeWindowMs: 3_000 };
  edges = await startTwoEdges({ redisUrl: inject("redisUrl"), worker, edge });
});
afterEach(async () => {
  gate.open();
  for (const listener of listeners) expect(listener.violations).toEqual([]);
  for (const listener of listeners.splice(0)) listener.cut();
  for (const speaker of speakers.splice(0)) await speaker.close();
  await expect.poll(() => readers()).toBe(0);
});
afterAll(() => edges.close());

async function open(url = edges.urls[0], query: Record<string, string | number> = {}): Promise<NativeClient> {
  const speaker = await NativeClient.connect(url, { frame_samples: 960, ...query });
  speakers.push(speaker);
  return speaker;
}

async function share(speaker: NativeClient): Promise<{ session_id: string; token: string }> {
  const from = speaker.messages.length;
  speaker.send({ type: "share" });
  const { listener_token: token } = await speaker.next("shared", () => true, from);
  return { session_id: speaker.connected.session_id, token };
}

async function listen(
  url: string,
  query: Readonly<Record<string, string>>,
  isLetIn = true,
): Promise<ListeningClient> {
  const listener = await ListeningClient.connect(url, query);
  listeners.push(listener);
  if (isLetIn) await listener.until((it) => it.has("listening"));
  return listener;
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(new URL("/metrics", url))).text();
  return Number(new RegExp(`^${name} (\\d+)`, "m").exec(text)?.[1] ?? Number.NaN);
}

const readers = async () =>
  (await metric(edges.edge.opsUrl, "tts_listen_readers")) +
  (await metric(edges.other.opsUrl, "tts_listen_readers"));

describe("listeners of a session", () => {
  test("hear on every edge, byte for byte, what the session speaks, with its captions", async () => {
    const speaker = await open();
    const key = await share(speaker);
    const heard = await Promise.all(edges.urls.map((url) => listen(url, key)));
    const { pcm } = await speaker.speak(TEXT);
    for (const listener of heard) {
      await listener.until((it) => it.hasEnded(1));
      expect(listener.heard(1)?.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
      const words = listener.messages.flatMap((it) => (it.type === "words" ? it.words : []));
      expect(words.map(({ text }) => text).join(" ")).toBe(TEXT);
      expect(listener.messages.map(({ type }) => type).slice(0, 2)).toEqual([
        "listening",
        "utterance_started",
      ]);
    }
    expect(pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("cost one reader an edge, whatever their number", async () => {
    const speaker = await open();
    const key = await share(speaker);
    const ears = await Promise.all(
      Array.from({ length: 50 }, (_, i) => listen(edges.urls[i % 2 ? 1 : 0], key)),
    );
    expect(await metric(edges.edge.opsUrl, "tts_listeners")).toBe(25);
    expect(await metric(edges.edge.opsUrl, "tts_listen_readers")).toBe(1);
    expect(await metric(edges.other.opsUrl, "tts_listen_readers")).toBe(1);
    await speaker.speak(TEXT);
    await Promise.all(ears.map((it) => it.until(() => it.hasEnded(1))));
    for (const ear of ears) expect(ear.heard(1)?.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("that come in the middle hear from the live edge on, or from the utterance's start", async () => {
    const speaker = await open();
    const key = await share(speaker);
    await listen(edges.urls[0], key);
    gate.close();
    const spoken = speaker.speak(TEXT);
    const [early] = listeners;
    await early?.until((it) => (it.heard(1)?.pcm.byteLength ?? 0) >= 2 * 9_600);
    const live = await listen(edges.urls[0], key);
    const fromStart = await listen(edges.urls[0], { ...key, from: "start" });
    const elsewhere = await listen(edges.urls[1], { ...key, from: "start" });
    expect(live.messages[0]).toMatchObject({ type: "listening", utterance: 1 });
    gate.open();
    await spoken;
    for (const it of [live, fromStart, elsewhere]) await it.until(() => it.hasEnded(1));
    const all = fakeSpeechOf(TEXT);
    expect(fromStart.heard(1)?.pcm.equals(all)).toBe(true);
    expect(elsewhere.heard(1)?.pcm.equals(all)).toBe(true);
    const { firstSample, pcm } = live.heard(1) ?? { firstSample: 0, pcm: Buffer.alloc(0) };
    expect(firstSample).toBeGreaterThanOrEqual(9_600);
    expect(pcm.equals(all.subarray(firstSample * 2))).toBe(true);
  });

  test("get the speech in real time, also where the session gets it at once", async () => {
    const speaker = await open();
    const listener = await listen(edges.urls[1], await share(speaker));
    const beganAtMs = performance.now();
    await speaker.speak(LONG_TEXT);
    const spokenInMs = performance.now() - beganAtMs;
    await listener.until((it) => it.hasEnded(1), 20_000);
    const heardInMs = performance.now() - beganAtMs;
    const durationMs = (LONG_TEXT.length * 517) / 24;
    expect(spokenInMs).toBeLessThan(durationMs / 2);
    // They are a second ahead of what is played.
    expect(heardInMs).toBeGreaterThan(durationMs - 1_100);
    expect(listener.heard(1)?.pcm.equals(fakeSpeechOf(LONG_TEXT))).toBe(true);
  });

  test("go on at the very sample on another edge when they have lost theirs", async () => {
    const speaker = await open();
    const key = await share(speaker);
    const before = await listen(edges.urls[0], key);
    const spoken = speaker.speak(LONG_TEXT);
    await before.until((it) => (it.heard(1)?.pcm.byteLength ?? 0) > 60_000);
    before.cut();
    // It had half of a frame.
    const [utterance = "", sample = ""] = before.position.split(":");
    const from = `${utterance}:${Number(sample) - 480}`;
    const after = await listen(edges.urls[1], { ...key, from });
    await spoken;
    await after.until((it) => it.hasEnded(1), 20_000);
    const { firstSample, pcm } = after.heard(1) ?? { firstSample: 0, pcm: Buffer.alloc(0) };
    expect(firstSample).toBe(Number(sample) - 480);
    expect(pcm.equals(fakeSpeechOf(LONG_TEXT).subarray(firstSample * 2))).toBe(true);
  });

  test("hear nothing more of what the session has cancelled", async () => {
    const speaker = await open();
    const listener = await listen(edges.urls[1], await share(speaker));
    speaker.send({ type: "text", text: LONG_TEXT, end: true });
    await listener.until((it) => (it.heard(1)?.pcm.byteLength ?? 0) > 0);
    speaker.send({ type: "cancel" });
    await listener.until((it) => it.hasEnded(1));
    expect(listener.messages.at(-1)).toMatchObject({ type: "utterance_ended", outcome: "cancelled" });
    await speaker.speak("And on.");
    await listener.until((it) => it.hasEnded(2));
    expect(listener.heard(2)?.pcm.equals(fakeSpeechOf("And on."))).toBe(true);
    expect(listener.heard(1)?.pcm.byteLength).toBeLessThan(fakeSpeechOf(LONG_TEXT).byteLength);
  });

  test("hear the session on where its client comes back on another edge, each sample once", async () => {
    const speaker = await open(edges.urls[0], { delivery: "paced" });
    const key = await share(speaker);
    const listener = await listen(edges.urls[0], key);
    speaker.send({ type: "text", text: LONG_TEXT, end: true });
    await listener.until((it) => (it.heard(1)?.pcm.byteLength ?? 0) > 20_000);
    const { session_id, resume_token } = speaker.connected;
    const { utterance_id } = await speaker.next("utterance_started");
    await speaker.terminate();
    const again = await import("ws").then(({ WebSocket }) => {
      const url = `${edges.urls[1].replace("http", "ws")}/api/v1/stream?session_id=${session_id}&resume=true`;
      const socket = new WebSocket(url);
      socket.once("open", () =>
        socket.send(JSON.stringify({ type: "resume", resume_token, utterance_id, sample: 960, seq: 1 })),
      );
      return socket;
    });
    await listener.until((it) => it.hasEnded(1), 20_000);
    expect(listener.heard(1)?.pcm.equals(fakeSpeechOf(LONG_TEXT))).toBe(true);
    again.close(1000);
    await listener.until((it) => it.has("session_ended"));
  });

  test("are told when the session ends", async () => {
    const speaker = await open();
    const key = await share(speaker);
    const listener = await listen(edges.urls[1], key);
    await speaker.close();
    expect(await listener.closed).toEqual({ code: 1000, reason: "session ended" });
    expect(listener.has("session_ended")).toBe(true);
    const late = await listen(edges.urls[0], key, false);
    expect((await late.closed).code).toBe(1000);
  });

  test("are sent elsewhere by an edge that closes, and go on there", async () => {
    const speaker = await open(edges.urls[0]);
    const key = await share(speaker);
    const { keys } = edges;
    const third = await startEdge(
      defaultEdgeConfig({ port: 0, redisUrl: inject("redisUrl"), keyPrefix: keys.prefix }),
      silentLogger,
    );
    const listener = await listen(third.url, key);
    await third.close();
    expect((await listener.closed).code).toBe(4001);
    const again = await listen(edges.urls[1], key);
    await speaker.speak(TEXT);
    await again.until((it) => it.hasEnded(1));
    expect(again.heard(1)?.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("are told when the session's client never comes back", async () => {
    const speaker = await open();
    const listener = await listen(edges.urls[1], await share(speaker));
    await speaker.terminate();
    expect((await listener.closed).code).toBe(1000);
  });
});

describe("who may listen", () => {
  test("is who has a token of this session, and of no earlier one with its id", async () => {
    const first = await open(edges.urls[0], { session_id: "room" });
    const old = await share(first);
    await first.close();
    const second = await open(edges.urls[0], { session_id: "room" });
    const key = await share(second);
    const refused = await listen(edges.urls[1], old, false);
    expect((await refused.closed).code).toBe(4502);
    expect(refused.messages).toMatchObject([{ type: "error", code: "authentication.invalid" }]);
    expect((await listen(edges.urls[1], key)).has("listening")).toBe(true);
  });

  test("is told what is wrong: no token, no session, one too many, a message", async () => {
    const none = ListeningClient.connect(edges.urls[0], { session_id: "room" });
    await expect(none).rejects.toThrow("401");
    await expect(ListeningClient.connect(edges.urls[0], {})).rejects.toThrow("400");
    const token = `${"x".repeat(32)}.${"y".repeat(43)}`;
    const unknown = await listen(edges.urls[0], { session_id: "nowhere", token }, false);
    expect((await unknown.closed).code).toBe(4504);

    const speaker = await open();
    const key = await share(speaker);
    const ears = await Promise.all(Array.from({ length: 60 }, () => listen(edges.urls[0], key)));
    const tooMany = await listen(edges.urls[0], key, false);
    expect((await tooMany.closed).code).toBe(4433);
    const [talker] = ears;
    talker?.socket.send("hello");
    expect((await talker?.closed)?.reason).toBe("protocol.wrong_state");
    const otherName = await listen(edges.urls[0], { ...key, session_id: "other" }, false);
    expect((await otherName.closed).code).toBe(4502);
    // Its place is free again.
    await listen(edges.urls[0], key);
  });

  test("may be given a token over HTTP, on any edge, by who has the session's own", async () => {
    const speaker = await open();
    const { session_id, resume_token } = speaker.connected;
    const mint = (body: object, id = session_id) =>
      fetch(new URL(`/api/v1/sessions/${encodeURIComponent(id)}/listeners`, edges.urls[1]), {
        method: "POST",
        body: JSON.stringify(body),
      });
    expect((await mint({ resume_token: "x".repeat(43) })).status).toBe(401);
    expect((await mint({ resume_token }, "nowhere")).status).toBe(404);
    expect((await mint({})).status).toBe(400);
    const answer = await mint({ resume_token });
    expect(answer.status).toBe(201);
    const { listener_token: token } = (await answer.json()) as { listener_token: string };
    const listener = await listen(edges.urls[1], { session_id, token });
    await speaker.speak(TEXT);
    await listener.until((it) => it.hasEnded(1));
    expect(listener.heard(1)?.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("is bounded: a session has at most 64 tokens", async () => {
    const speaker = await open();
    for (let i = 0; i < 64; i++) await share(speaker);
    speaker.send({ type: "share" });
    const { code } = await speaker.next("error");
    expect(code).toBe("capacity.too_many_listeners");
  });
});
