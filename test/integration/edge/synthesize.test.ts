import { connect } from "node:net";
import { GatewayError } from "@tts-labs/protocol/errors";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { Gate } from "../../../testkit/ground/gate.ts";

const TEXT = "Hello World, this is a sentence of some length.";

let alone: EdgeAlone;
const gate = new Gate();
beforeAll(async () => {
  alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    edge: { maxJsonAudioBytes: 200_000 },
    worker: {
      beforeChunk: ({ speech }) =>
        speech.voice === "silent"
          ? Promise.reject(new GatewayError("provider.voice_not_found"))
          : gate.passed(),
      outcomeOf: ({ speech }) =>
        speech.voice === "fails"
          ? { kind: "failed", code: "provider.voice_not_found", message: "No such voice.", retryable: false }
          : undefined,
    },
  });
});
afterEach(async () => {
  gate.open();
  await expect.poll(() => alone.edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
});
afterAll(() => alone.close());

function post(body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(new URL("/api/v1/synthesize", alone.edge.url), {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    signal: signal ?? AbortSignal.timeout(10_000),
  });
}

describe("POST /api/v1/synthesize", () => {
  test("answers JSON with the speech in base64, its words and its request id", async () => {
    const response = await post({ text: TEXT }, { "x-request-id": "order-5" });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-request-id")).toBe("order-5");
    const body = (await response.json()) as { audio: string; words: { text: string }[] };
    const samples = fakeSpeechOf(TEXT).length / 2;
    expect(body).toMatchObject({
      encoding: "pcm_s16le",
      sample_rate: 24_000,
      samples,
      request_id: "order-5",
      duration_ms: (samples * 1_000) / 24_000,
    });
    expect(Buffer.from(body.audio, "base64").equals(fakeSpeechOf(TEXT))).toBe(true);
    expect(body.words.map((it) => it.text).join(" ")).toBe(TEXT);
  });

  test("streams a WAV whose samples are the speech", async () => {
    const response = await post({ text: TEXT }, { accept: "audio/wav" });
    expect(response.headers.get("content-type")).toBe("audio/wav");
    const wav = Buffer.from(await response.arrayBuffer());
    expect(wav.toString("ascii", 0, 4)).toBe("RIFF");
    expect(wav.toString("ascii", 8, 16)).toBe("WAVEfmt ");
    expect([wav.readUInt16LE(20), wav.readUInt16LE(22), wav.readUInt32LE(24)]).toEqual([1, 1, 24_000]);
    expect([wav.readUInt16LE(34), wav.readUInt32LE(40)]).toEqual([16, 0xffff_ffff]);
    expect(wav.subarray(44).equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("gives a whole WAV, with its true lengths, to a client that asks for it", async () => {
    const response = await post({ text: TEXT, whole: true }, { accept: "audio/wav" });
    expect(response.headers.get("content-type")).toBe("audio/wav");
    const wav = Buffer.from(await response.arrayBuffer());
    const speech = fakeSpeechOf(TEXT);
    expect([wav.readUInt32LE(4), wav.readUInt32LE(40)]).toEqual([36 + speech.length, speech.length]);
    expect(wav.subarray(44).equals(speech)).toBe(true);
    const raw = await post({ text: TEXT, whole: true }, { accept: "audio/pcm" });
    expect(Buffer.from(await raw.arrayBuffer()).equals(speech)).toBe(true);
  });

  test("gives a whole answer that fails its own status, also after audio has come", async () => {
    const response = await post({ text: TEXT, voice: "fails", whole: true }, { accept: "audio/wav" });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ error: { code: "provider.voice_not_found" } });
  });

  test("refuses a whole answer that is too long to be held, and says that it can be streamed", async () => {
    const text = "This is far too much for that. ".repeat(60);
    const response = await post({ text, whole: true }, { accept: "audio/wav" });
    expect(response.status).toBe(406);
    expect(await response.json()).toMatchObject({
      error: { code: "protocol.not_acceptable", message: expect.stringContaining('without "whole"') },
    });
  });

  test.each(["audio/pcm", "application/octet-stream"])("streams raw samples as %s", async (accept) => {
    const response = await post({ text: TEXT }, { accept });
    expect(response.headers.get("x-sample-rate")).toBe("24000");
    expect(Buffer.from(await response.arrayBuffer()).equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("sends the first audio while the rest is not made yet", async () => {
    gate.limitTo(2);
    const response = await post({ text: TEXT }, { accept: "audio/pcm" });
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(first?.value?.byteLength).toBeGreaterThan(0);
    expect(alone.worker.runs.at(-1)?.state).toBe("running");
    gate.open();
    let bytes = first?.value?.byteLength ?? 0;
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
      bytes += part.value.byteLength;
    }
    expect(bytes).toBe(fakeSpeechOf(TEXT).length);
  });

  test("tells a failure before the first audio with its own status", async () => {
    const response = await post({ text: "x", voice: "silent" }, { accept: "audio/wav" });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      error: { code: "provider.voice_not_found", retryable: false },
      request_id: response.headers.get("x-request-id"),
    });
  });

  test("cuts the connection when it fails after audio has been sent, and never ends cleanly", async () => {
    const response = await post({ text: TEXT, voice: "fails" }, { accept: "audio/wav" });
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow(/terminated|aborted|socket/i);
  });

  test("refuses in JSON what is too long for it, and says what to ask for", async () => {
    const response = await post({ text: "x".repeat(400) });
    expect(response.status).toBe(406);
    expect(await response.json()).toMatchObject({
      error: { code: "protocol.not_acceptable", message: expect.stringContaining("audio/wav") },
    });
    await expect.poll(() => alone.worker.running).toBe(0);
  });

  test("refuses text that can't fit into JSON before anybody is asked to speak it", async () => {
    const before = alone.worker.runs.length;
    const response = await post({ text: "This is far too much for that. ".repeat(60) });
    expect(response.status).toBe(406);
    expect(await response.json()).toMatchObject({
      error: { code: "protocol.not_acceptable", facts: { limit: 200_000, characters: 1_860 } },
    });
    expect(alone.worker.runs.length).toBe(before);
  });

  test("speaks the same text to a client that asks for a WAV, which is streamed (negative twin)", async () => {
    const before = alone.worker.runs.length;
    const response = await post(
      { text: "This is far too much for that. ".repeat(60) },
      { accept: "audio/wav" },
    );
    expect(response.status).toBe(200);
    await response.arrayBuffer();
    expect(alone.worker.runs.length).toBe(before + 1);
  });

  test("answers text that was let through, though it is spoken more slowly than was reckoned", async () => {
    // The fake worker's pace: see `fakeSpeechOf`.
    const text = "x".repeat(60);
    const speech = fakeSpeechOf(text);
    expect(speech.byteLength).toBeLessThan(400_000);
    const response = await post({ text });
    expect(response.status).toBe(200);
  });

  test("names limit and length of a text that is too long, as a session does", async () => {
    const response = await post({ text: "x".repeat(60_058) }, { accept: "audio/wav" });
    expect(response.status).toBe(413);
    const error = { code: "capacity.text_too_long", facts: { limit: 40_000, characters: 60_058 } };
    expect(await response.json()).toMatchObject({ error });
    const client = await NativeClient.connect(alone.edge.url);
    client.send({ type: "text", text: "x".repeat(60_058) });
    expect(await client.next("error")).toMatchObject(error);
    await client.close();
  });

  test("cancels the utterance of a client that goes away", async () => {
    gate.limitTo(3);
    const abort = new AbortController();
    const response = await post({ text: TEXT }, { accept: "audio/pcm" }, abort.signal);
    await response.body?.getReader().read();
    const utteranceId = alone.worker.runs.at(-1)?.job.utteranceId ?? "";
    abort.abort();
    await expect.poll(() => alone.edge.counts().sessions).toBe(0);
    gate.open();
    await expect.poll(() => alone.worker.runOf(utteranceId).state).toBe("cancelled");
  });

  test("makes the worker wait for a client that does not read, then gives it every sample", async () => {
    const text = "All of this is to be heard. ".repeat(400);
    const { port } = new URL(alone.edge.url);
    const socket = connect(Number(port), "127.0.0.1");
    const body = JSON.stringify({ text });
    socket.pause();
    socket.write(
      `POST /api/v1/synthesize HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\naccept: audio/pcm\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    const samples = fakeSpeechOf(text).length / 2;
    const newRun = () => alone.worker.runs.find((it) => it.text.startsWith("All of this"));
    await expect.poll(() => newRun()?.appendedSamples ?? 0).toBeGreaterThan(0);
    const run = newRun();
    let before = -1;
    await expect
      .poll(
        () => {
          const isStill = before === run?.appendedSamples;
          before = run?.appendedSamples ?? 0;
          return isStill;
        },
        { interval: 300, timeout: 8_000 },
      )
      .toBe(true);
    expect(run?.appendedSamples).toBeLessThan(samples);
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.resume();
    await expect.poll(() => run?.state, { timeout: 10_000 }).toBe("completed");
    await expect
      .poll(() => Buffer.concat(parts).toString("latin1").endsWith("\r\n0\r\n\r\n"), { timeout: 10_000 })
      .toBe(true);
    expect(dechunk(Buffer.concat(parts)).equals(fakeSpeechOf(text))).toBe(true);
    socket.destroy();
  });
});

/** The body of a response in chunked encoding. */
function dechunk(response: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = response.indexOf("\r\n\r\n") + 4; ; ) {
    const lineEnd = response.indexOf("\r\n", at);
    const length = Number.parseInt(response.toString("latin1", at, lineEnd), 16);
    if (length === 0) return Buffer.concat(parts);
    parts.push(response.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}
