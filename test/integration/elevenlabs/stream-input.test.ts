import { renderMessages } from "@tts-labs/simulator/voice/render";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { JsonSocketClient } from "../../../testkit/clients/json-socket.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simEnglishGrace0000A";

let system: System;
beforeAll(async () => {
  system = await startSystem({ redisUrl: inject("redisUrl"), simulator: { timeScale: 0 } });
});
afterEach(async () => {
  await expect.poll(() => system.edges[0]?.counts()).toMatchObject({ sessions: 0, utterances: 0 });
});
afterAll(() => system.close());

const open = (query = "", voice = VOICE) =>
  JsonSocketClient.open(
    system.url,
    `/v1/text-to-speech/${voice}/stream-input?model_id=eleven_flash_v2_5&output_format=pcm_24000${query}`,
    { "xi-api-key": "sk_any" },
  );

interface SocketAlignment {
  readonly chars: string[];
  readonly charStartTimesMs: number[];
  readonly charDurationsMs: number[];
}

describe("stream-input", () => {
  test("speaks what was sent in pieces, ends with isFinal, and closes with 1000", async () => {
    const client = await open();
    const messages = [{ text: " " }, { text: "Hello " }, { text: "World. " }, { text: "" }];
    client.send(...messages);
    await expect.poll(() => client.closed).toEqual({ code: 1000, reason: "" });
    const { pcm } = await renderMessages(messages, {
      voice: VOICE,
      model_id: "eleven_flash_v2_5",
      output_format: "pcm_24000",
    });
    expect(client.audio().equals(pcm)).toBe(true);
    expect(client.messages.at(-1)).toMatchObject({ audio: null, isFinal: true, alignment: null });
    expect(client.messages.filter((it) => it["isFinal"] === true)).toHaveLength(1);
    expect(client.messages[0]).toMatchObject({ isFinal: null });
  });

  test("speaks µ-law for telephones, the provider's own samples", async () => {
    const client = await JsonSocketClient.open(
      system.url,
      `/v1/text-to-speech/${VOICE}/stream-input?model_id=eleven_flash_v2_5&output_format=ulaw_8000`,
    );
    const messages = [{ text: " " }, { text: "Hello World. " }, { text: "" }];
    client.send(...messages);
    await expect.poll(() => client.closed?.code).toBe(1000);
    const { pcm } = await renderMessages(messages, {
      voice: VOICE,
      model_id: "eleven_flash_v2_5",
      output_format: "ulaw_8000",
    });
    expect(client.audio().equals(pcm)).toBe(true);
  });

  test("speaks what was flushed while the text is still open", async () => {
    const client = await open();
    client.send({ text: " " }, { text: "One sentence. ", flush: true });
    await expect.poll(() => client.audio().length).toBeGreaterThan(20_000);
    expect(client.messages.some((it) => it["isFinal"] === true)).toBe(false);
    client.send({ text: "Another one. " }, { text: "" });
    await expect.poll(() => client.closed?.code).toBe(1000);
  });

  test("tells times that count from the audio of their message, under both spellings", async () => {
    const client = await open();
    const text = "The first sentence is here. And this is the second one, which follows. ";
    client.send({ text: " " }, { text, flush: true }, { text: "" });
    await expect.poll(() => client.closed?.code).toBe(1000);
    let beforeMs = 0;
    let spoken = "";
    let lastMs = 0;
    for (const message of client.messages) {
      const alignment = message["alignment"] as SocketAlignment | null;
      for (const [i, char] of (alignment?.chars ?? []).entries()) {
        const startMs = beforeMs + (alignment?.charStartTimesMs[i] ?? 0);
        expect(startMs).toBeGreaterThanOrEqual(lastMs - 40);
        lastMs = startMs;
        spoken += char;
      }
      if (alignment !== null) {
        expect(message["normalizedAlignment"]).toEqual(alignment);
        expect(message["alignment"]).toMatchObject({
          charsStartTimesMs: alignment.charStartTimesMs,
          charsDurationsMs: alignment.charDurationsMs,
        });
      }
      const audio = message["audio"];
      if (typeof audio === "string") beforeMs += Buffer.from(audio, "base64").length / 48;
    }
    expect(spoken.trim()).toBe(text.trim());
    expect(lastMs).toBeGreaterThan(2_000);
  });

  test("takes settings with the first message, the same again, and no others later", async () => {
    const client = await open();
    const voice_settings = { stability: 0.3, speed: 1.1 };
    client.send(
      { text: " ", voice_settings },
      { text: "Hello. ", voice_settings: { speed: 1.1, stability: 0.3 } },
    );
    client.send({ text: "World. ", voice_settings: { speed: 0.9 } });
    await expect.poll(() => client.closed?.code).toBe(1008);
    expect(client.messages.at(-1)).toMatchObject({
      code: 1008,
      error: "invalid_input",
      message: expect.stringContaining("voice_settings"),
    });
  });

  test("ends at once where there was nothing to speak, and ignores what follows the end", async () => {
    const client = await open();
    client.send({ text: " " }, { text: "" }, { text: "Too late. " });
    await expect.poll(() => client.closed?.code).toBe(1000);
    expect(client.messages).toEqual([expect.objectContaining({ isFinal: true, audio: null })]);
  });

  test("tells an unknown voice as the real one does, after the upgrade", async () => {
    const client = await open("", "noSuchVoice");
    client.send({ text: " " }, { text: "Hello. " }, { text: "" });
    await expect.poll(() => client.closed?.code).toBe(1008);
    expect(client.messages).toEqual([
      { code: 1008, error: "voice_id_does_not_exist", message: expect.any(String) },
    ]);
  });

  test("closes a socket that is silent for the time asked for", async () => {
    const client = await open("&inactivity_timeout=1");
    await expect.poll(() => client.closed?.code).toBe(1008);
    expect(client.messages).toEqual([
      { code: 1008, error: "input_timeout_exceeded", message: expect.stringContaining("1.0 seconds") },
    ]);
  });

  test("stops its provider when the client goes away in mid-speech", async () => {
    const client = await open();
    client.send({ text: " " }, { text: "This is a long story. ".repeat(30), flush: true });
    await expect.poll(() => client.audio().length).toBeGreaterThan(0);
    client.close();
    await expect.poll(() => system.edges[0]?.counts()).toMatchObject({ sessions: 0 });
    await expect.poll(() => system.simulator.report().generating.now).toBe(0);
  });
});
