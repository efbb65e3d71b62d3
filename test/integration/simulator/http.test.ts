import { request } from "node:http";
import { silentLogger } from "@tts-labs/core/logger";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GRACE } from "./provider-client.ts";

const TEXT = "Hello from the other side. It is a long way to go, is it not?";
const model_id = "eleven_flash_v2_5";

let simulator: Simulator;
let pcm: Buffer;
beforeAll(async () => {
  simulator = await startSimulator(defaultSimulatorConfig({ port: 0, timeScale: 0 }), silentLogger);
  pcm = (await renderSpeech({ text: TEXT, voice: GRACE })).pcm;
});
afterAll(() => simulator.close());

const KEY = { "xi-api-key": "sk_simulator" };

/** The answer, read to its end: one that is not read holds its connection. */
async function ask(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  const body = await response.arrayBuffer();
  return new Response(body, { status: response.status, headers: response.headers });
}

const post = (path: string, body: unknown, headers: Record<string, string> = KEY) =>
  ask(`${simulator.url}${path}`, {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

const speech = (route = "", format = "pcm_24000", voice = GRACE) =>
  `/v1/text-to-speech/${voice}${route}?output_format=${format}`;

const bytes = async (response: Response) => Buffer.from(await response.arrayBuffer());

interface Timed {
  readonly audio_base64: string;
  readonly alignment: {
    readonly characters: string[];
    readonly character_start_times_seconds: number[];
    readonly character_end_times_seconds: number[];
  } | null;
}

describe("the speech routes", () => {
  it.each(["", "/stream"])("answer %j with the audio and the service's headers", async (route) => {
    const response = await post(speech(route), { text: TEXT, model_id, unknown_field: 1 });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("audio/pcm");
    expect(response.headers.get("character-cost")).toBe(String(Math.ceil(TEXT.length / 2)));
    for (const header of ["request-id", "history-item-id", "x-trace-id", "x-region"]) {
      expect(response.headers.get(header), header).toBeTruthy();
    }
    for (const count of ["current", "maximum", "workspace"]) {
      expect(Number(response.headers.get(`${count}-concurrent-requests`)), count).toBeGreaterThan(0);
    }
    expect(response.headers.has("tts-latency-ms")).toBe(route === "");
    expect((await bytes(response)).equals(pcm)).toBe(true);
  });

  it("stream pieces of uneven size, most of them odd, that make up the same bytes", async () => {
    const text = "All of this is cut wherever it happens to be cut, and put together again. ".repeat(6);
    const whole = (await renderSpeech({ text: text.trimEnd(), voice: GRACE })).pcm;
    const pieces = await new Promise<Buffer[]>((resolve, reject) => {
      const asked = request(`${simulator.url}${speech("/stream")}`, { method: "POST", headers: KEY });
      asked.on("error", reject);
      asked.on("response", (response) => {
        const read: Buffer[] = [];
        response.on("data", (piece: Buffer) => read.push(piece));
        response.on("end", () => resolve(read));
      });
      asked.end(JSON.stringify({ text: text.trimEnd(), model_id }));
    });
    expect(Buffer.concat(pieces).equals(whole)).toBe(true);
    expect(pieces.length).toBeGreaterThan(50);
    const odd = pieces.filter(({ length }) => length % 2 === 1).length;
    expect(odd / pieces.length).toBeGreaterThan(0.4);
    expect(new Set(pieces.map(({ length }) => length)).size).toBeGreaterThan(pieces.length / 2);
  });

  it("tell the plan's limit", async () => {
    const own = await startSimulator(
      defaultSimulatorConfig({ port: 0, timeScale: 0, concurrency: 7 }),
      silentLogger,
    );
    try {
      const init = { method: "POST", headers: KEY, body: JSON.stringify({ text: TEXT, model_id }) };
      const { headers } = await ask(`${own.url}${speech()}`, init);
      expect(headers.get("maximum-concurrent-requests")).toBe("7");
    } finally {
      await own.close();
    }
  });

  it("ignore a language that the model does not know, and speak the others", async () => {
    const said = async (language_code: string) =>
      await bytes(await post(speech(), { text: TEXT, model_id, language_code }));
    expect((await said("xx")).equals(pcm)).toBe(true);
    const polish = await said("pl");
    expect(polish.length).toBeGreaterThan(10_000);
    expect(polish.equals(pcm)).toBe(false);
  });

  it("tell timings in seconds, start and end, without a space appended", async () => {
    const timed = (await (await post(speech("/with-timestamps"), { text: TEXT, model_id })).json()) as Timed;
    expect(Buffer.from(timed.audio_base64, "base64").equals(pcm)).toBe(true);
    expect(timed.alignment?.characters.join("")).toBe(TEXT);
    const ends = timed.alignment?.character_end_times_seconds ?? [];
    expect(Math.abs((ends.at(-1) ?? 0) - pcm.length / 48_000)).toBeLessThan(0.001);
    expect(timed.alignment?.character_start_times_seconds.slice(1)).toEqual(ends.slice(0, -1));
  });

  it("stream timings as one JSON object per line", async () => {
    const body = await (await post(speech("/stream/with-timestamps"), { text: TEXT, model_id })).text();
    const lines = body
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Timed);
    expect(lines.length).toBeGreaterThan(5);
    expect(Buffer.concat(lines.map((line) => Buffer.from(line.audio_base64, "base64"))).equals(pcm)).toBe(
      true,
    );
    expect(lines.flatMap((line) => line.alignment?.characters ?? []).join("")).toBe(TEXT);
  });

  it("make WAV files, MP3 and telephony formats", async () => {
    const get = async (format: string) =>
      await bytes(await post(speech("", format), { text: TEXT, model_id }));
    const wav = await get("wav_24000");
    expect(wav.subarray(0, 4).toString()).toBe("RIFF");
    expect(wav.subarray(44).equals(pcm)).toBe(true);
    expect((await get("mp3_44100_128"))[0]).toBe(0xff);
    const [ulaw, alaw, narrow] = [await get("ulaw_8000"), await get("alaw_8000"), await get("pcm_8000")];
    expect([ulaw.length * 2, alaw.length * 2]).toEqual([narrow.length, narrow.length]);
    const loudest = Math.max(...new Int16Array(narrow.buffer, narrow.byteOffset, narrow.length / 2));
    const decoded = [...ulaw].map(fromUlaw);
    expect(Math.abs(Math.max(...decoded) - loudest) / loudest).toBeLessThan(0.05);
  });

  it.each([
    ["no key", speech(), { text: TEXT }, {}, 401, "missing_api_key", "needs_authorization"],
    [
      "a malformed key",
      speech(),
      { text: TEXT },
      { "xi-api-key": "x" },
      401,
      "unauthorized",
      "invalid_api_key",
    ],
    [
      "a key nobody has",
      speech(),
      { text: TEXT },
      { "xi-api-key": `sk_${"0".repeat(48)}` },
      400,
      "invalid_api_key",
      undefined,
    ],
    [
      "an unknown voice",
      speech("", "pcm_24000", "nobody"),
      { text: TEXT },
      KEY,
      404,
      "voice_not_found",
      undefined,
    ],
    ["an unknown model", speech(), { text: TEXT, model_id: "x" }, KEY, 404, "model_not_found", undefined],
    ["an unknown format", speech("", "pcm_1"), { text: TEXT }, KEY, 403, "invalid_output_format", undefined],
    ["opus", speech("", "opus_48000_64"), { text: TEXT }, KEY, 400, "invalid_output_format", undefined],
    [
      "a streamed WAV",
      speech("/stream", "wav_24000"),
      { text: TEXT },
      KEY,
      403,
      "invalid_output_format",
      undefined,
    ],
    ["nothing to say", speech(), { text: "  " }, KEY, 400, "empty_text", "input_text_empty"],
    [
      "too much to say",
      speech(),
      { text: "x".repeat(10_001) },
      KEY,
      400,
      "text_too_long",
      "max_character_limit_exceeded",
    ],
    [
      "stitching with eleven_v3",
      speech(),
      { text: TEXT, model_id: "eleven_v3", previous_text: "x" },
      KEY,
      400,
      "unsupported_model",
      undefined,
    ],
    [
      "a language with a model that takes none",
      speech(),
      { text: TEXT, language_code: "de" },
      KEY,
      400,
      "unsupported_language",
      undefined,
    ],
  ] as const)("refuse %s in the service's form", async (_, path, body, headers, status, code, legacy) => {
    const response = await post(path, body, headers as Record<string, string>);
    expect(response.status).toBe(status);
    const { detail } = (await response.json()) as { detail: Record<string, unknown> };
    expect(detail).toMatchObject({ code, status: legacy ?? code, request_id: expect.any(String) });
    expect(response.headers.get("x-trace-id")).toBeTruthy();
  });

  it.each([
    ["a missing text", {}, ["body", "text"], "missing"],
    ["a wrong type", { text: 1 }, ["body", "text"], "invalid_type"],
    [
      "a speed out of range",
      { text: "x", voice_settings: { speed: 9 } },
      ["body", "voice_settings", "speed"],
      "too_big",
    ],
    ["no JSON", "{", ["body"], "json_invalid"],
  ] as const)("tell %s as a list with 422", async (_, body, loc, type) => {
    const response = await post(speech(), body);
    expect(response.status).toBe(422);
    expect(((await response.json()) as { detail: unknown[] }).detail[0]).toMatchObject({ loc, type });
  });

  it("tell an unknown key and a wrong format as they were recorded, and what was sent with a wrong value", async () => {
    const detailOf = async (response: Response) =>
      ((await response.json()) as { detail: Record<string, unknown> }).detail;
    const key = { "xi-api-key": `sk_${"0".repeat(48)}` };
    expect(await detailOf(await post(speech(), { text: TEXT }, key))).toEqual({
      type: "authentication_error",
      code: "invalid_api_key",
      status: "invalid_api_key",
      message: "API key is invalid.",
      param: "api_key",
      request_id: expect.any(String),
    });
    const format = await detailOf(await post(speech("", "pcm_1"), { text: TEXT }));
    expect(format["message"]).toMatch(/pcm_44100.*opus_48000_192.*m4a_aac_44100_128/);
    const wrong = (await detailOf(await post(speech(), { text: 7 }))) as unknown as { input: unknown }[];
    expect(wrong[0]?.input).toBe(7);
    const missing = (await detailOf(await post(speech(), { a: 1 }))) as unknown as { input: unknown }[];
    expect(missing[0]?.input).toEqual({ a: 1 });
  });

  it.each([
    ["paid_plan_required", 402, "payment_required", "payment_required"],
    ["output_format_not_allowed", 403, "authorization_error", "output_format_not_allowed"],
    ["system_busy", 429, "rate_limit_error", "system_busy"],
    ["never_heard_of", 400, "validation_error", "never_heard_of"],
  ])("tell %s when asked to", async (name, status, type, legacy) => {
    const headers = { ...KEY, "x-simulator-fault": `upgrade-error:${name}` };
    const response = await post(speech(), { text: TEXT, model_id }, headers);
    expect(response.status).toBe(status);
    expect(((await response.json()) as { detail: object }).detail).toMatchObject({ type, status: legacy });
  });

  it("refuse bodies over 1 MiB, and requests over the plan", async () => {
    expect((await post(speech(), { text: TEXT, extra: "x".repeat(1_100_000) })).status).toBe(413);
    const own = await startSimulator(
      defaultSimulatorConfig({ port: 0, concurrency: 1, queueWaitMs: 20, firstAudioMs: 400 }),
      silentLogger,
    );
    try {
      const answers = await Promise.all(
        [0, 1].map(() =>
          ask(`${own.url}${speech()}`, {
            method: "POST",
            headers: KEY,
            body: JSON.stringify({ text: TEXT, model_id }),
          }),
        ),
      );
      const refused = answers.find(({ status }) => status === 429);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 429]);
      expect(await refused?.json()).toMatchObject({
        detail: { code: "concurrent_limit_exceeded", status: "too_many_concurrent_requests" },
      });
    } finally {
      await own.close();
    }
  });

  it("misbehave on request", async () => {
    const faulty = (fault: string) =>
      post(speech("/stream"), { text: TEXT, model_id }, { ...KEY, "x-simulator-fault": fault });
    for (const status of [429, 500, 503]) expect((await faulty(`upgrade-${status}`)).status).toBe(status);
    await expect(faulty("drop-before-audio")).rejects.toThrow();
    await expect(faulty("drop-after-audio:300")).rejects.toThrow();
    expect((await bytes(await faulty("odd-pcm"))).equals(pcm)).toBe(true);
    expect((await faulty("quota-error")).status).toBe(401);
    expect((await faulty("no-such")).status).toBe(400);
  });
});

