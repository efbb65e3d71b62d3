import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { JsonSocketClient } from "../../../testkit/clients/json-socket.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simEnglishGrace0000A";
const LONG = "This is a long story, and it goes on for quite a while. ".repeat(12);

let system: System;
beforeAll(async () => {
  system = await startSystem({ redisUrl: inject("redisUrl"), simulator: { timeScale: 0.2 } });
});
afterEach(async () => {
  await expect.poll(() => system.edges[0]?.counts()).toMatchObject({ sessions: 0, utterances: 0 });
});
afterAll(() => system.close());

const open = (query = "") =>
  JsonSocketClient.open(
    system.url,
    `/v1/text-to-speech/${VOICE}/multi-stream-input?model_id=eleven_flash_v2_5&output_format=pcm_24000${query}`,
    { "xi-api-key": "sk_any" },
  );

const finals = (client: JsonSocketClient, id: string) =>
  client.of(id).filter((it) => it["isFinal"] === true).length;

/** What LiveKit's plugin sends for one text. */
const turn = (context_id: string, text: string) => [
  { text: " ", voice_settings: {}, context_id },
  { text: `${text} `, context_id, flush: true },
  { text: "", context_id, flush: true },
  { context_id, close_context: true },
];

describe("multi-stream-input", () => {
  test("speaks contexts side by side, each to its one final message, and the socket stays", async () => {
    const client = await open();
    const texts = { a: "The first of two.", b: "The second of two." };
    client.send(...turn("a", texts.a), ...turn("b", texts.b));
    await expect.poll(() => finals(client, "a") + finals(client, "b")).toBe(2);
    for (const [id, text] of Object.entries(texts)) {
      const { pcm } = await renderSpeech({ text, voice: VOICE });
      expect(client.audio(id).equals(pcm)).toBe(true);
      expect(client.of(id).every((it) => it["context_id"] === id)).toBe(true);
    }
    client.send(...turn("c", texts.a));
    await expect.poll(() => finals(client, "c")).toBe(1);
    expect(client.closed).toBeUndefined();
    client.close();
  });

  test("counts times from the start of the context, or of the message where the client wants that", async () => {
    const text = "The first sentence is here. And this is the second one.";
    const starts = async (query: string) => {
      const client = await open(query);
      client.send(...turn("a", text));
      await expect.poll(() => finals(client, "a")).toBe(1);
      client.close();
      return client.of("a").flatMap((it) => {
        const alignment = it["normalizedAlignment"] as { charStartTimesMs: number[] } | null;
        return alignment === null ? [] : [alignment.charStartTimesMs[0] ?? 0];
      });
    };
    const fromContext = await starts("");
    expect(fromContext).toEqual([...fromContext].sort((a, b) => a - b));
    expect(fromContext.at(-1)).toBeGreaterThan(1_000);
    const fromSegment = await starts("&alignment_base=segment");
    expect(Math.max(...fromSegment)).toBeLessThan(100);
  });

  test("an empty flush behind close_context interrupts: the provider stops, one final message, the socket goes on", async () => {
    const client = await open();
    client.send({ text: " ", context_id: "a" }, { text: LONG, context_id: "a", flush: true });
    await expect.poll(() => client.audio("a").length).toBeGreaterThan(0);
    client.send({ context_id: "a", close_context: true }, { text: "", context_id: "a", flush: true });
    await expect.poll(() => finals(client, "a")).toBe(1);
    await expect.poll(() => system.simulator.report().generating.now).toBe(0);
    const { pcm } = await renderSpeech({ text: LONG, voice: VOICE });
    expect(client.audio("a").length).toBeLessThan(pcm.length);
    client.send(...turn("b", "And on it goes."));
    await expect.poll(() => finals(client, "b")).toBe(1);
    expect([finals(client, "a"), client.closed]).toEqual([1, undefined]);
    client.close();
  });

  test("close_context without that speaks all that was flushed: the twin", async () => {
    const client = await open();
    const text = "All of this was flushed. So all of it is heard.";
    client.send({ text: " ", context_id: "a" }, { text: `${text} `, context_id: "a", flush: true });
    client.send({ context_id: "a", close_context: true });
    await expect.poll(() => finals(client, "a")).toBe(1);
    const { pcm } = await renderSpeech({ text, voice: VOICE });
    expect(client.audio("a").equals(pcm)).toBe(true);
    client.close();
  });

  test("text that was never flushed is dropped by close_context, and spoken with auto_mode", async () => {
    const client = await open();
    const messages = [
      { text: "Hi. ", context_id: "a" },
      { context_id: "a", close_context: true },
    ];
    client.send(...messages);
    await expect.poll(() => finals(client, "a")).toBe(1);
    expect(client.audio("a").length).toBe(0);
    client.close();
    const auto = await open("&auto_mode=true");
    auto.send(...messages);
    await expect.poll(() => finals(auto, "a")).toBe(1);
    expect(auto.audio("a").length).toBeGreaterThan(0);
    auto.close();
  });

  test("an id may be used again once it has ended, and late messages for it are ignored", async () => {
    const client = await open();
    client.send(...turn("a", "Once."));
    await expect.poll(() => finals(client, "a")).toBe(1);
    client.send({ text: "", context_id: "a", flush: true }, { text: "Late. ", context_id: "a" });
    client.send(...turn("a", "Twice."));
    await expect.poll(() => finals(client, "a")).toBe(2);
    expect(client.closed).toBeUndefined();
    client.close();
  });

  test("a sixth live context ends the socket; a place is free again with a final message", async () => {
    const client = await open();
    for (const id of "abcde") client.send({ text: " ", context_id: id });
    client.send({ context_id: "a", close_context: true });
    await expect.poll(() => finals(client, "a")).toBe(1);
    client.send({ text: " ", context_id: "f" });
    client.send({ text: " ", context_id: "g" });
    await expect.poll(() => client.closed?.code).toBe(1008);
    expect(client.messages.at(-1)).toMatchObject({
      code: 1008,
      error: "max_active_conversations",
      message: expect.stringContaining("(5)"),
    });
  });

  test("close_socket speaks what every context holds, and closes with 1000", async () => {
    const client = await open();
    client.send({ text: "First of all. ", context_id: "a" }, { text: "Then this. ", context_id: "b" });
    client.send({ close_socket: true });
    await expect.poll(() => client.closed?.code).toBe(1000);
    expect([finals(client, "a"), finals(client, "b")]).toEqual([1, 1]);
    expect(client.audio("a").length).toBeGreaterThan(0);
    expect(client.audio("b").length).toBeGreaterThan(0);
  });

  test("a context is kept alive by empty text, and without it ends the socket after its timeout", async () => {
    const client = await open("&inactivity_timeout=1");
    client.send({ text: " ", context_id: "a" });
    const beganMs = performance.now();
    const keeping = setInterval(() => client.send({ text: "", context_id: "a" }), 200);
    await expect.poll(() => performance.now() - beganMs).toBeGreaterThan(1_600);
    clearInterval(keeping);
    expect(client.closed).toBeUndefined();
    await expect.poll(() => client.closed?.code).toBe(1008);
    expect(client.messages.at(-1)).toMatchObject({ error: "input_timeout_exceeded" });
  });

  test("a context that fails says so with its id, and the others go on", async () => {
    const client = await open();
    const tooMuch = "x".repeat(30_000);
    client.send({ text: tooMuch, context_id: "a" }, { text: tooMuch, context_id: "a" });
    client.send(...turn("b", "This one is spoken."));
    await expect.poll(() => finals(client, "b")).toBe(1);
    expect(client.of("a")).toContainEqual(
      expect.objectContaining({ error: "max_character_limit_exceeded", code: 1008 }),
    );
    client.close();
  });
});
