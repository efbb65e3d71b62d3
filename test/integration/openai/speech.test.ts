import { parseOutputFormat } from "@tts-labs/edge/delivery/encoders/output-format";
import { GatewayError } from "@tts-labs/protocol/errors";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { decodeAudio } from "../../../testkit/speech/decode-audio.ts";

const TEXT = "Hello World, this is a sentence of some length, and here is a little more of it to hear.";
const HZ = 24_000;
const BODY = { model: "tts-1", voice: "alloy", input: TEXT };

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
          ? { kind: "failed", code: "provider.fault", message: "The provider failed.", retryable: true }
          : undefined,
    },
  });
});
afterEach(async () => {
  await expect.poll(() => alone.edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
});
afterAll(() => alone.close());

const ask = (path: string, init: RequestInit = {}) =>
  fetch(new URL(path, alone.edge.url), { ...init, signal: AbortSignal.timeout(20_000) });

const JSON_TYPE = { "content-type": "application/json" };
const post = (body: unknown, headers: Record<string, string> = {}) =>
  ask("/v1/audio/speech", {
    method: "POST",
    headers: { ...JSON_TYPE, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

const eventsOf = (text: string): Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("data: "))
    .map((line) => JSON.parse(line.slice("data: ".length)) as Record<string, unknown>);

describe("POST /v1/audio/speech", () => {
  test.each([
    [undefined, "audio/mpeg", "mp3"],
    ["mp3", "audio/mpeg", "mp3"],
    ["opus", "audio/opus", "opus"],
    ["flac", "audio/flac", "flac"],
    ["wav", "audio/wav", "wav"],
    ["pcm", "audio/pcm", "pcm_24000"],
    ["mulaw", "audio/basic", "mulaw"],
    ["pcm_16000", "audio/pcm", "pcm_16000"],
  ])("response_format %s comes as %s", async (response_format, contentType, name) => {
    const response = await post({ ...BODY, response_format });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, contentType]);
    expect(response.headers.get("x-request-id")).toMatch(/\S/);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const { samples, sampleRateHz } = await decodeAudio(bytes, parseOutputFormat(name, HZ));
    const speechMs = (fakeSpeechOf(TEXT).length / 2 / HZ) * 1_000;
    expect(Math.abs((samples.length / sampleRateHz) * 1_000 - speechMs)).toBeLessThan(50);
  });

  test("pcm is the very speech, and the fields that we do not know do no harm", async () => {
    const response = await post({
      ...BODY,
      response_format: "pcm",
      instructions: "Cheerful.",
      anything: [1],
    });
    expect(Buffer.from(await response.arrayBuffer()).equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("sse brings the same bytes in events, and the usage in the last", async () => {
    const response = await post({ ...BODY, response_format: "wav", stream_format: "sse" });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const events = eventsOf(await response.text());
    const audio = events
      .filter(({ type }) => type === "speech.audio.delta")
      .map((it) => Buffer.from(String(it["audio"]), "base64"));
    const wav = Buffer.concat(audio);
    expect(wav.toString("latin1", 0, 4)).toBe("RIFF");
    expect(wav.subarray(44).equals(fakeSpeechOf(TEXT))).toBe(true);
    const input = Math.ceil(TEXT.length / 4);
    const output = Math.ceil(fakeSpeechOf(TEXT).length / 2 / HZ / 0.05);
    expect(events.at(-1)).toEqual({
      type: "speech.audio.done",
      usage: { input_tokens: input, output_tokens: output, total_tokens: input + output },
    });
  });

  test("a fault in the middle cuts the connection; in sse it has its name", async () => {
    const cut = await post({ ...BODY, voice: "fails", response_format: "pcm" });
    expect(cut.status).toBe(200);
    await expect(cut.arrayBuffer()).rejects.toThrow("terminated");
    const events = await post({ ...BODY, voice: "fails", response_format: "pcm", stream_format: "sse" });
    const text = await events.text();
    expect(text).toContain("event: error\n");
    expect(eventsOf(text).at(-1)).toEqual({
      error: { message: "The provider failed.", type: "server_error", param: null, code: "provider.fault" },
    });
  });

  test("a fault before the first audio has its own status, in either form", async () => {
    for (const stream_format of ["audio", "sse"]) {
      const response = await post({ ...BODY, voice: "silent", stream_format });
      expect([response.status, response.headers.get("x-should-retry")]).toEqual([400, "false"]);
      expect(await response.json()).toMatchObject({ error: { code: "voice_not_found", param: "voice" } });
    }
  });

  test("the speed is the nearest that the provider has, the model by its habitual name is the edge's own", async () => {
    await (await post({ ...BODY, speed: 4, model: "gpt-4o-mini-tts-2025-12-15" })).arrayBuffer();
    const { job } = alone.worker.runs.at(-1) ?? {};
    expect(job?.speech).toMatchObject({ model: "eleven_flash_v2_5", voiceSettings: { speed: 1.2 } });
    await (await post({ ...BODY, model: "elevenlabs/eleven-turbo-v2.5" })).arrayBuffer();
    expect(alone.worker.runs.at(-1)?.job.speech.model).toBe("eleven_turbo_v2_5");
  });

  test("a voice may be an object with its id", async () => {
    await (await post({ ...BODY, voice: { id: "simGermanAnna000000A" } })).arrayBuffer();
    expect(alone.worker.runs.at(-1)?.job.speech.voice).toBe("simGermanAnna000000A");
  });
});

const without = (field: keyof typeof BODY) =>
  Object.fromEntries(Object.entries(BODY).filter(([it]) => it !== field));

describe("what is wrong is told as OpenAI's clients read it", () => {
  const refused: [string, unknown, number, string | null][] = [
    ["no JSON", "{", 400, null],
    ["an array", "[]", 400, null],
    ["a number", "7", 400, null],
    ["nothing", "", 400, null],
    ["JSON of two values", "{}{}", 400, null],
    ["a key twice", '{"model":"tts-1","model":"tts-1","voice":"alloy","input":"Hi"}', 400, "model"],
    ["no model", without("model"), 400, "model"],
    ["no voice", without("voice"), 400, "voice"],
    ["no input", without("input"), 400, "input"],
    ["a model that is a number", { ...BODY, model: 1 }, 400, "model"],
    ["an empty model", { ...BODY, model: "" }, 400, "model"],
    ["a model that there is not", { ...BODY, model: "gpt-7" }, 404, "model"],
    ["a model that is a path", { ...BODY, model: "../../etc/passwd" }, 404, "model"],
    ["input that is null", { ...BODY, input: null }, 400, "input"],
    ["input that is a list", { ...BODY, input: ["Hello"] }, 400, "input"],
    ["empty input", { ...BODY, input: "" }, 400, "input"],
    ["input of spaces", { ...BODY, input: " \n\t " }, 400, "input"],
    ["input that is too long", { ...BODY, input: "a".repeat(40_001) }, 400, "input"],
    ["a voice that is a number", { ...BODY, voice: 5 }, 400, "voice"],
    ["an empty voice", { ...BODY, voice: "" }, 400, "voice"],
    ["a voice object without id", { ...BODY, voice: {} }, 400, "voice"],
    ["a voice that can be none", { ...BODY, voice: "no such voice!" }, 400, "voice"],
    ["a format that there is not", { ...BODY, response_format: "aac" }, 400, "response_format"],
    ["a format that is a number", { ...BODY, response_format: 3 }, 400, "response_format"],
    ["the name of a method as format", { ...BODY, response_format: "constructor" }, 400, "response_format"],
    ["a speed that is text", { ...BODY, speed: "fast" }, 400, "speed"],
    ["a speed below all", { ...BODY, speed: 0.1 }, 400, "speed"],
    ["a speed beyond all", { ...BODY, speed: 40 }, 400, "speed"],
    ["instructions that are a list", { ...BODY, instructions: [] }, 400, "instructions"],
    ["a stream format that there is not", { ...BODY, stream_format: "xml" }, 400, "stream_format"],
    ["a body beyond all", { ...BODY, instructions: "a".repeat(70_000) }, 413, null],
  ];

  test.each(refused)("%s", async (_, body, status, param) => {
    const spoken = alone.worker.runs.length;
    const response = await post(body);
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as { error: Record<string, unknown> };
    expect(Object.keys(error).sort()).toEqual(["code", "message", "param", "type"]);
    expect([error["type"], error["param"]]).toEqual(["invalid_request_error", param]);
    expect(error["message"]).toMatch(/\w.*[.]$/);
    expect(alone.worker.runs.length).toBe(spoken);
  });

  test("a body that is no JSON by its header, one that is compressed, one that is no UTF-8", async () => {
    expect((await post(BODY, { "content-type": "text/plain" })).status).toBe(415);
    expect((await post(BODY, { "content-encoding": "gzip" })).status).toBe(415);
    const bad = await ask("/v1/audio/speech", {
      method: "POST",
      headers: JSON_TYPE,
      body: new Uint8Array([0xff]),
    });
    expect(await bad.json()).toMatchObject({ error: { code: "invalid_json" } });
  });

  test("another method is told which one there is", async () => {
    const response = await ask("/v1/audio/speech");
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error" } });
  });
});

describe("GET /v1/models", () => {
  const KEY = { authorization: "Bearer k" };

  test("is OpenAI's list for its clients, and ElevenLabs' array for those that show its key", async () => {
    const openAi = (await (await ask("/v1/models", { headers: KEY })).json()) as { data: { id: string }[] };
    expect(openAi).toMatchObject({ object: "list" });
    expect(openAi.data.map(({ id }) => id)).toEqual([
      "tts-1",
      "tts-1-hd",
      "gpt-4o-mini-tts",
      "eleven_flash_v2_5",
    ]);
    const elevenLabs = await (await ask("/v1/models", { headers: { "xi-api-key": "k" } })).json();
    expect(elevenLabs).toContainEqual(expect.objectContaining({ model_id: "eleven_flash_v2_5" }));
  });

  test("of one model is that model, or says that there is none", async () => {
    const one = await ask("/v1/models/tts-1", { headers: KEY });
    expect(await one.json()).toMatchObject({ id: "tts-1", object: "model", owned_by: "openai" });
    const none = await ask("/v1/models/gpt%207", { headers: KEY });
    expect(none.status).toBe(404);
    expect(await none.json()).toMatchObject({ error: { code: "model_not_found", param: "model" } });
  });
});
