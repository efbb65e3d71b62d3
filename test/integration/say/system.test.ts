import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { SpeechClient } from "@tts-labs/client/speech-client";
import type { Utterance } from "@tts-labs/client/utterance";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simGermanAnna000000A";
const TEXT = "Guten Tag, wie geht es Ihnen?";
const SCRIPT = join(import.meta.dirname, "../../../scripts/say.ts");

async function pcmOf(utterance: Utterance): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const { samples } of utterance) parts.push(Buffer.from(samples.buffer));
  return Buffer.concat(parts);
}

const rendered = async (text: string) => (await renderSpeech({ text, voice: VOICE })).pcm;

describe("what people touch, with the whole system", () => {
  let system: System;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tts-say-"));
    system = await startSystem({ redisUrl: inject("redisUrl") });
  });
  afterAll(async () => {
    await system?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("say writes a WAV whose speech is the simulator's own, byte for byte", async () => {
    const args = [
      SCRIPT,
      TEXT,
      "--url",
      system.url,
      "--voice",
      "Anna",
      "--json",
      "--out",
      join(folder, "hello.wav"),
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const pcm = await rendered(TEXT);
    const wav = await readFile(join(folder, "hello.wav"));
    expect(wav.subarray(44).equals(pcm)).toBe(true);
    expect(wav.readUInt32LE(40)).toBe(pcm.length);
    const report: unknown = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
    expect(report).toMatchObject({ ok: true, samples: pcm.length / 2, characters: TEXT.length });
  });

  it("a client's utterances come whole and in order, after one was cancelled in mid-text", async () => {
    const client = await SpeechClient.connect({ url: system.url });
    const stray: string[] = [];
    client.on("error", ({ code }) => stray.push(code));
    try {
      let stopTyping = () => {};
      const typing = new Promise<void>((resolve) => {
        stopTyping = resolve;
      });
      async function* endless() {
        yield "Dieser Satz ist lang genug, dass die Stimme schon spricht, bevor er zu Ende ist. ";
        yield "Und er geht noch weiter, denn er soll ja unterbrochen werden. ";
        await typing;
      }
      const cancelled = client.speak(endless(), { voice: VOICE, chunkLengthSchedule: [50] });
      await expect.poll(() => cancelled.receivedSamples, { timeout: 10_000 }).toBeGreaterThan(0);
      expect(await cancelled.cancel()).toMatchObject({ outcome: "cancelled", playedSamples: 0 });

      const texts = ["Guten Tag.", "Auf Wiedersehen."];
      const speech = texts.map((text) => pcmOf(client.speak(text, { voice: VOICE })));
      for (const [i, pcm] of (await Promise.all(speech)).entries()) {
        expect(pcm.equals(await rendered(texts[i] ?? "")), texts[i]).toBe(true);
      }
      stopTyping();
      expect(stray).toEqual([]);
    } finally {
      await client.close();
    }
  });

  it("a refused opening leaves the session able to speak", async () => {
    const client = await SpeechClient.connect({ url: system.url });
    try {
      const refused = client.speak(["Ei", "ns"], { voice: "no such id" });
      const good = client.speak(TEXT, { voice: VOICE });
      await expect(refused.finished).rejects.toMatchObject({ code: "protocol.invalid_message" });
      expect((await pcmOf(good)).equals(await rendered(TEXT))).toBe(true);
    } finally {
      await client.close();
    }
  });
});
