import { silentLogger } from "@tts-labs/core/logger";
import { defaultSimulatorConfig, type SimulatorConfig } from "@tts-labs/simulator/config";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import { renderMessages, renderSpeech, type SpokenMessage } from "@tts-labs/simulator/render";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { FLASH, GRACE, ProviderClient, socketUrl } from "./provider-client.ts";

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator(defaultSimulatorConfig({ port: 0, timeScale: 0 }), silentLogger);
});
afterAll(() => simulator.close());
afterEach(async () => {
  await allClosed();
  simulator.reset();
});

/** The simulator learns of a close a moment after its client. */
const allClosed = () => vi.waitFor(() => expect(simulator.report().connections.open).toBe(0));

async function open(options: {
  readonly query?: string;
  readonly voice?: string;
  readonly headers?: Record<string, string>;
}): Promise<ProviderClient> {
  const { query = FLASH, voice = GRACE, headers } = options;
  const client = new ProviderClient(socketUrl(simulator.url, voice, query), headers);
  await client.opened;
  return client;
}

async function converse(query: string, ...messages: readonly SpokenMessage[]): Promise<ProviderClient> {
  const client = await open({ query });
  client.send(...messages);
  await client.closed;
  return client;
}

const errorOf = (client: ProviderClient) => client.errors[0]?.json?.["error"];
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

interface Aligned {
  readonly chars: string[];
  readonly charStartTimesMs: number[];
  readonly charDurationsMs: number[];
}

const LONG =
  "Streaming speech is made of many small pieces. Each of them is sent as soon as it is ready! Does the " +
  "listener notice? Not if all goes well, and the sentences are cut where nobody hears it. The end is near.";

