import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "@tts-labs/core/logger";
import { defaultEdgeConfig } from "@tts-labs/edge/config";
import { startEdge } from "@tts-labs/edge/main";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { Gate } from "../../../testkit/ground/gate.ts";

let alone: EdgeAlone;
const gate = new Gate();
beforeAll(async () => {
  alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    edge: { maxSessions: 20 },
    worker: { beforeChunk: () => gate.passed() },
  });
});
afterAll(() => alone.close());

const get = (path: string) => fetch(new URL(path, alone.edge.url), { signal: AbortSignal.timeout(5_000) });
/** As an operator. */
const look = (path: string) =>
  fetch(new URL(path, alone.edge.opsUrl), { signal: AbortSignal.timeout(5_000) });

/** What the edge answers to bytes sent as they are. */
async function raw(request: string): Promise<string> {
  const socket = connect(alone.edge.port, "127.0.0.1");
  const parts: Buffer[] = [];
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  socket.on("data", (part: Buffer) => parts.push(part));
  socket.write(request);
  await Promise.race([
    ended,
    expect.poll(() => Buffer.concat(parts).includes("\r\n\r\n"), { timeout: 3_000 }).toBe(true),
  ]);
  socket.destroy();
  return Buffer.concat(parts).toString();
}

describe("the edge's port", () => {
  test("is not shared with a second edge, which says so", async () => {
    const config = defaultEdgeConfig({ port: alone.edge.port, redisUrl: inject("redisUrl") });
    await expect(startEdge(config, silentLogger)).rejects.toMatchObject({ code: "config.invalid" });
    expect((await get("/healthz")).status).toBe(200);
  });

  test("speaks HTTP/1.1 and refuses 1.0, which health checkers must know", async () => {
    expect(await raw("GET /healthz HTTP/1.0\r\nhost: localhost\r\n\r\n")).toMatch(/^HTTP\/1\.1 505 /);
    expect(await raw("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test("survives upgrades that are cut off in the middle, and connections that say nothing", async () => {
    const upgrade = [
      "GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n",
      "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ].join("");
    for (let cut = 0; cut <= upgrade.length; cut += 12) {
      const socket = connect(alone.edge.port, "127.0.0.1");
      socket.on("error", () => {});
      await new Promise<void>((resolve) => socket.once("connect", resolve));
      socket.write(upgrade.slice(0, cut));
      if (cut % 24 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    await expect.poll(() => alone.edge.counts().sessions).toBe(0);
    expect((await get("/healthz")).status).toBe(200);
  });

  test("holds no more sessions than its limit, and says when to try again", async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => NativeClient.connect(alone.edge.url)));
    await expect(NativeClient.connect(alone.edge.url)).rejects.toThrow(/503 .*capacity\.too_many_sessions/);
    const response = await fetch(new URL("/api/v1/synthesize", alone.edge.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"text":"Hello"}`,
    });
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    for (const client of clients) await client.close();
    await expect.poll(() => alone.edge.counts().sessions).toBe(0);
    const again = await NativeClient.connect(alone.edge.url);
    await again.close();
  });
});

describe("the routes for operators", () => {
  test("answer JSON to what is not there, and to methods they do not take", async () => {
    const missing = await get("/nowhere");
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({ error: { code: "protocol.not_found" } });
    const wrong = await fetch(new URL("/healthz", alone.edge.url), { method: "DELETE" });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    const head = await fetch(new URL("/healthz", alone.edge.url), { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  test("serve the page, and lead to it", async () => {
    const page = await get("/");
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.url.endsWith("/fastrtc")).toBe(true);
  });

  test("show who is live, across nodes, page by page, and nobody afterwards", async () => {
    gate.close();
    const clients = await Promise.all(Array.from({ length: 3 }, () => NativeClient.connect(alone.edge.url)));
    for (const client of clients) client.send({ type: "text", text: "Wait for it." });
    for (const client of clients) await client.next("utterance_started");
    const live = async (query = "") =>
      (await (await look(`/api/v1/live${query}`)).json()) as {
        sessions: { total: number; items: { session_id: string }[]; next_cursor: string | null };
        utterances: { total: number; items: { edge: string; state: string; voice: string }[] };
        queue: { waiting: number; active: number };
      };
    // An utterance is listed and its job added side by side.
    const counts = async () => {
      const { utterances, queue } = await live();
      return { utterances: utterances.total, active: queue.active };
    };
    await expect.poll(counts).toEqual({ utterances: 3, active: 3 });
    const seen = await live();
    expect(seen.sessions.total).toBe(3);
    expect(seen.utterances.items[0]).toMatchObject({
      edge: alone.edge.nodeId,
      state: "queued",
      voice: "simEnglishGrace0000A",
    });

    const ids = new Set<string>();
    for (let cursor: string | null = ""; cursor !== null; ) {
      const suffix: string = cursor === "" ? "" : `&sessions_cursor=${encodeURIComponent(cursor)}`;
      const page = await live(`?limit=1${suffix}`);
      for (const { session_id } of page.sessions.items) ids.add(session_id);
      cursor = page.sessions.next_cursor;
    }
    expect(ids).toEqual(new Set(clients.map((it) => it.connected.session_id)));

    gate.open();
    for (const client of clients) await client.close();
    await expect.poll(async () => (await live()).sessions.total).toBe(0);
    await expect.poll(async () => (await live()).utterances.total).toBe(0);
    expect((await look("/api/v1/live?limit=0")).status).toBe(400);
  });

  test("list the voices that workers have found, the default one before that", async () => {
    const none = (await (await get("/api/v1/voices")).json()) as object;
    expect(none).toMatchObject({ voices: [{ voice_id: "simEnglishGrace0000A" }] });
    const found = [
      { id: "v1", name: "Grace", language: "en" },
      { id: "v2", name: "Anna" },
    ];
    await alone.redis.set(alone.keys.voices, JSON.stringify(found), "EX", 60);
    expect(await (await get("/api/v1/voices")).json()).toEqual({
      voices: [
        { voice_id: "v1", name: "Grace", language: "en" },
        { voice_id: "v2", name: "Anna", language: null },
      ],
    });
  });

  test("tell the defaults and the limits", async () => {
    expect(await (await look("/api/v1/info")).json()).toMatchObject({
      protocol: 1,
      provider: "elevenlabs",
      defaults: { voice: "simEnglishGrace0000A", sample_rate: 24_000, frame_samples: 960 },
      limits: { utterance_characters: 40_000 },
    });
  });

  test("count what was spoken", async () => {
    const client = await NativeClient.connect(alone.edge.url);
    await client.speak("Count me.");
    client.send({ type: "flush" });
    await client.next("error");
    const text = await (await look("/metrics")).text();
    const value = (name: string) => Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]);
    expect(value("tts_edge_connections")).toBe(1);
    expect(value('tts_edge_sessions{dialect="native"}')).toBe(1);
    expect(value("tts_edge_utterances")).toBe(0);
    expect(value("tts_edge_queued_frames")).toBe(0);
    expect(value("tts_edge_frames_sent_total")).toBeGreaterThan(0);
    expect(value("tts_edge_audio_bytes_sent_total")).toBeGreaterThanOrEqual(fakeSpeechOf("Count me.").length);
    expect(value('tts_edge_utterances_ended_total{outcome="completed",code="none"}')).toBeGreaterThan(0);
    expect(value('tts_edge_first_audio_seconds_count{part="provider",source="synthesized"}')).toBeGreaterThan(
      0,
    );
    expect(value('tts_edge_protocol_errors_total{code="protocol.wrong_state"}')).toBe(1);
    expect(value('tts_queue_jobs{state="waiting"}')).toBe(0);
    expect(text).toContain("nodejs_eventloop_lag_seconds");
    await client.close();
  });
});

describe("an edge that goes away", () => {
  test("is not ready while it drains, then sends its clients elsewhere and leaves nothing behind", async () => {
    const leaving = await startEdgeAlone({
      redisUrl: inject("redisUrl"),
      // Sessions that end with their connections: what may be resumed elsewhere is left as it is.
      edge: { resumeWindowMs: 0 },
      worker: { beforeChunk: () => sleep(20) },
    });
    const ready = () => fetch(new URL("/readyz", leaving.edge.url));
    expect((await ready()).status).toBe(200);
    const client = await NativeClient.connect(leaving.edge.url);
    client.send({
      type: "text",
      text: "This will not be finished, it is far too long for that. ".repeat(20),
    });
    await client.until("audio", () => client.received(1).samples > 0 || undefined);
    leaving.edge.drain();
    expect((await ready()).status).toBe(404);
    await expect(NativeClient.connect(leaving.edge.url)).rejects.toThrow(/503 .*draining/);
    const closing = leaving.edge.close();
    expect(await client.closed).toEqual({ code: 4001, reason: "draining" });
    expect(client.messages.at(-1)).toMatchObject({ type: "error", code: "draining", retryable: true });
    await closing;
    await expect.poll(() => leaving.worker.runs[0]?.state).toBe("cancelled");
    expect(leaving.edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
    await leaving.close();
  });
});
