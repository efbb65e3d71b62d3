import { readFile } from "node:fs/promises";
import { parseOutputFormat } from "@tts-labs/edge/delivery/encoders/output-format";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { ForeignClient } from "../../../testkit/clients/foreign-client.ts";
import { type SystemOptions, startSystem } from "../../../testkit/fleet/system.ts";
import { decodeAudio } from "../../../testkit/speech/decode-audio.ts";

const VOICE = "simEnglishGrace0000A";
const TEXTS = [
  "The river bends three times. ",
  "Then it meets ",
  "the sea, and nobody calls it a river any more.",
];
const TEXT = TEXTS.join("");
const INSTALL_LIMIT_MS = 400_000;
const HZ = 24_000;
/** A second socket begins its first sentence anew, which is spoken a little differently. */
const SPLICE_MS = 500;

interface Result {
  readonly audio?: string;
  readonly mediaType?: string;
  readonly words?: readonly { readonly text: string; readonly startMs: number; readonly endMs: number }[];
  readonly usage?: object;
  readonly warnings?: readonly object[];
  readonly responses?: readonly { readonly headers?: Record<string, string> }[];
  readonly error?: Record<string, unknown>;
  readonly hangs?: true;
  readonly token?: string;
  readonly url?: string;
}

let sdk: ForeignClient;
beforeAll(async () => {
  sdk = await ForeignClient.install("vercel-ai");
}, INSTALL_LIMIT_MS);

async function open(options: Partial<SystemOptions> = {}) {
  const system = await startSystem({
    redisUrl: inject("redisUrl"),
    simulator: { timeScale: 0.2 },
    ...options,
    worker: { poolWarm: 0, silenceMs: 800, gapTimeoutMs: 1_500, ...options.worker },
  });
  onTestFinished(() => system.close());
  return system;
}

const MODEL = "elevenlabs/eleven-flash-v2.5";
const stream = (more: object = {}, request: object = {}) => ({
  method: "stream",
  model: MODEL,
  texts: TEXTS,
  request: { voice: VOICE, ...request },
  ...more,
});
const drive = (url: string, ...calls: object[]) =>
  sdk.drive<Result[]>({ origin: new URL(url).origin, calls });
const decode = (audio: string | undefined): Buffer => Buffer.from(audio ?? "", "base64");
const rendered = async () => (await renderSpeech({ text: TEXT, voice: VOICE })).pcm;
const toMs = (pcmBytes: number): number => pcmBytes / 2 / (HZ / 1_000);