describe("a stream-input socket", () => {
  it("is silent until there is something to say", async () => {
    const client = await open({});
    client.send({ text: " " }, { text: "Not yet enough. " });
    client.send({ text: " " });
    // A second socket's whole utterance passes meanwhile.
    await converse(FLASH, { text: " " }, { text: "Hello." }, { text: "" });
    expect(client.seen).toEqual([]);
    client.close();
    await client.closed;
    await allClosed();
    expect(simulator.report().closedWithoutEnd).toBe(1);
  });

  it.each([
    ["whole", FLASH, [{ text: LONG }]],
    ["word by word", FLASH, LONG.split(/(?<= )/).map((text) => ({ text }))],
    [
      "with flushes at sentence ends",
      FLASH,
      LONG.split(/(?<=[.!?] )/).map((text) => ({ text, flush: true })),
    ],
    ["in auto mode", `${FLASH}&auto_mode=true`, LONG.split(/(?<=[.!?] )/).map((text) => ({ text }))],
  ] as const)("speaks a text %s, and each time the same", async (_, query, messages) => {
    const client = await converse(query, { text: " " }, ...messages, { text: "" });
    const { pcm } = await renderSpeech({ text: LONG, voice: GRACE });
    expect(client.audio.equals(pcm)).toBe(true);
    expect(client.finals).toHaveLength(1);
  });

  it("answers as renderMessages says, whatever the cuts", async () => {
    const messages = [
      { text: " ", generation_config: { chunk_length_schedule: [50, 60] }, voice_settings: { speed: 1.1 } },
      ...LONG.split(/(?<=,)|(?<=o)/).map((text) => ({ text })),
      { text: "" },
    ];
    const client = await converse(`${FLASH}&seed=9`, ...messages);
    const query = { voice: GRACE, model_id: "eleven_flash_v2_5", output_format: "pcm_24000", seed: "9" };
    const rendered = await renderMessages(messages, query);
    expect(rendered.generations.length).toBeGreaterThan(2);
    expect(client.audio.equals(rendered.pcm)).toBe(true);
  });

  it("speaks early what it is asked to try, once it has 50 characters", async () => {
    const client = await open({});
    client.send({ text: " " }, { text: "Too short. ", try_trigger_generation: true });
    client.send({ text: "But this makes it long enough, I think. And", try_trigger_generation: true });
    await client.until((seen) => seen.length > 0);
    const alignment = client.seen[0]?.json?.["alignment"] as Aligned | undefined;
    expect(alignment?.chars.join("")).toBe("Too short. But this makes it long enough, I think. ");
    client.close();
    await client.closed;
  });

  it("tells each generation's timings with its first message, from 0, to the millisecond", async () => {
    const client = await converse(
      FLASH,
      { text: " " },
      { text: "The first is here. ", flush: true },
      { text: "And there comes the second", flush: true },
      { text: "" },
    );
    const segments: { bytes: number; alignment: Aligned }[] = [];
    for (const { json } of client.audioMessages) {
      const alignment = json?.["alignment"] as Aligned | null;
      if (alignment !== null) segments.push({ alignment, bytes: 0 });
      const last = segments.at(-1);
      if (last !== undefined) last.bytes += Buffer.from(String(json?.["audio"]), "base64").length;
    }
    expect(segments.map(({ alignment }) => alignment.chars.join(""))).toEqual([
      "The first is here. ",
      "And there comes the second ",
    ]);
    for (const { alignment, bytes } of segments) {
      expect(alignment.charStartTimesMs[0]).toBe(0);
      expect(sum(alignment.charDurationsMs)).toBe(Math.round(bytes / 48));
    }
  });

  it("tells timings with each message when asked to", async () => {
    const client = await converse(
      `${FLASH}&sync_alignment=true`,
      { text: " " },
      { text: LONG },
      { text: "" },
    );
    const alignments = client.audioMessages.map(({ json }) => json?.["alignment"] as Aligned | null);
    expect(alignments.filter((alignment) => alignment !== null).length).toBeGreaterThan(3);
    expect(alignments.flatMap((alignment) => alignment?.chars ?? []).join("")).toBe(`${LONG} `);
    const durations = alignments.flatMap((alignment) => alignment?.charDurationsMs ?? []);
    expect(Math.abs(sum(durations) - client.audio.length / 48)).toBeLessThanOrEqual(1);
  });

  it("makes no final of a flush, not even of one with an empty text", async () => {
    const client = await open({});
    client.send({ text: " " }, { text: "Hello there." }, { text: "", flush: true });
    await client.until((seen) => seen.length > 0);
    await converse(FLASH, { text: " " }, { text: "Hello there." }, { text: "" });
    expect(client.finals).toEqual([]);
    client.send({ text: "" });
    expect((await client.closed).code).toBe(1000);
    expect(client.finals).toHaveLength(1);
  });

  it("ends without audio when there was nothing to say", async () => {
    const client = await converse(FLASH, { text: " " }, { text: " " }, { text: "" });
    expect(client.seen.map(({ text }) => text)).toEqual([
      '{"alignment":null,"audio":null,"isFinal":true,"normalizedAlignment":null}',
    ]);
  });

  it("ignores fields it does not know", async () => {
    const client = await converse(
      FLASH,
      { text: " ", hello: 1 } as SpokenMessage,
      { text: "Hi." },
      { text: "" },
    );
    expect(client.finals).toHaveLength(1);
  });

  it.each([
    ["ulaw_8000", 8],
    ["alaw_8000", 8],
    ["pcm_8000", 16],
    ["pcm_16000", 32],
    ["pcm_44100", 88.2],
    ["pcm_48000", 96],
  ])("sends %s of the right length", async (format, bytesPerMs) => {
    const client = await converse(
      `model_id=eleven_flash_v2_5&output_format=${format}`,
      { text: " " },
      { text: "Hello world." },
      { text: "" },
    );
    const alignment = client.seen[0]?.json?.["alignment"] as Aligned | undefined;
    const alignedMs = sum(alignment?.charDurationsMs ?? []);
    expect(Math.abs(client.audio.length / bytesPerMs - alignedMs)).toBeLessThan(1);
  });

  it("sends MP3 when nothing else is asked for", async () => {
    const client = await converse("model_id=eleven_flash_v2_5", { text: " " }, { text: LONG }, { text: "" });
    const { pcm } = await renderSpeech({ text: LONG, voice: GRACE });
    expect(client.audio[0]).toBe(0xff);
    const expectedBytes = (pcm.length / 48_000) * 16_000;
    expect(client.audio.length).toBeGreaterThan(expectedBytes * 0.95);
    expect(client.audio.length).toBeLessThan(expectedBytes * 1.1);
  });
});

