import type { AudioChunk } from "@tts-labs/client/frame-queue";
import { toByteStream, toWav } from "@tts-labs/client/sound-file";
import { describe, expect, it } from "vitest";
import { humOf, splicedHumOf } from "../../../testkit/speech/hum.ts";
import { codeOf, hanging, openBoth, TEXT } from "./client-fixture.ts";

const SPLICE = { at: 24_000, from: 21_120 };

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const pcmOf = (samples: Int16Array) => Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);

async function* chunks(...all: readonly (readonly [number, readonly number[], true?])[]) {
  for (const [firstSample, samples, splice] of all) {
    const chunk: AudioChunk = { firstSample, samples: Int16Array.from(samples), last: false };
    yield splice === true ? { ...chunk, splice } : chunk;
  }
}

describe("an utterance as a WAV", () => {
  it("states its true lengths and holds every sample", async () => {
    const { client } = await openBoth();
    const wav = Buffer.from(await client.speak(TEXT).toWav());
    const pcm = pcmOf(humOf(TEXT).pcm);
    expect(wav.subarray(0, 4).toString("latin1")).toBe("RIFF");
    expect(wav.readUInt32LE(4)).toBe(wav.length - 8);
    expect(wav.readUInt32LE(24)).toBe(client.session.sample_rate);
    expect(wav.readUInt32LE(40)).toBe(pcm.length);
    expect(wav.subarray(44).equals(pcm)).toBe(true);
  });

  it("has what a splice put in the place of what it replaced", async () => {
    const { client } = await openBoth({ troubles: { splice: SPLICE } });
    const wav = Buffer.from(await client.speak(TEXT).toWav());
    expect(wav.subarray(44).equals(pcmOf(splicedHumOf(TEXT, SPLICE.from)))).toBe(true);
    const short = await toWav(chunks([0, [1, 2, 3, 4]], [2, [9], true]), 24_000);
    expect([...new Int16Array(short.slice(44).buffer)]).toEqual([1, 2, 9]);
  });

  it("is refused with the error that ended the utterance", async () => {
    const { client } = await openBoth({ onMessage: hanging });
    const wav = client.speak(TEXT).toWav();
    await client.close();
    expect(await codeOf(wav)).toBe("client.closed");
  });
});

describe("an utterance as a stream of bytes", () => {
  it("gives every sample, little-endian", async () => {
    const { client } = await openBoth();
    expect((await bytesOf(client.speak(TEXT).stream())).equals(pcmOf(humOf(TEXT).pcm))).toBe(true);
  });

  it("passes over what it can't take back", async () => {
    const stream = toByteStream(chunks([0, [1, 2, 3, 4]], [2, [9], true], [3, [9, 5]], [5, [6]]));
    expect([...new Int16Array(Uint8Array.from(await bytesOf(stream)).buffer)]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("cancels the utterance when its reader goes away", async () => {
    const { client } = await openBoth({ onMessage: hanging }, { cancelTimeoutMs: 20 });
    const utterance = client.speak(TEXT);
    const reader = utterance.stream().getReader();
    expect((await reader.read()).value?.length).toBe(48_000);
    await reader.cancel();
    expect(await utterance.finished).toMatchObject({ outcome: "cancelled" });
  });
});
