import { createHmac } from "node:crypto";
import { openG711 } from "@tts-labs/edge/delivery/encoders/codecs/g711";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simEnglishGrace0000A";
const TEXT = "The river bends three times. Then it meets the sea, and nobody calls it a river any more.";
const SAMPLES_PER_MS = 8;
const MARK_MS = 200;

interface Call {
  readonly params: Readonly<Record<string, string>>;
  onHeard: (message: { type: string; heard_ms?: number; text_heard?: string; estimated?: boolean }) => void;
  say(text: string): Promise<void>;
  interrupt(): void;
}

interface Bridge {
  readonly port: number;
  close(): Promise<void>;
}

interface Example {
  startBridge(options: {
    readonly ttsUrl: string;
    readonly authToken?: string;
    readonly publicUrl?: string;
    readonly onCall: (call: Call) => void;
  }): Promise<Bridge>;
}

const { startBridge } = (await import(
  new URL("../../../examples/twilio/bridge.mjs", import.meta.url).href
)) as Example;

let system: System;
beforeAll(async () => {
  system = await startSystem({
    redisUrl: inject("redisUrl"),
    simulator: { timeScale: 0.2 },
    edge: { voice: VOICE },
  });
});
afterAll(() => system.close());

interface FromBridge {
  readonly event: "media" | "mark" | "clear";
  readonly streamSid: string;
  readonly media?: { readonly payload: string };
  readonly mark?: { readonly name: string };
}

/** Twilio's side of a call: what it is sent, in order. Marks are echoed when the test says so. */
class Telephone {
  readonly got: FromBridge[] = [];
  readonly #socket: WebSocket;

  constructor(port: number, headers: Record<string, string> = {}) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/twilio`, { headers });
    this.#socket.on("message", (data) => this.got.push(JSON.parse(String(data)) as FromBridge));
    this.#socket.on("error", () => {});
    onTestFinished(() => this.#socket.terminate());
  }

  async start(callSid: string, customParameters: Record<string, string> = {}): Promise<void> {
    await new Promise((resolve, reject) => {
      this.#socket.once("open", resolve);
      this.#socket.once("unexpected-response", (_, { statusCode }) =>
        reject(new Error(`refused: ${statusCode}`)),
      );
    });
    const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 };
    const start = {
      streamSid: "MZ1",
      accountSid: "AC1",
      callSid,
      tracks: ["inbound"],
      mediaFormat,
      customParameters,
    };
    this.#send({ event: "connected", protocol: "Call", version: "1.0.0" });
    this.#send({ event: "start", sequenceNumber: "1", streamSid: "MZ1", start });
  }

  echo(name: string): void {
    this.#send({ event: "mark", sequenceNumber: "9", streamSid: "MZ1", mark: { name } });
  }

  hangUp(): void {
    this.#send({ event: "stop", sequenceNumber: "10", streamSid: "MZ1", stop: { callSid: "CA1" } });
  }

  get payloads(): Buffer[] {
    return this.got.flatMap(({ media }) =>
      media === undefined ? [] : [Buffer.from(media.payload, "base64")],
    );
  }

  get marks(): string[] {
    return this.got.flatMap(({ mark }) => (mark === undefined ? [] : [mark.name]));
  }

  #send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }
}

async function open(onCall: (call: Call) => void, more: { authToken?: string; publicUrl?: string } = {}) {
  const bridge = await startBridge({ ttsUrl: system.url, onCall, ...more });
  onTestFinished(() => bridge.close());
  return bridge;
}

async function inMulaw(): Promise<Buffer> {
  const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE, sampleRateHz: 8_000 });
  return Buffer.concat(openG711("mulaw").encode(new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2)));
}

describe("the example of a telephone call", () => {
  test("speaks the very speech in \u00b5-law, in frames of 20 ms without a header, with a mark every 200 ms", async () => {
    const bridge = await open((call) => void call.say(call.params["text"] ?? ""));
    const phone = new Telephone(bridge.port);
    const beganAtMs = performance.now();
    await phone.start("CA-whole", { text: TEXT });
    const speech = await inMulaw();
    const isWhole = () => Buffer.concat(phone.payloads).length >= speech.length;
    await expect.poll(isWhole, { timeout: 20_000, interval: 20 }).toBe(true);
    expect(Buffer.concat(phone.payloads).equals(speech)).toBe(true);
    expect(new Set(phone.payloads.slice(0, -1).map(({ length }) => length))).toEqual(new Set([160]));
    // In real time: what is sent is never more than a second ahead.
    const speechMs = speech.length / SAMPLES_PER_MS;
    expect(performance.now() - beganAtMs).toBeGreaterThan(speechMs - 1_000);
    await expect.poll(() => phone.marks.length).toBe(Math.ceil(speechMs / MARK_MS));
    expect(phone.got.every(({ streamSid }) => streamSid === "MZ1")).toBe(true);
    phone.hangUp();
    await expect.poll(() => system.edges[0]?.counts()).toMatchObject({ sessions: 0, utterances: 0 });
  });

  test("an interruption clears what is buffered, and what was heard goes by the last mark before it", async () => {
    const heard: { type: string; heard_ms?: number; text_heard?: string }[] = [];
    let call: Call | undefined;
    const bridge = await open((started) => {
      call = started;
      started.onHeard = (message) => heard.push(message);
      void started.say(TEXT);
    });
    const phone = new Telephone(bridge.port);
    await phone.start("CA-cut");
    await expect.poll(() => phone.marks.length, { timeout: 10_000 }).toBeGreaterThan(7);
    const [, , , , fifth = ""] = phone.marks;
    for (const name of phone.marks.slice(0, 5)) phone.echo(name);
    // The edge has it: it is told before the cancel, over the same connection.
    await new Promise((resolve) => setTimeout(resolve, 100));
    call?.interrupt();
    // Twilio gives back the marks that it has thrown away, which were not heard.
    await expect.poll(() => phone.got.some(({ event }) => event === "clear")).toBe(true);
    for (const name of phone.marks.slice(5)) phone.echo(name);
    await expect.poll(() => heard.length).toBe(1);
    const playedMs = Number(fifth.split(":")[1]);
    expect(heard[0]).toMatchObject({ type: "cancelled" });
    expect(Math.abs((heard[0]?.heard_ms ?? 0) - playedMs)).toBeLessThanOrEqual(MARK_MS);
    expect(TEXT.startsWith(heard[0]?.text_heard ?? "nothing")).toBe(true);
    const before = phone.payloads.length;
    phone.hangUp();
    await expect.poll(() => system.edges[0]?.counts()).toMatchObject({ sessions: 0, utterances: 0 });
    expect(phone.payloads.length - before).toBeLessThan(2);
  });

  test("a caller that is not Twilio is refused where the account's token is known", async () => {
    const authToken = "secret";
    const publicUrl = "wss://calls.example.com";
    const bridge = await open((call) => void call.say("Hi."), { authToken, publicUrl });
    await expect(new Telephone(bridge.port).start("CA-stranger")).rejects.toThrow("refused: 403");
    const signature = createHmac("sha1", authToken).update(`${publicUrl}/twilio`).digest("base64");
    const phone = new Telephone(bridge.port, { "x-twilio-signature": signature });
    await phone.start("CA-known");
    await expect.poll(() => phone.payloads.length).toBeGreaterThan(0);
  });
});
