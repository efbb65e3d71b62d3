import { renderMessages, renderSpeech, type SpokenMessage } from "@tts-labs/simulator/voice/render";
import { describe, expect, it, vi } from "vitest";
import { FLASH, GRACE, type Seen } from "./provider-client.ts";
import { SimulatorForFile } from "./simulator-for-file.ts";

const simulator = new SimulatorForFile();

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
    const client = await simulator.open({});
    client.send({ text: " " }, { text: "Not yet enough. " });
    client.send({ text: " " });
    // A second socket's whole utterance passes meanwhile.
    await simulator.converse(FLASH, { text: " " }, { text: "Hello." }, { text: "" });
    expect(client.seen).toEqual([]);
    client.close();
    await client.closed;
    await simulator.allClosed();
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
    const client = await simulator.converse(query, { text: " " }, ...messages, { text: "" });
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
    const client = await simulator.converse(`${FLASH}&seed=9`, ...messages);
    const query = { voice: GRACE, model_id: "eleven_flash_v2_5", output_format: "pcm_24000", seed: "9" };
    const rendered = await renderMessages(messages, query);
    expect(rendered.generations.length).toBeGreaterThan(2);
    expect(client.audio.equals(rendered.pcm)).toBe(true);
  });

  it("speaks early what it is asked to try, once it has 50 characters", async () => {
    const client = await simulator.open({});
    client.send({ text: " " }, { text: "Too short. ", try_trigger_generation: true });
    client.send({ text: "But this makes it long enough, I think. And", try_trigger_generation: true });
    await client.until((seen) => seen.length > 0);
    const alignment = client.seen[0]?.json?.["alignment"] as Aligned | undefined;
    expect(alignment?.chars.join("")).toBe("Too short. But this makes it long enough, I think. ");
    client.close();
    await client.closed;
  });

  /** Timings and audio of a message differ by at most this much: docs/simulator.md, "Inexactness". */
  const MAX_OFF_MS = 36;
  const timedMs = ({ json }: Seen) =>
    sum((json?.["alignment"] as Aligned | null | undefined)?.charDurationsMs ?? []);
  const audioMs = ({ json }: Seen) => Buffer.from(String(json?.["audio"]), "base64").length / 48;
  const charsOf = ({ json }: Seen) =>
    (json?.["alignment"] as Aligned | null | undefined)?.chars.join("") ?? null;

  it("tells each generation's timings with its first message, from 0, off by up to 36 ms from its audio", async () => {
    const client = await simulator.converse(
      FLASH,
      { text: " " },
      { text: "The first is here. ", flush: true },
      { text: " And there comes the second", flush: true },
      { text: "" },
    );
    const messages = client.audioMessages;
    const firsts = messages.flatMap((message, i) => (charsOf(message) === null ? [] : [i]));
    expect(firsts.map((i) => charsOf(messages[i] as Seen))).toEqual([
      "The first is here. ",
      "And there comes the second ",
    ]);
    const tail = messages.length - 1;
    for (const [k, from] of firsts.entries()) {
      const until = firsts[k + 1] ?? tail;
      const aligned = messages[from]?.json?.["alignment"] as Aligned;
      expect(aligned.charStartTimesMs[0]).toBe(0);
      const spokenMs = sum(messages.slice(from, until).map(audioMs));
      expect(Math.abs(timedMs(messages[from] as Seen) - spokenMs)).toBeLessThanOrEqual(MAX_OFF_MS + 1);
      expect(Math.abs(timedMs(messages[from] as Seen) - spokenMs)).toBeGreaterThan(1);
    }
    expect(charsOf(messages[tail] as Seen)).toBeNull();
    expect(audioMs(messages[tail] as Seen)).toBeLessThan(11);
    expect(Math.abs(sum(messages.map(timedMs)) - client.audio.length / 48)).toBeLessThanOrEqual(1);
  });

  it("sends each clip of auto mode without a tail, and one tail of 33 ms at the end", async () => {
    const tokens = ["Hel", "lo", " world", "."].map((text) => ({ text }));
    const client = await simulator.converse(`${FLASH}&auto_mode=true`, { text: " " }, ...tokens, {
      text: "",
    });
    const messages = client.audioMessages;
    expect(messages.map(charsOf)).toEqual(["Hel ", "lo ", "world ", ". ", null]);
    const off = messages.slice(0, -1).map((message) => timedMs(message) - audioMs(message));
    expect(Math.max(...off.map(Math.abs))).toBeLessThanOrEqual(MAX_OFF_MS + 1);
    expect(off.some((ms) => Math.abs(ms) > 5)).toBe(true);
    const tailMs = audioMs(messages.at(-1) as Seen);
    expect(tailMs).toBeGreaterThan(31);
    expect(tailMs).toBeLessThan(35);
    expect(Math.abs(sum(messages.map(timedMs)) - client.audio.length / 48)).toBeLessThanOrEqual(2);
  });

  it("tells timings with each message when asked to, each off by up to 36 ms, all of them together right", async () => {
    const client = await simulator.converse(
      `${FLASH}&sync_alignment=true`,
      { text: " " },
      { text: LONG },
      { text: "" },
    );
    const messages = client.audioMessages.slice(0, -1);
    expect(messages.length).toBeGreaterThan(4);
    expect(messages.map(charsOf).join("")).toBe(`${LONG} `);
    const off = messages.map((message) => timedMs(message) - audioMs(message));
    expect(Math.max(...off.map(Math.abs))).toBeLessThanOrEqual(MAX_OFF_MS + 1);
    expect(Math.max(...off)).toBeGreaterThan(3);
    expect(Math.min(...off)).toBeLessThan(-3);
    expect(Math.abs(sum(messages.map(timedMs)) - client.audio.length / 48)).toBeLessThanOrEqual(1);
  });

  it("makes no final of a flush, not even of one with an empty text", async () => {
    const client = await simulator.open({});
    client.send({ text: " " }, { text: "Hello there." }, { text: "", flush: true });
    await client.until((seen) => seen.length > 0);
    await simulator.converse(FLASH, { text: " " }, { text: "Hello there." }, { text: "" });
    expect(client.finals).toEqual([]);
    client.send({ text: "" });
    expect((await client.closed).code).toBe(1000);
    expect(client.finals).toHaveLength(1);
  });

  it("ends without audio when there was nothing to say", async () => {
    const client = await simulator.converse(FLASH, { text: " " }, { text: " " }, { text: "" });
    expect(client.seen.map(({ text }) => text)).toEqual([
      '{"alignment":null,"audio":null,"isFinal":true,"normalizedAlignment":null}',
    ]);
  });

  it("ignores fields it does not know", async () => {
    const client = await simulator.converse(
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
    const client = await simulator.converse(
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
    const client = await simulator.converse(
      "model_id=eleven_flash_v2_5",
      { text: " " },
      { text: LONG },
      { text: "" },
    );
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
    const client = await simulator.open({});
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
