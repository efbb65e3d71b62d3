import { inflateRawSync } from "node:zlib";
import { openG711 } from "@tts-labs/edge/delivery/encoders/codecs/g711";
import { parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simEnglishGrace0000A";
const TEXT = "The river bends three times. Then it meets the sea, and nobody calls it a river any more.";

let system: System;
beforeAll(async () => {
  system = await startSystem({ redisUrl: inject("redisUrl"), simulator: { timeScale: 0.2 } });
});
afterAll(() => system.close());

interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A client that keeps payloads as they come, by their first sample. */
class RawClient {
  readonly messages: Message[] = [];
  readonly payloads = new Map<number, Uint8Array>();
  deflated = 0;
  readonly socket: WebSocket;

  constructor(query: Record<string, string>) {
    const url = `${system.url.replace(/^http/, "ws")}/api/v1/stream?${new URLSearchParams(query)}`;
    this.socket = new WebSocket(url);
    this.socket.on("message", (data, isBinary) => {
      if (isBinary) this.#keep(new Uint8Array(data as Buffer));
      else this.messages.push(JSON.parse(String(data)) as Message);
    });
    this.socket.on("error", () => {});
    onTestFinished(() => this.socket.terminate());
  }

  async until(type: string): Promise<Message> {
    await expect.poll(() => this.messages.some((it) => it.type === type), { timeout: 10_000 }).toBe(true);
    return this.messages.find((it) => it.type === type) ?? { type };
  }

  send(...messages: object[]): void {
    for (const message of messages) this.socket.send(JSON.stringify(message));
  }

  get audio(): Buffer {
    return Buffer.concat([...this.payloads.values()]);
  }

  #keep(bytes: Uint8Array): void {
    const { firstSample, payload, deflated } = parseAudioFrame(bytes);
    if (deflated) this.deflated++;
    this.payloads.set(firstSample, deflated ? inflateRawSync(payload) : new Uint8Array(payload));
  }
}

async function speak(query: Record<string, string>): Promise<RawClient> {
  const client = new RawClient(query);
  await client.until("connected");
  client.send({ type: "text", text: TEXT, voice: VOICE, end: true });
  await client.until("stream_complete");
  return client;
}

const rendered = async (sampleRateHz: number) =>
  (await renderSpeech({ text: TEXT, voice: VOICE, sampleRateHz })).pcm;

async function inMulaw(): Promise<Buffer> {
  const pcm = await rendered(8_000);
  return Buffer.concat(openG711("mulaw").encode(new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2)));
}

describe("a native session", () => {
  test.each([8_000, 16_000, 44_100])("hears the very samples at %i Hz, and counts in them", async (hz) => {
    const client = await speak({ sample_rate: String(hz) });
    expect(await client.until("connected")).toMatchObject({ encoding: "pcm_s16le", sample_rate: hz });
    const pcm = await rendered(hz);
    expect(client.audio.equals(pcm)).toBe(true);
    expect(await client.until("stream_complete")).toMatchObject({ samples: pcm.length / 2 });
  });

  test("hears \u00b5-law at 8,000 Hz, one byte a sample, in frames of 20 ms for a telephone", async () => {
    const client = await speak({ encoding: "mulaw", frame_samples: "160" });
    expect(await client.until("connected")).toMatchObject({ encoding: "mulaw", sample_rate: 8_000 });
    expect(client.audio.equals(await inMulaw())).toBe(true);
    const lengths = [...client.payloads.values()].map(({ length }) => length);
    expect(new Set(lengths.slice(0, -1))).toEqual(new Set([160]));
  });

  test("that was cut goes on in the encoding it began with, without a sample lost", async () => {
    const client = new RawClient({ encoding: "mulaw", delivery: "paced", session_id: "call-1" });
    const { resume_token } = await client.until("connected");
    client.send({ type: "text", text: TEXT, voice: VOICE, end: true });
    await expect.poll(() => client.payloads.size).toBeGreaterThan(3);
    client.socket.terminate();
    const sample = client.audio.length;
    const again = new RawClient({ session_id: "call-1", resume: "true" });
    await new Promise((resolve) => again.socket.once("open", resolve));
    const { utterance_id } = await client.until("utterance_started");
    again.send({ type: "resume", resume_token, utterance_id, sample });
    expect(await again.until("connected")).toMatchObject({ encoding: "mulaw", sample_rate: 8_000 });
    await again.until("stream_complete");
    expect(Buffer.concat([client.audio, again.audio]).equals(await inMulaw())).toBe(true);
  });

  test("that asks for deflate gets frames deflated where that makes them smaller, each with its flag", async () => {
    const client = await speak({ compression: "deflate" });
    expect(await client.until("connected")).toMatchObject({ deflate: true });
    expect(client.deflated).toBeGreaterThan(0);
    expect(client.audio.equals(await rendered(24_000))).toBe(true);
  });

  test("that does not ask gets none (negative twin)", async () => {
    const client = await speak({});
    expect((await client.until("connected"))["deflate"]).toBeUndefined();
    expect(client.deflated).toBe(0);
  });

  test("is told which rates there are, and that \u00b5-law has one", async () => {
    for (const query of [
      "sample_rate=11025",
      "encoding=mp3",
      "encoding=mulaw&sample_rate=16000",
      "compression=zip",
    ]) {
      const socket = new WebSocket(`${system.url.replace(/^http/, "ws")}/api/v1/stream?${query}`);
      const status = await new Promise((resolve) => {
        socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
        socket.on("open", () => resolve("open"));
        socket.on("error", () => {});
      });
      socket.terminate();
      expect(status, query).toBe(400);
    }
  });
});