describe("the other routes", () => {
  const get = async (path: string, headers: Record<string, string> = KEY) => {
    const response = await fetch(`${simulator.url}${path}`, { headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it("list voices, one voice and models", async () => {
    const { voices } = (await get("/v1/voices")).body as { voices: { voice_id: string }[] };
    expect(voices.length).toBeGreaterThanOrEqual(5);
    expect((await get(`/v1/voices/${GRACE}`)).body).toMatchObject({ voice_id: GRACE, name: "Grace" });
    expect((await get("/v1/voices/nobody")).status).toBe(404);
    const models = (await get("/v1/models")).body as unknown as { model_id: string }[];
    expect(models.map((model) => model.model_id)).toContain(model_id);
    expect((await get("/v1/models", {})).status).toBe(401);
  });

  it("tell the account's plan, and settings of voices", async () => {
    expect((await get("/v1/user/subscription")).body).toMatchObject({ tier: "enterprise", status: "active" });
    expect((await get("/v1/user")).body).toMatchObject({ subscription: { tier: "enterprise" } });
    expect((await get("/v1/voices/settings/default")).body).toMatchObject({ stability: 0.5, speed: 1 });
    expect((await get(`/v1/voices/${GRACE}/settings`)).body).toMatchObject({ similarity_boost: 0.75 });
    expect((await get("/v1/voices/nobody/settings")).status).toBe(404);
  });

  it("list the languages of each model", async () => {
    const models = (await get("/v1/models")).body as unknown as {
      model_id: string;
      languages: { language_id: string }[];
      concurrency_group: string;
    }[];
    const languages = (id: string) => models.find((model) => model.model_id === id)?.languages ?? [];
    expect(languages("eleven_flash_v2_5")).toHaveLength(32);
    expect(languages("eleven_multilingual_v2")).toHaveLength(29);
    expect(languages("eleven_flash_v2_5")).toContainEqual({ language_id: "fil", name: "fil" });
    expect(models.find((model) => model.model_id === "eleven_v4")?.concurrency_group).toBe("dialogue");
  });

  it("page and search voices", async () => {
    const seen: string[] = [];
    let token: unknown = "0";
    while (token !== null) {
      const { body } = await get(`/v2/voices?page_size=4&next_page_token=${token}`);
      seen.push(...(body["voices"] as { name: string }[]).map(({ name }) => name));
      token = body["next_page_token"];
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect((await get("/v2/voices?search=anna")).body).toMatchObject({ total_count: 1, has_more: false });
    for (const [query, code] of [
      ["page_size=0", "invalid_page_size"],
      ["page_size=101", "invalid_page_size"],
      ["next_page_token=x", "invalid_cursor"],
    ]) {
      expect((await get(`/v2/voices?${query}`)).body).toMatchObject({ detail: { code } });
    }
  });

  it("tell health, metrics and what does not exist", async () => {
    expect((await get("/healthz", {})).status).toBe(200);
    expect((await get("/readyz", {})).status).toBe(200);
    const metrics = await (await fetch(`${simulator.url}/metrics`)).text();
    expect(metrics).toMatch(/simulator_requests\{request="text-to-speech\/stream 200"\} \d/);
    expect(metrics).toContain("simulator_units_rendered");
    expect((await get("/v1/nothing")).status).toBe(404);
    expect((await get("/admin/nothing", {})).status).toBe(404);
    expect((await get(`/v1/text-to-speech/${GRACE}`)).status).toBe(405);
    expect((await get("/%zz")).status).toBe(404);
  });
});

function fromUlaw(byte: number): number {
  const value = ~byte & 0xff;
  const magnitude = (((value & 0x0f) << 3) + 0x84) << ((value & 0x70) >> 4);
  return value & 0x80 ? 0x84 - magnitude : magnitude - 0x84;
}
