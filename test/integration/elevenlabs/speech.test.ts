import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simEnglishGrace0000A";
const TEXT = "Hello there. This is what ElevenLabs' own clients would ask for.";

let system: System;
beforeAll(async () => {
  system = await startSystem({
    redisUrl: inject("redisUrl"),
    simulator: { timeScale: 0 },
    edge: { cache: true },
  });
});
afterAll(() => system.close());

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${system.url}/v1/text-to-speech/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "xi-api-key": "sk_any", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });

interface Times {
  readonly characters: string[];
  readonly character_start_times_seconds: number[];
  readonly character_end_times_seconds: number[];
}
interface Timed {
  readonly audio_base64: string;
  readonly alignment: Times | null;
  readonly normalized_alignment: Times | null;
}

describe("POST /v1/text-to-speech/{voice_id}", () => {
  test.each(["", "/stream"])("gives the provider's own samples at %j, at each PCM rate", async (form) => {
    for (const sampleRateHz of [8_000, 16_000, 22_050, 24_000, 44_100]) {
      const response = await post(`${VOICE}${form}?output_format=pcm_${sampleRateHz}`, { text: TEXT });
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "audio/pcm"]);
      const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE, sampleRateHz });
      expect(Buffer.from(await response.arrayBuffer()).equals(pcm)).toBe(true);
    }
  });

  test.each(["ulaw_8000", "alaw_8000"])("gives the provider's own samples as %s", async (format) => {
    const response = await post(`${VOICE}/stream?output_format=${format}`, { text: TEXT });
    expect(response.headers.get("content-type")).toMatch(/^audio\//);
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE, format });
    expect(Buffer.from(await response.arrayBuffer()).equals(pcm)).toBe(true);
  });

  test.each([
    ["mp3_22050_32", "audio/mpeg", 32],
    ["mp3_24000_48", "audio/mpeg", 48],
    ["mp3_44100_64", "audio/mpeg", 64],
    ["mp3_44100_192", "audio/mpeg", 192],
    ["mp3_44100_128", "audio/mpeg", 128],
  ])("gives %s at its bit rate, as long as the speech", async (format, contentType, kbps) => {
    const response = await post(`${VOICE}/stream?output_format=${format}`, { text: TEXT });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, contentType]);
    const bytes = (await response.arrayBuffer()).byteLength;
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE });
    expect(Math.abs((bytes * 8) / kbps - pcm.length / 48)).toBeLessThan(150);
  });

  test.each([
    ["", "ID3 or a frame", "audio/mpeg"],
    ["?output_format=opus_48000_64", "OggS", "audio/opus"],
    ["?output_format=pcm_32000", undefined, "audio/pcm"],
    ["?output_format=pcm_48000", undefined, "audio/pcm"],
    ["?output_format=wav_48000", "RIFF", "audio/wav"],
  ])("gives what %j asks for", async (query, beginning, contentType) => {
    const response = await post(`${VOICE}${query}`, { text: TEXT });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, contentType]);
    const audio = Buffer.from(await response.arrayBuffer());
    if (beginning === "OggS" || beginning === "RIFF") expect(audio.toString("latin1", 0, 4)).toBe(beginning);
    else if (beginning !== undefined)
      expect(audio.toString("latin1", 0, 3)).toMatch(/^(ID3|\xff[\xe0-\xff])/);
    expect(audio.length).toBeGreaterThan(20_000);
  });

  test("gives a whole WAV with its true lengths", async () => {
    const response = await post(`${VOICE}?output_format=wav_16000`, { text: TEXT });
    const wav = Buffer.from(await response.arrayBuffer());
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE, sampleRateHz: 16_000 });
    expect([wav.readUInt32LE(24), wav.readUInt32LE(40)]).toEqual([16_000, pcm.length]);
    expect(wav.subarray(44).equals(pcm)).toBe(true);
  });

  test("tells what it costs, under which id, and that a repeat costs nothing", async () => {
    const text = "This is said twice and made once.";
    const first = await post(`${VOICE}?output_format=pcm_24000`, { text }, { "x-request-id": "order-7" });
    await first.arrayBuffer();
    expect(Object.fromEntries(first.headers)).toMatchObject({
      "request-id": "order-7",
      "x-request-id": "order-7",
      "x-trace-id": "order-7",
      "character-cost": String(Math.ceil(text.length / 2)),
      "current-concurrent-requests": expect.stringMatching(/^\d+$/),
      "maximum-concurrent-requests": expect.stringMatching(/^[1-9]\d*$/),
    });
    await expect
      .poll(async () => {
        const again = await post(`${VOICE}?output_format=pcm_24000`, { text });
        await again.arrayBuffer();
        return again.headers.get("character-cost");
      })
      .toBe("0");
  });

  test("takes an id that is percent-encoded, fields that it does not know, and null for what is left open", async () => {
    const encoded = [...VOICE].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join("");
    const response = await post(`${encoded}/stream?output_format=pcm_24000&optimize_streaming_latency=3`, {
      text: TEXT,
      model_id: null,
      voice_settings: { stability: null, speed: 1, sparkle: 7 },
      use_pvc_as_ivc: true,
      nonsense: [1, { two: 3 }],
    });
    expect(response.status).toBe(200);
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE, settings: { speed: 1 } });
    expect(Buffer.from(await response.arrayBuffer()).equals(pcm)).toBe(true);
  });
});

