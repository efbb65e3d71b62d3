import { readFile } from "node:fs/promises";
import { parseOutputFormat } from "@tts-labs/edge/delivery/encoders/output-format";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { ForeignClient } from "../../../testkit/clients/foreign-client.ts";
import { type SystemOptions, startSystem } from "../../../testkit/fleet/system.ts";
import { decodeAudio, loudnessOf } from "../../../testkit/speech/decode-audio.ts";

const VOICE = "simEnglishGrace0000A";
const TEXT = "The river bends three times. Then it meets the sea, and nobody calls it a river any more.";
const INSTALL_LIMIT_MS = 400_000;
const HZ = 24_000;

interface Result {
  readonly value?: Record<string, unknown>;
  readonly error?: Record<string, unknown>;
}

let openai: ForeignClient;
let livekit: ForeignClient;
beforeAll(async () => {
  openai = await ForeignClient.install("openai");
  livekit = await ForeignClient.install("livekit-openai");
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

const baseOf = (url: string): string => new URL("/v1", url).href;
const request = (response_format: string, voice = VOICE) => ({
  model: "tts-1",
  voice,
  input: TEXT,
  response_format,
});
const decode = (audio: unknown): Buffer => Buffer.from(String(audio), "base64");
const rendered = async () => (await renderSpeech({ text: TEXT, voice: VOICE })).pcm;
const toPcm = (samples: Float32Array): Buffer =>
  Buffer.from(Int16Array.from(samples, (it) => Math.round(it * 32_768)).buffer);

const FAULTS = [
  { name: "drop-after-audio", afterMs: 900 },
  { name: "drop-before-audio" },
  { name: "stall-mid-segment", afterMs: 900, forMs: 60_000 },
  { name: "stall-before-audio", forMs: 60_000 },
  { name: "quota-silence" },
] as const;

/** A second socket begins its first sentence anew, which is spoken a little differently. */
const SPLICE_MS = 500;
const toMs = (pcmBytes: number): number => pcmBytes / 2 / (HZ / 1_000);

describe("openai, by its base URL alone", () => {
  test("hears the very samples where the format is lossless, and as much and as loud where it is not", async () => {
    const { url } = await open();
    const formats = ["pcm", "wav", "flac", "mp3", "opus"];
    const calls = formats.map((format) => ({ method: "speech", request: request(format) }));
    const results = await openai.drive<Result[]>({ baseURL: baseOf(url), calls });
    const pcm = await rendered();
    const samples = Float32Array.from(
      new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2),
      (it) => it / 32_768,
    );
    for (const [i, name] of formats.entries()) {
      const format = parseOutputFormat(name, HZ);
      const decoded = await decodeAudio(decode(results[i]?.value?.["audio"]), format);
      if (name !== "mp3" && name !== "opus") expect(toPcm(decoded.samples).equals(pcm), name).toBe(true);
      const ms = (decoded.samples.length * 1_000) / decoded.sampleRateHz;
      expect(Math.abs(ms - toMs(pcm.length)), name).toBeLessThan(50);
      const loudness = loudnessOf(decoded.samples) / loudnessOf(samples);
      expect(loudness, name).toBeGreaterThan(0.85);
      expect(loudness, name).toBeLessThan(1.15);
    }
  });

  test("reads the events to their usage, and the models", async () => {
    const { url } = await open();
    const [speech, models, model] = await openai.drive<Result[]>({
      baseURL: baseOf(url),
      calls: [
        { method: "events", request: request("pcm") },
        { method: "models" },
        { method: "model", id: "tts-1" },
      ],
    });
    const events = speech?.value?.["events"] as Record<string, unknown>[];
    const audio = Buffer.concat(events.slice(0, -1).map((it) => decode(it["audio"])));
    expect(audio.equals(await rendered())).toBe(true);
    expect(events.at(-1)).toMatchObject({ type: "speech.audio.done", usage: { input_tokens: 23 } });
    expect(models?.value?.["ids"]).toContain("tts-1");
    expect(model?.value).toMatchObject({ id: "tts-1" });
  });

  test("knows each refusal by its class, code and request id", async () => {
    const { url } = await open();
    const results = await openai.drive<Result[]>({
      baseURL: baseOf(url),
      calls: [
        { method: "speech", request: { ...request("pcm"), model: "gpt-7" } },
        { method: "speech", request: request("aac") },
        { method: "speech", request: request("pcm", "noSuchVoice") },
      ],
    });
    expect(results.map((it) => [it.error?.["name"], it.error?.["code"], it.error?.["param"]])).toEqual([
      ["NotFoundError", "model_not_found", "model"],
      ["BadRequestError", "unsupported_format", "response_format"],
      ["BadRequestError", "voice_not_found", "voice"],
    ]);
    for (const { error } of results) expect(error?.["requestID"]).toMatch(/\S/);
  });

  test.each(FAULTS)("hears the whole text where the provider's socket has $name", async (fault) => {
    const system = await open();
    system.simulator.setFault(fault);
    const [speech] = await openai.drive<Result[]>({
      baseURL: baseOf(system.url),
      calls: [{ method: "speech", request: request("pcm") }],
    });
    expect(speech?.error).toBeUndefined();
    const heardMs = toMs(decode(speech?.value?.["audio"]).length);
    expect(Math.abs(heardMs - toMs((await rendered()).length))).toBeLessThan(SPLICE_MS);
    expect(system.simulator.report().openings).toBe(2);
  });

  test("throws where speech breaks off for good: by the connection, or by name in the events", async () => {
    const { url } = await open();
    const voice = `${VOICE}_fault_error-mid-stream_400_quota_exceeded`;
    const [cut, events] = await openai.drive<Result[]>({
      baseURL: baseOf(url),
      calls: [
        { method: "speech", request: request("mp3", voice) },
        { method: "events", request: request("pcm", voice) },
      ],
    });
    expect(cut?.error?.["message"]).toMatch(/terminated|aborted|socket/i);
    expect(events?.value?.["error"]).toMatchObject({
      type: "insufficient_quota",
      code: "insufficient_quota",
    });
  });

  test("that goes away in the middle stops the speech", async () => {
    const { url, edges } = await open({ simulator: { timeScale: 1 } });
    await openai.drive({ baseURL: baseOf(url), calls: [{ method: "abort", request: request("pcm") }] });
    await expect.poll(() => edges[0]?.counts()).toMatchObject({ sessions: 0, utterances: 0 });
  });

  test("does what docs/openai-compatible.md shows", async () => {
    const { url } = await open({ edge: { voice: VOICE } });
    const page = await readFile("docs/openai-compatible.md", "utf8");
    const code = /```js\n(.*?)```/s.exec(page)?.[1] ?? "";
    const files = await openai.run(code.replace("http://localhost:8006", new URL(url).origin), ["river.wav"]);
    const { pcm } = await renderSpeech({ text: /input: "(.*)",/.exec(code)?.[1] ?? "", voice: VOICE });
    expect(files["river.wav"]?.subarray(44).equals(pcm)).toBe(true);
  });
});

interface Spoken {
  readonly results: {
    readonly audio?: string;
    readonly sampleRate?: number;
    readonly error?: string;
    readonly hangs?: true;
  }[];
  readonly errors: { readonly message: string }[];
}

describe("LiveKit's OpenAI plugin, by its base URL alone", () => {
  const speak = (url: string): Promise<Spoken> =>
    livekit.drive<Spoken>({ baseURL: baseOf(url), turns: [{ text: TEXT }] });

  test("hears the very samples", async () => {
    const { url } = await open({ edge: { voice: VOICE } });
    const { results, errors } = await speak(url);
    expect(errors).toEqual([]);
    expect(results[0]?.sampleRate).toBe(HZ);
    const heard = decode(results[0]?.audio);
    const pcm = await rendered();
    expect(heard.equals(pcm.subarray(0, heard.length))).toBe(true);
    // The plugin gives whole frames of 50 ms, and forgets the rest of the last one by itself.
    expect(toMs(pcm.length - heard.length)).toBeLessThan(50);
  });

  test.each(FAULTS)("hears the whole text where the provider's socket has $name", async (fault) => {
    const system = await open({ edge: { voice: VOICE } });
    system.simulator.setFault(fault);
    const { results, errors } = await speak(system.url);
    expect(errors).toEqual([]);
    const heardMs = toMs(decode(results[0]?.audio).length);
    expect(Math.abs(heardMs - toMs((await rendered()).length))).toBeLessThan(SPLICE_MS);
  });

  test("is told of a provider that stays away, and does not hang", async () => {
    const { url } = await open({ edge: { voice: `${VOICE}_fault_upgrade-error_quota_exceeded` } });
    const { results, errors } = await speak(url);
    expect(results[0]?.hangs).toBeUndefined();
    expect(errors.length).toBeGreaterThan(0);
  });
});