describe("a client that stops reading", () => {
  it("stops the simulator, and gets every byte when it reads again", async () => {
    const text = "This sentence is said again and again. ".repeat(200);
    const { pcm } = await renderSpeech({ text, voice: GRACE });
    const client = await open({});
    client.pause();
    client.send({ text: " " }, { text }, { text: "" });
    const sentBytes = () => simulator.report().audioBytes;
    let before = -1;
    await vi.waitFor(
      () => {
        const now = sentBytes();
        const still = now > 0 && now === before;
        before = now;
        expect(still).toBe(true);
      },
      { interval: 300, timeout: 20_000 },
    );
    expect(before).toBeLessThan(pcm.length / 2);
    client.resume();
    await client.closed;
    expect(client.audio.equals(pcm)).toBe(true);
    expect(client.finals).toHaveLength(1);
  });
});

describe("a stream-input socket refuses", () => {
  it.each([
    ["no key", { headers: {} }, [{ text: " " }], "authentication_required"],
    ["a wrong key in the opening", { headers: {} }, [{ text: " ", xi_api_key: "x" }], "invalid_api_key"],
    ["a wrong bearer", { headers: { authorization: "Bearer x" } }, [], "invalid_api_key"],
    ["an unknown voice", { voice: "nobody" }, [], "voice_id_does_not_exist"],
    ["opus", { query: "output_format=opus_48000_64" }, [], "unsupported_output_format"],
    ["an unknown format", { query: "output_format=pcm_12345" }, [], "unsupported_output_format"],
    ["an unknown model", { query: "model_id=eleven_nine" }, [], "invalid_input"],
    [
      "a language that the model does not take",
      { query: "model_id=eleven_multilingual_v2&language_code=de" },
      [],
      "unsupported_language",
    ],
    ["a message that is no object", {}, [[]], "invalid_message"],
    ["a speed out of range", {}, [{ text: " ", voice_settings: { speed: 3 } }], "invalid_input"],
    [
      "a schedule out of range",
      {},
      [{ text: " ", generation_config: { chunk_length_schedule: [10] } }],
      "invalid_input",
    ],
    [
      "voice settings after the opening",
      {},
      [{ text: " " }, { text: "Hi.", voice_settings: { speed: 1 } }],
      "invalid_input",
    ],
    [
      "changed voice settings",
      {},
      [
        { text: " ", voice_settings: { speed: 1 } },
        { text: " ", voice_settings: { speed: 0.9 } },
      ],
      "invalid_input",
    ],
    [
      "more text than the model takes",
      { query: "model_id=eleven_multilingual_v2" },
      [{ text: " " }, { text: "x".repeat(10_001) }],
      "max_character_limit_exceeded",
    ],
  ] as const)("%s, with an error and close 1008", async (_, options, messages, error) => {
    const client = await open(options);
    client.send(...messages);
    const closed = await client.closed;
    expect(errorOf(client)).toBe(error);
    expect(closed.code).toBe(1008);
    expect(Buffer.byteLength(closed.reason)).toBeLessThanOrEqual(123);
    expect(String(client.errors[0]?.json?.["message"]).startsWith(closed.reason)).toBe(true);
    expect(client.audio).toHaveLength(0);
  });

  it("what is not JSON, and what is binary", async () => {
    for (const data of ["{", Buffer.from([1, 2, 3])]) {
      const client = await open({});
      client.sendRaw(data);
      await client.closed;
      expect(errorOf(client)).toBe("invalid_message");
    }
    expect(simulator.report().violations).toEqual({ "malformed-message": 2 });
  });

  it("silence that lasts longer than asked for, and says whose fault it was", async () => {
    const client = await open({ query: `${FLASH}&inactivity_timeout=1` });
    client.send({ text: " " }, { text: "And then nothing came." });
    const closed = await client.closed;
    expect(errorOf(client)).toBe("input_timeout_exceeded");
    expect(closed.code).toBe(1008);
    expect(closed.reason).toHaveLength(123);
    expect(closed.atMs).toBeGreaterThan(990);
    expect(simulator.report().violations).toEqual({ "unsent-end": 1 });
  });
});

describe("a key", () => {
  it.each([
    ["in the opening", {}, { xi_api_key: "sk_simulator" }],
    ["in the opening, spelt with hyphens", {}, { "xi-api-key": "sk_simulator" }],
    ["as a bearer", { authorization: "Bearer sk_simulator" }, {}],
  ])("%s is accepted", async (_, headers, fields) => {
    const client = await open({ headers: headers as Record<string, string> });
    client.send({ text: " ", ...fields }, { text: "Hi." }, { text: "" });
    await client.closed;
    expect(client.finals).toHaveLength(1);
  });

  it("for a single use is spent by its first use", async () => {
    const response = await fetch(`${simulator.url}/v1/single-use-token/tts_websocket`, {
      method: "POST",
      headers: { "xi-api-key": "sk_simulator" },
    });
    const { token } = (await response.json()) as { token: string };
    const use = async () => {
      const client = await open({ query: `${FLASH}&single_use_token=${token}`, headers: {} });
      client.send({ text: " " }, { text: "Hi." }, { text: "" });
      await client.closed;
      return client;
    };
    expect((await use()).finals).toHaveLength(1);
    expect(errorOf(await use())).toBe("invalid_api_key");
    expect(JSON.stringify(simulator.report())).not.toContain(token);
  });
});

