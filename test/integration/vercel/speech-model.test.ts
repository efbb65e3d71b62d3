import { GatewayError } from "@tts-labs/protocol/errors";
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { type KeyedEdges, startKeyedEdges } from "../../../testkit/access/keyed-edges.ts";
import { JsonSocketClient } from "../../../testkit/clients/json-socket.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";

const PATH = "/v4/ai/speech-model";
const TEXT = "Hello World, this is a sentence of some length.";
const MARKER = "ai-gateway-speech.v1";

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

async function open(query = "?ai-model-id=tts-1", url = alone.edge.url, key = "k") {
  const client = await JsonSocketClient.open(url, PATH + query, {}, [MARKER, `ai-gateway-auth.${key}`]);
  onTestFinished(() => client.terminate());
  return client;
}

const start = (more: object = {}) => ({ type: "speech-stream.start", providerOptions: {}, ...more });
const delta = (text: string, more: object = {}) => ({
  type: "speech-stream.text-delta",
  delta: text,
  ...more,
});
const DONE = { type: "speech-stream.text-done" };

const ended = (client: JsonSocketClient) =>
  expect.poll(() => client.closed, { timeout: 10_000 }).toBeDefined();
const typesOf = (client: JsonSocketClient) => client.messages.map(({ type }) => type);

describe("the socket of Vercel's AI SDK", () => {
  test("answers the marker and never the key, and speaks part by part to its finish and 1000", async () => {
    const client = await open();
    expect(client.protocol).toBe(MARKER);
    client.send(start(), delta("Hello World, "), delta("this is a sentence of some length."), DONE);
    await ended(client);
    expect(client.closed?.code).toBe(1_000);
    expect(client.audio().equals(fakeSpeechOf(TEXT))).toBe(true);
    expect(typesOf(client).slice(0, 2)).toEqual(["stream-start", "response-metadata"]);
    for (const part of client.messages.filter(({ type }) => type === "audio")) {
      expect(part["audioFormat"]).toEqual({ type: "audio/pcm", rate: 24_000 });
    }
    const words = client.messages.flatMap((it) => {
      const metadata = it["providerMetadata"] as { tts: { words?: { text: string }[] } } | undefined;
      return metadata?.tts.words ?? [];
    });
    expect(words.map(({ text }) => text).join(" ")).toBe(TEXT);
    expect(client.messages.at(-1)).toMatchObject({ type: "finish", usage: { inputCharacters: TEXT.length } });
  });

  test("speaks what it has where a part asks for a flush", async () => {
    const client = await open();
    client.send(start(), delta("Hello World, this is all", { providerOptions: { tts: { flush: true } } }));
    await expect.poll(() => client.audio().length).toBeGreaterThan(0);
    client.close();
  });

  test("frames of a later version are ignored, and empty text says nothing", async () => {
    const client = await open();
    client.send(
      start(),
      { type: "speech-stream.mood", mood: 1 },
      { type: "ping" },
      delta(""),
      delta(" "),
      DONE,
    );
    await ended(client);
    expect(typesOf(client)).toEqual(["stream-start", "response-metadata", "finish"]);
  });

  test("a close before the end of the text stops the speech", async () => {
    const client = await open();
    client.send(start(), delta(`${TEXT} `.repeat(50)));
    await expect.poll(() => alone.edge.counts().utterances).toBe(1);
    client.close();
    await expect.poll(() => alone.edge.counts().utterances).toBe(0);
  });

  test("a fault of the provider has its type, before and after the first audio, and closes by another code", async () => {
    for (const [voice, type] of [
      ["silent", "invalid_request_error"],
      ["fails", "failed_dependency"],
    ]) {
      const client = await open();
      client.send(start({ voice }), delta(TEXT), DONE);
      await ended(client);
      expect(client.messages.at(-1)).toMatchObject({ type: "error", error: { type } });
      expect(client.closed?.code).toBe(1_008);
    }
  });

  const WRONG: [string, readonly (object | string | Buffer)[], string?][] = [
    ["no JSON", ["{"]],
    ["an array", ["[]"]],
    ["a number", ["7"]],
    ["nothing", [""]],
    ["a binary frame", [Buffer.from(JSON.stringify(start()))]],
    ["a frame without type", [{}]],
    ["a type that is a number", [{ type: 5 }]],
    ["a key twice", ['{"type":"speech-stream.start","type":"speech-stream.start"}']],
    ["a frame that is too long", [start(), delta("a".repeat(70_000))]],
    ["text before the start", [delta("Hi.")]],
    ["the end before the start", [DONE]],
    ["two starts", [start(), start()]],
    ["a start behind the text", [start(), delta("Hi."), start()]],
    ["a delta that is a number", [start(), { type: "speech-stream.text-delta", delta: 5 }]],
    ["a delta that is missing", [start(), { type: "speech-stream.text-delta" }]],
    ["a part's voice that is a number", [start(), delta("Hi.", { voice: 5 })]],
    ["a part in another voice", [start({ voice: "alloy" }), delta("Hi.", { voice: "echo" })]],
    ["a part's options that are text", [start(), delta("Hi.", { providerOptions: "flush" })]],
    ["a voice that is a number", [start({ voice: 5 })]],
    ["a voice that can be none", [start({ voice: "no such voice!" })]],
    ["a speed that is text", [start({ speed: "fast" })]],
    ["instructions that are a list", [start({ instructions: [] })]],
    ["a language that is a number", [start({ language: 49 })]],
    ["an output format that is text", [start({ outputFormat: "mp3" })]],
    ["an output format without type", [start({ outputFormat: {} })]],
    ["an output format that there is not", [start({ outputFormat: { type: "audio/aac" } })]],
    ["a rate that there is not", [start({ outputFormat: { type: "audio/pcm", rate: 11_025 } })]],
    ["a rate below nothing", [start({ outputFormat: { type: "audio/pcm", rate: -1 } })]],
    ["options of a provider that are text", [start({ providerOptions: { tts: "fast" } })]],
    [
      "voice settings out of range",
      [start({ providerOptions: { tts: { voice_settings: { stability: 7 } } } })],
    ],
    ["raw chunks that are text", [start({ includeRawChunks: "yes" })]],
    ["text beyond all", [start(), ...Array.from({ length: 9 }, () => delta("word ".repeat(1_000)))]],
  ];

  test.each(WRONG)("%s is told as an error, and ends the connection", async (_, frames) => {
    const client = await open();
    client.send(...frames);
    await ended(client);
    const { error } = client.messages.at(-1) as { error: { type: string; message: string } };
    expect(error.type).toBe("invalid_request_error");
    expect(error.message).toMatch(/\w.*[.]$/);
    expect(client.closed?.code).toBe(1_008);
  });

  test("a model that there is not has a type of its own", async () => {
    const client = await open("?ai-model-id=openai%2Fgpt-9");
    client.send(start());
    await ended(client);
    expect(client.messages).toMatchObject([{ type: "error", error: { type: "model_not_found" } }]);
  });
});