describe("with timestamps", () => {
  test("one object holds the audio, and the characters of the text with rising times", async () => {
    const response = await post(`${VOICE}/with-timestamps?output_format=pcm_24000`, { text: TEXT });
    expect(response.headers.get("content-type")).toBe("application/json");
    const whole = (await response.json()) as Timed;
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE });
    expect(Buffer.from(whole.audio_base64, "base64").equals(pcm)).toBe(true);
    expectTimes(whole.alignment, pcm.length / 48_000);
    expect(whole.normalized_alignment).toEqual(whole.alignment);
  });

  test.each(["with-timestamps", "stream/with-timestamps"])("%s goes with MP3", async (form) => {
    const response = await post(`${VOICE}/${form}?output_format=mp3_44100_64`, { text: TEXT });
    const parts = (await response.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Timed);
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE });
    const bytes = parts.reduce((sum, it) => sum + Buffer.from(it.audio_base64, "base64").length, 0);
    expect(Math.abs((bytes * 8) / 64 - pcm.length / 48)).toBeLessThan(150);
    expect(parts.flatMap((it) => it.alignment?.characters ?? []).join("")).toBe(TEXT);
  });

  test("a stream is lines, each of them ended, whose audio and characters join to the whole", async () => {
    const response = await post(`${VOICE}/stream/with-timestamps?output_format=pcm_24000`, { text: TEXT });
    const body = await response.text();
    expect(body.endsWith("\n")).toBe(true);
    const lines = body
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Timed);
    const audio = Buffer.concat(lines.map((it) => Buffer.from(it.audio_base64, "base64")));
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE });
    expect(audio.equals(pcm)).toBe(true);
    const times = lines.map((it) => it.alignment).filter((it) => it !== null);
    const joined: Times = {
      characters: times.flatMap((it) => it.characters),
      character_start_times_seconds: times.flatMap((it) => it.character_start_times_seconds),
      character_end_times_seconds: times.flatMap((it) => it.character_end_times_seconds),
    };
    expectTimes(joined, pcm.length / 48_000);
  });
});

function expectTimes(times: Times | null, seconds: number): void {
  expect(times?.characters.join("")).toBe(TEXT);
  const starts = times?.character_start_times_seconds ?? [];
  expect(starts).toEqual([...starts].sort((a, b) => a - b));
  expect(starts.length).toBe(times?.characters.length);
  // The pause behind the last word belongs to no character.
  const behindMs = (seconds - (times?.character_end_times_seconds.at(-1) ?? 0)) * 1_000;
  expect(behindMs).toBeGreaterThanOrEqual(-1);
  expect(behindMs).toBeLessThanOrEqual(250);
}

describe("what goes wrong", () => {
  test("before the first audio has ElevenLabs' status and body", async () => {
    const response = await post("noSuchVoice?output_format=pcm_24000", { text: TEXT });
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      detail: {
        type: "not_found",
        code: "voice_not_found",
        status: "voice_not_found",
        message: expect.any(String),
        request_id: response.headers.get("x-trace-id"),
      },
    });
  });

  test("after it cuts the connection, and never ends cleanly", async () => {
    const voice = `${VOICE}_fault_error-mid-stream_400_quota_exceeded`;
    const response = await post(`${voice}/stream?output_format=pcm_24000`, { text: TEXT });
    expect(response.status).toBe(200);
    await expect(readAll(response)).rejects.toThrow(/terminated|aborted|socket/i);
  });
});

/** Its length alone: a failed test would print the bytes. */
const readAll = async (response: Response) => (await response.arrayBuffer()).byteLength;

describe("the account's routes", () => {
  const get = async (path: string) => {
    const response = await fetch(`${system.url}${path}`, { headers: { "xi-api-key": "sk_any" } });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  test("list the voices whole, and searched and paged", async () => {
    const all = (await get("/v1/voices")).body["voices"] as { voice_id: string }[];
    expect(all.map((it) => it.voice_id)).toContain(VOICE);
    const page = (await get("/v2/voices?page_size=2")).body;
    expect(page).toMatchObject({ has_more: true, total_count: all.length, next_page_token: "2" });
    const next = (await get("/v2/voices?page_size=100&next_page_token=2")).body;
    expect(next).toMatchObject({ has_more: false, next_page_token: null });
    expect([...(page["voices"] as object[]), ...(next["voices"] as object[])]).toEqual(all);
    const found = (await get("/v2/voices?search=grace")).body["voices"] as object[];
    expect(found).toEqual([expect.objectContaining({ voice_id: VOICE })]);
  });

  test("know a voice, its settings, the models, the user and the plan", async () => {
    expect((await get(`/v1/voices/${VOICE}`)).body).toMatchObject({ voice_id: VOICE });
    expect((await get(`/v1/voices/${VOICE}/settings`)).body).toMatchObject({ stability: 0.5 });
    expect((await get("/v1/voices/settings/default")).body).toMatchObject({ speed: 1 });
    expect((await get("/v1/models")).body).toContainEqual(
      expect.objectContaining({ model_id: "eleven_flash_v2_5", can_do_text_to_speech: true }),
    );
    expect((await get("/v1/user")).body).toMatchObject({ subscription: { status: "active" } });
    expect((await get("/v1/user/subscription")).body).toMatchObject({ open_invoices: [] });
    expect(await get("/v1/voices/noSuchVoice")).toMatchObject({
      status: 404,
      body: { detail: { code: "voice_not_found" } },
    });
  });
});
