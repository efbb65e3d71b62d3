import { readFile } from "node:fs/promises";
import { parseOutputFormat } from "@tts-labs/edge/delivery/encoders/output-format";
import { GatewayError } from "@tts-labs/protocol/errors";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { decodeAudio } from "../../../testkit/speech/decode-audio.ts";

const TEXT = "Hello World, this is a sentence of some length, and here is a little more of it to hear.";
const HZ = 24_000;

let alone: EdgeAlone;
beforeAll(async () => {
  alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    worker: {
      beforeChunk: ({ speech }) =>
        speech.voice === "silent"
          ? Promise.reject(new GatewayError("provider.voice_not_found"))
          : Promise.resolve(),
      outcomeOf: ({ speech }) =>
        speech.voice === "fails"
          ? { kind: "failed", code: "provider.voice_not_found", message: "No such voice.", retryable: false }
          : undefined,
    },
  });
});
afterEach(async () => {
  await expect.poll(() => alone.edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
});
afterAll(() => alone.close());

const post = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(new URL("/api/v1/synthesize", alone.edge.url), {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });

describe("speech over HTTP in the client's format", () => {
  test.each([
    ["mp3", "audio/mpeg"],
    ["opus", "audio/ogg"],
    ["flac", "audio/flac"],
    ["mulaw", "audio/basic"],
    ["alaw_8000", "audio/x-alaw-basic"],
    ["pcm_16000", "audio/pcm"],
    ["wav_48000", "audio/wav"],
    ["mp3_44100_128", "audio/mpeg"],
  ])("%s comes as %s and lasts as long as the speech", async (format, contentType) => {
    const response = await post({ text: TEXT, format });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, contentType]);
    const output = parseOutputFormat(format, HZ);
    const { samples, sampleRateHz } = await decodeAudio(new Uint8Array(await response.arrayBuffer()), output);
    const speechMs = (fakeSpeechOf(TEXT).length / 2 / HZ) * 1_000;
    expect(Math.abs((samples.length / sampleRateHz) * 1_000 - speechMs)).toBeLessThan(50);
  });

  test("FLAC at the provider's rate holds the very samples", async () => {
    const bytes = new Uint8Array(await (await post({ text: TEXT }, { accept: "audio/flac" })).arrayBuffer());
    const { samples } = await decodeAudio(bytes, parseOutputFormat("flac_24000", HZ));
    const pcm = Int16Array.from(samples, (it) => Math.round(it * 32_768));
    expect(Buffer.from(pcm.buffer).equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("a format that there is not is refused before anything is spoken, with those that there are", async () => {
    const spoken = alone.worker.runs.length;
    const response = await post({ text: TEXT, format: "aac" });
    expect(response.status).toBe(406);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toMatch(/no format "aac"; there are pcm, wav, mulaw, ulaw, alaw, mp3, opus, flac/);
    expect(alone.worker.runs.length).toBe(spoken);
  });

  test("what fails before the first audio has its own status, in every format", async () => {
    const response = await post({ text: TEXT, format: "mp3", voice: "silent" });
    expect(response.status).toBe(422);
  });

  test("what fails later cuts the connection: the clip must not look complete", async () => {
    const response = await post({ text: TEXT, format: "mp3", voice: "fails" });
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow("terminated");
  });

  test("a client that goes away in the middle leaves no encoder behind", async () => {
    const away = new AbortController();
    const response = await fetch(new URL("/api/v1/synthesize", alone.edge.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: TEXT.repeat(20), format: "opus" }),
      signal: away.signal,
    });
    await response.body?.getReader().read();
    away.abort();
    await expect
      .poll(async () => {
        const metrics = await (await fetch(new URL("/metrics", alone.edge.opsUrl))).text();
        return /tts_edge_budget_used\{budget="encoders"\} (\d+)/.exec(metrics)?.[1];
      })
      .toBe("0");
  });

  test("the command of docs/formats.md does what it says", async () => {
    const page = await readFile("docs/formats.md", "utf8");
    const body = /-d '(\{.*\})' -o hello\.mp3/.exec(page)?.[1] ?? "";
    const response = await post(JSON.parse(body));
    expect(response.headers.get("content-type")).toBe("audio/mpeg");
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(1_000);
  });
});