describe("the same path over HTTP", () => {
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(new URL(PATH, alone.edge.url), {
      method: "POST",
      headers: { "content-type": "application/json", "ai-model-id": "tts-1", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

  test("answers the whole clip in base64", async () => {
    const response = await post({ text: TEXT, outputFormat: "pcm", instructions: "Slowly." });
    const body = (await response.json()) as { audio: string };
    expect(Buffer.from(body.audio, "base64").equals(fakeSpeechOf(TEXT))).toBe(true);
    expect(body).toMatchObject({
      warnings: [{ type: "unsupported", feature: "instructions" }],
      usage: { inputCharacters: TEXT.length },
    });
  });

  test.each([
    ["no text", {}, 400],
    ["empty text", { text: "" }, 400],
    ["text that is a number", { text: 5 }, 400],
    ["a format that there is not", { text: TEXT, outputFormat: "aac" }, 406],
    ["a voice that can be none", { text: TEXT, voice: "no such voice!" }, 400],
    ["a speed that is text", { text: TEXT, speed: "fast" }, 400],
    ["no JSON", "{", 400],
  ])("%s is refused in the dialect's own form", async (_, body, status) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      error: { type: "invalid_request_error", message: expect.stringMatching(/\w/) },
      generationId: expect.stringMatching(/\S/),
    });
  });

  test("a model that there is not is 404", async () => {
    const response = await post({ text: TEXT }, { "ai-model-id": "gpt-9" });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { type: "model_not_found" } });
  });
});

describe("where access is by keys", () => {
  let edges: KeyedEdges;
  beforeAll(async () => {
    edges = await startKeyedEdges({ redisUrl: inject("redisUrl") });
  });
  afterAll(() => edges.close());

  test("a key in the subprotocol opens the socket; a wrong one is told so in a message", async () => {
    const { headers } = await edges.makeKey("acme");
    const key = headers["x-api-key"];
    const client = await open("?ai-model-id=tts-1", edges.edge.url, key);
    client.send(start(), delta(TEXT), DONE);
    await ended(client);
    expect(client.closed?.code).toBe(1_000);
    const stranger = await open("?ai-model-id=tts-1", edges.edge.url, "nobody");
    await ended(stranger);
    expect(stranger.messages).toMatchObject([{ type: "error", error: { type: "authentication_error" } }]);
    expect(stranger.closed?.code).toBe(1_008);
  });

  test("a page's token opens one socket, and no second one", async () => {
    const { headers } = await edges.makeKey("acme");
    const response = await fetch(new URL("/v1/realtime/client-secrets", edges.edge.url), {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ model: "tts-1", routeKind: "speech", expiresIn: 30 }),
    });
    expect(response.status).toBe(200);
    const { token, expiresAt } = (await response.json()) as { token: string; expiresAt: number };
    expect(token).toMatch(/^[A-Za-z0-9._~-]+$/);
    expect(Math.abs(expiresAt - Date.now() / 1_000 - 30)).toBeLessThan(5);
    const client = await open("?ai-model-id=tts-1", edges.edge.url, token);
    client.send(start(), delta(TEXT), DONE);
    await ended(client);
    expect(client.closed?.code).toBe(1_000);
    const second = await open("?ai-model-id=tts-1", edges.edge.url, token);
    await ended(second);
    expect(second.messages).toMatchObject([{ type: "error", error: { type: "authentication_error" } }]);
  });

  test("no key makes no token, and a token is for nothing but speech", async () => {
    const mint = (body: object, headers: Record<string, string> = {}) =>
      fetch(new URL("/v1/realtime/client-secrets", edges.edge.url), {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
    const refused = await mint({ routeKind: "speech" });
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ error: { type: "authentication_error" } });
    const { headers } = await edges.makeKey("acme");
    expect((await mint({ routeKind: "realtime" }, headers)).status).toBe(400);
  });
});
