import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

/** The provider's socket dies once in the middle of every utterance here. */
const TEXT = "Whatever happens on the way, every word of this sentence arrives, and each of them once.";
const VOICE = "simEnglishGrace0000A";
const WAV_HEADER_BYTES = 44;

let system: System;
let rendered: Buffer;
beforeAll(async () => {
  system = await startSystem({
    redisUrl: inject("redisUrl"),
    // No socket is open before the fault is ordered.
    worker: { poolWarm: 0 },
    simulator: { timeScale: 0.2 },
  });
  rendered = (await renderSpeech({ voice: VOICE, text: TEXT })).pcm;
});
afterAll(() => system.close());
beforeEach(() => {
  system.simulator.reset();
  system.simulator.setFault({ name: "drop-after-audio", afterMs: 2_150 }, 1);
});

const synthesize = (accept: string) =>
  fetch(new URL("/api/v1/synthesize", system.url), {
    method: "POST",
    headers: { "content-type": "application/json", accept },
    body: JSON.stringify({ text: TEXT, voice: VOICE }),
  });

/** The start of the second part: the samples before are those of an undisturbed rendering. */
function commonSamples(pcm: Buffer): number {
  let at = 0;
  while (at < pcm.byteLength && pcm[at] === rendered[at]) at++;
  return Math.floor(at / 2);
}

test("on a socket: the splice is flagged and counted, and what follows is the rest's own rendering", async () => {
  const client = await NativeClient.connect(system.url);
  const spoken = await client.speak(TEXT, { voice: VOICE });
  const [splice] = spoken.splices;
  expect(spoken.end).toMatchObject({
    type: "stream_complete",
    splices: 1,
    samples: spoken.pcm.byteLength / 2,
    replaced_samples: splice?.replacedSamples,
  });
  expect(spoken.words.map(({ text }) => text)).toEqual(TEXT.split(" "));
  const word = spoken.words.findIndex(({ start_ms }) => start_ms >= (splice?.firstSample ?? 0) / 24 - 1);
  const rest = await renderSpeech({ voice: VOICE, text: TEXT.split(" ").slice(word).join(" ") });
  expect(spoken.pcm.subarray((splice?.firstSample ?? 0) * 2).equals(rest.pcm)).toBe(true);
  await client.close();
});

test("as JSON: put together as a player would, each word once", async () => {
  const answer = (await (await synthesize("application/json")).json()) as {
    audio: string;
    samples: number;
    words: { text: string }[];
  };
  const pcm = Buffer.from(answer.audio, "base64");
  expect(pcm.byteLength).toBe(answer.samples * 2);
  expect(answer.words.map(({ text }) => text)).toEqual(TEXT.split(" "));
  expect(commonSamples(pcm)).toBeGreaterThan(1_000 * 24);
  expect(pcm.equals(rendered)).toBe(false);
});

test("as a WAV: joined on within the word, no longer than the clock says", async () => {
  const client = await NativeClient.connect(system.url);
  const { pcm } = await client.speak(TEXT, { voice: VOICE });
  await client.close();
  system.simulator.setFault({ name: "drop-after-audio", afterMs: 2_150 }, 1);
  const wav = Buffer.from(await (await synthesize("audio/wav")).arrayBuffer()).subarray(WAV_HEADER_BYTES);
  expect(wav.byteLength).toBe(pcm.byteLength);
  // It keeps what was sent up to the break, and ends as the other does.
  expect(commonSamples(wav)).toBeGreaterThanOrEqual(2_150 * 24);
  expect(wav.subarray(-24_000).equals(pcm.subarray(-24_000))).toBe(true);
});