describe("streamSpeech of Vercel's AI SDK, by its base URL alone", () => {
  test("hears the very samples over the platform's WebSocket and over ws, with the words beside them", async () => {
    const { url } = await open();
    const results = await drive(url, stream(), stream({ webSocket: "ws" }));
    const pcm = await rendered();
    for (const { audio, words = [], usage, responses, error } of results) {
      expect(error).toBeUndefined();
      expect(decode(audio).equals(pcm)).toBe(true);
      expect(words.map(({ text }) => text).join(" ")).toBe(TEXT);
      expect(words.at(-1)?.endMs).toBeLessThanOrEqual(toMs(pcm.length) + 50);
      expect(usage).toEqual({ inputCharacters: TEXT.length });
      expect(responses?.[0]?.headers?.["x-request-id"]).toMatch(/\S/);
    }
  });

  test.each([
    ["audio/mpeg", undefined, "mp3"],
    ["audio/pcm", 16_000, "pcm_16000"],
    ["audio/pcmu", undefined, "mulaw"],
    ["audio/pcma", undefined, "alaw"],
  ])("hears %s at %s Hz as long as the speech", async (type, rate, name) => {
    const { url } = await open();
    const outputFormat = rate === undefined ? { type } : { type, rate };
    const [result] = await drive(url, stream({}, { outputFormat }));
    const decoded = await decodeAudio(decode(result?.audio), parseOutputFormat(name, HZ));
    const ms = (decoded.samples.length * 1_000) / decoded.sampleRateHz;
    expect(Math.abs(ms - toMs((await rendered()).length))).toBeLessThan(50);
  });

  test("is told what is not fulfilled, and typed errors", async () => {
    const { url } = await open();
    const [warned, model, voice, silent] = await drive(
      url,
      stream({}, { speed: 4, instructions: "Cheerful." }),
      stream({ model: "openai/gpt-9" }),
      stream({}, { voice: "noSuchVoice" }),
      stream({ texts: [" "] }),
    );
    expect(warned?.warnings).toMatchObject([{ feature: "instructions" }, { feature: "speed" }]);
    expect(model?.error).toMatchObject({ name: "GatewayModelNotFoundError", statusCode: 404 });
    expect(voice?.error).toMatchObject({ name: "GatewayInvalidRequestError", statusCode: 400 });
    expect(silent?.error).toMatchObject({ name: "NoSpeechGeneratedError" });
  });

  test.each([
    { name: "drop-after-audio", afterMs: 900 },
    { name: "drop-before-audio" },
    { name: "stall-mid-segment", afterMs: 900, forMs: 60_000 },
    { name: "stall-before-audio", forMs: 60_000 },
    { name: "quota-silence" },
  ] as const)("hears the whole text where the provider's socket has $name", async (fault) => {
    const system = await open();
    system.simulator.setFault(fault);
    const [result] = await drive(system.url, stream());
    expect(result?.error).toBeUndefined();
    expect(result?.words?.map(({ text }) => text).join(" ")).toBe(TEXT);
    expect(Math.abs(toMs(decode(result?.audio).length) - toMs((await rendered()).length))).toBeLessThan(
      SPLICE_MS,
    );
  });

  test("throws where speech breaks off for good, and does not hang", async () => {
    const { url } = await open();
    const voice = `${VOICE}_fault_error-mid-stream_400_quota_exceeded`;
    const [broken] = await drive(url, stream({}, { voice }));
    expect(broken?.hangs).toBeUndefined();
    expect(broken?.error?.["name"]).toBe("GatewayFailedDependencyError");
  });

  test("that breaks off or aborts stops the speech", async () => {
    const { url, edges } = await open({ simulator: { timeScale: 1 } });
    const [broken, aborted] = await drive(
      url,
      stream({ breakAfterBytes: 1, texts: [`${TEXT} `.repeat(5)] }),
      stream({ abortAfterBytes: 1, texts: [`${TEXT} `.repeat(5)] }),
    );
    expect([broken?.hangs, aborted?.hangs]).toEqual([undefined, undefined]);
    await expect.poll(() => edges[0]?.counts()).toMatchObject({ sessions: 0, utterances: 0 });
  });

  test("gets a token for a page, and the page's address of the socket", async () => {
    const { url } = await open();
    const [minted] = await drive(url, { method: "token", model: MODEL, seconds: 30 });
    expect(minted?.url).toBe(
      `${new URL(url).origin.replace("http", "ws")}/v4/ai/speech-model?ai-model-id=${encodeURIComponent(MODEL)}`,
    );
    const [spoken] = await drive(url, stream({ apiKey: minted?.token }));
    expect(decode(spoken?.audio).equals(await rendered())).toBe(true);
  });
});

describe("generateSpeech of Vercel's AI SDK", () => {
  test("hears the very samples through OpenAI's provider and through the gateway", async () => {
    const { url } = await open();
    const request = { text: TEXT, voice: VOICE, outputFormat: "wav" };
    const results = await drive(
      url,
      { method: "generate", of: "openai", model: "tts-1", request },
      { method: "generate", of: "gateway", model: MODEL, request },
    );
    const pcm = await rendered();
    for (const { audio, mediaType } of results) {
      expect(mediaType).toBe("audio/wav");
      expect(decode(audio).subarray(44).equals(pcm)).toBe(true);
    }
  });

  test("is told of a provider that refuses", async () => {
    const { url } = await open();
    const request = { text: TEXT, voice: "noSuchVoice" };
    const results = await drive(
      url,
      { method: "generate", of: "openai", model: "tts-1", request },
      { method: "generate", of: "gateway", model: MODEL, request },
    );
    expect(results.map(({ error }) => error?.["statusCode"])).toEqual([400, 400]);
  });
});

test("docs/vercel-ai-sdk.md does what it shows", async () => {
  const { url } = await open({ edge: { voice: VOICE } });
  const page = await readFile("docs/vercel-ai-sdk.md", "utf8");
  const code = /```js\n(.*?)```/s.exec(page)?.[1] ?? "";
  const files = await sdk.run(code.replace("http://localhost:8006", new URL(url).origin), ["river.pcm"]);
  const text = [...code.matchAll(/yield "(.*?)";/g)].map(([, part]) => part).join("");
  const { pcm } = await renderSpeech({ text, voice: VOICE });
  expect(files["river.pcm"]?.equals(pcm)).toBe(true);
});