describe("the witness", () => {
  it("names what a well-behaved client never does", async () => {
    const settings = { voice_settings: { speed: 1 } };
    await converse(
      FLASH,
      { text: " ", ...settings },
      { text: " ", ...settings },
      { text: "Hi." },
      { text: "" },
    );
    await converse(FLASH, { text: "Hi." }, { text: "" }, { text: "More." }, { text: "" });
    const { violations, violationCount, log } = simulator.report();
    expect(violations).toEqual({
      "second-opening": 1,
      "text-before-opening": 1,
      "text-after-end": 1,
      "second-end": 1,
    });
    expect(violationCount).toBe(4);
    expect(log.map((connection) => connection.violations.length)).toEqual([1, 3]);
  });

  it("counts what came and went", async () => {
    await converse(
      FLASH,
      { text: " " },
      { text: "Hi." },
      { text: " " },
      { text: "", flush: true },
      { text: "" },
    );
    await allClosed();
    const response = await fetch(`${simulator.url}/admin/report`);
    const report = (await response.json()) as ReturnType<Simulator["report"]>;
    expect(report).toMatchObject({
      connections: { opened: 1, open: 0, peak: 1 },
      openings: 1,
      texts: 1,
      keepAlives: 1,
      flushes: 1,
      ends: 1,
      generations: 1,
      finals: 1,
      characters: 3,
      closes: { 1000: 1 },
      closedWithoutEnd: 0,
      generating: { now: 0, peak: 1 },
    });
    expect(report.log[0]?.messages.filter(({ from }) => from === "client").map(({ text }) => text)).toEqual([
      " ",
      "Hi.",
      " ",
      "",
      "",
    ]);
  });
});

describe("a simulator with", () => {
  async function withConfig(
    overrides: Partial<SimulatorConfig>,
    run: (simulator: Simulator) => Promise<void>,
  ): Promise<void> {
    const own = await startSimulator(
      defaultSimulatorConfig({ port: 0, timeScale: 0, ...overrides }),
      silentLogger,
    );
    try {
      await run(own);
    } finally {
      await own.close();
    }
  }

  it("a concurrency of one lets one wait a little, and refuses who waits longer", () =>
    withConfig({ concurrency: 1, timeScale: 1, upgradeMs: 0, firstAudioMs: 300 }, async (own) => {
      const clients = [0, 1].map(() => new ProviderClient(socketUrl(own.url)));
      await Promise.all(clients.map((client) => client.opened));
      for (const client of clients) client.send({ text: " " }, { text: "Hello there." }, { text: "" });
      await Promise.all(clients.map((client) => client.closed));
      expect(clients.map(errorOf).sort()).toEqual(["too_many_concurrent_requests", undefined]);
      expect(own.report().generating).toEqual({ now: 0, peak: 1 });
    }));

  it("its most connections refuses one more with 503", () =>
    withConfig({ maxConnections: 1 }, async (own) => {
      const first = new ProviderClient(socketUrl(own.url));
      await first.opened;
      await expect(new ProviderClient(socketUrl(own.url)).opened).rejects.toThrow("503");
      first.close();
      await first.closed;
    }));

  it("a close while many speak ends them all", async () => {
    const own = await startSimulator(defaultSimulatorConfig({ port: 0 }), silentLogger);
    const clients = Array.from({ length: 5 }, () => new ProviderClient(socketUrl(own.url)));
    await Promise.all(clients.slice(1).map((client) => client.opened));
    for (const client of clients.slice(1)) client.send({ text: " " }, { text: LONG }, { text: "" });
    await Promise.all([own.close(), own.close()]);
    const closes = await Promise.all(clients.slice(1).map((client) => client.closed));
    expect(closes.every(({ code }) => code === 1006)).toBe(true);
    await expect(fetch(own.url)).rejects.toThrow();
  });
});
