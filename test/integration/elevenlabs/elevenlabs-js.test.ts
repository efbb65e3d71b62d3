import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { ForeignClient } from "../../../testkit/clients/foreign-client.ts";
import { type SystemOptions, startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simEnglishGrace0000A";
const TEXT = "The river bends three times. Then it meets the sea, and nobody calls it a river any more.";
const INSTALL_LIMIT_MS = 400_000;

interface Result {
  readonly value?: Record<string, unknown>;
  readonly error?: {
    readonly name: string;
    readonly message: string;
    readonly statusCode?: number;
    readonly body?: unknown;
  };
}

let sdk: ForeignClient;
beforeAll(async () => {
  sdk = await ForeignClient.install("elevenlabs-js");
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

const request = (outputFormat: string) => ({ text: TEXT, modelId: "eleven_flash_v2_5", outputFormat });
const decode = (audio: unknown): Buffer => Buffer.from(String(audio), "base64");

describe("@elevenlabs/elevenlabs-js, by its base URL alone", () => {
  test("hears the provider's own samples by every method, and the text in the times", async () => {
    const { url } = await open();
    const format = request("pcm_22050");
    const [convert, stream, whole, lines] = await sdk.drive<Result[]>({
      baseUrl: url,
      calls: ["convert", "stream", "convertWithTimestamps", "streamWithTimestamps"].map((method) => ({
        method,
        voice: VOICE,
        request: format,
      })),
    });
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE, sampleRateHz: 22_050 });
    expect(decode(convert?.value?.["audio"]).equals(pcm)).toBe(true);
    expect(decode(stream?.value?.["audio"]).equals(pcm)).toBe(true);
    expect(decode(whole?.value?.["audioBase64"]).equals(pcm)).toBe(true);
    const timed = lines?.value?.["lines"] as { audioBase64: string; alignment?: { characters: string[] } }[];
    expect(Buffer.concat(timed.map((it) => decode(it.audioBase64))).equals(pcm)).toBe(true);
    expect(timed.flatMap((it) => it.alignment?.characters ?? []).join("")).toBe(TEXT);
  });

  test("reads voices, models, settings, user and plan", async () => {
    const { url } = await open();
    const calls = [
      { method: "models" },
      { method: "searchVoices", request: { search: "grace", pageSize: 5 } },
      { method: "allVoices" },
      { method: "voice", voice: VOICE },
      { method: "voiceSettings", voice: VOICE },
      { method: "defaultSettings" },
      { method: "user" },
      { method: "subscription" },
    ];
    const results = await sdk.drive<Result[]>({ baseUrl: url, calls });
    expect(results.map((it) => it.error)).toEqual(calls.map(() => undefined));
    expect(results[0]?.value).toContainEqual(expect.objectContaining({ modelId: "eleven_flash_v2_5" }));
    expect(results[1]?.value).toMatchObject({ voices: [{ voiceId: VOICE }], totalCount: 1, hasMore: false });
  });

  test("knows a refusal by its status and body", async () => {
    const { url } = await open();
    const results = await sdk.drive<Result[]>({
      baseUrl: url,
      calls: [
        { method: "stream", voice: "noSuchVoice", request: request("pcm_24000") },
        { method: "stream", voice: VOICE, request: { text: "", outputFormat: "pcm_24000" } },
        { method: "stream", voice: VOICE, request: { text: "Hi.", seed: 1.5, outputFormat: "pcm_24000" } },
      ],
    });
    expect(results.map((it) => [it.error?.name, it.error?.statusCode])).toEqual([
      ["ElevenLabsError", 404],
      ["ElevenLabsError", 400],
      ["UnprocessableEntityError", 422],
    ]);
    expect(results[0]?.error?.body).toMatchObject({ detail: { code: "voice_not_found" } });
  });

  const FAULTS = [
    { name: "drop-after-audio", afterMs: 900 },
    { name: "drop-before-audio" },
    { name: "stall-mid-segment", afterMs: 900, forMs: 60_000 },
    { name: "stall-before-audio", forMs: 60_000 },
    { name: "quota-silence" },
  ] as const;
  test.each(FAULTS)("hears the whole text where the provider's socket has $name", async (fault) => {
    const system = await open();
    system.simulator.setFault(fault);
    const [lines] = await sdk.drive<Result[]>({
      baseUrl: system.url,
      calls: [{ method: "streamWithTimestamps", voice: VOICE, request: request("pcm_24000") }],
    });
    const timed = lines?.value?.["lines"] as { audioBase64: string; alignment?: { characters: string[] } }[];
    expect(lines?.error).toBeUndefined();
    expect(timed.flatMap((it) => it.alignment?.characters ?? []).join("")).toBe(TEXT);
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE });
    const heard = timed.reduce((sum, it) => sum + decode(it.audioBase64).length, 0);
    // A second socket begins its first sentence anew, which is spoken a little differently.
    expect(Math.abs(heard - pcm.length) / 48).toBeLessThan(500);
    expect(system.simulator.report().openings).toBe(2);
  });

  test("throws where speech breaks off for good, and never has a short clip that looks whole", async () => {
    const { url } = await open();
    const voice = `${VOICE}_fault_error-mid-stream_400_quota_exceeded`;
    const [broken] = await sdk.drive<Result[]>({
      baseUrl: url,
      calls: [{ method: "stream", voice, request: request("pcm_24000") }],
    });
    expect(broken?.error?.message).toMatch(/terminated|aborted|socket/i);
  });
});
