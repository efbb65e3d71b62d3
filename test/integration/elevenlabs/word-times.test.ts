import { WordCutter } from "@tts-labs/core/audio/alignment";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { JsonSocketClient } from "../../../testkit/clients/json-socket.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simGermanAnna000000A";
const TEXT =
  "Der Fluss macht drei Bögen, und dann trifft er das Meer. Niemand nennt ihn dort noch einen Fluss! Warum auch?";
const NEAR_MS = 20;

interface TimedWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

let system: System;
let native: readonly TimedWord[];
beforeAll(async () => {
  system = await startSystem({ redisUrl: inject("redisUrl"), simulator: { timeScale: 0 } });
  const client = await NativeClient.connect(system.url);
  const spoken = await client.speak(TEXT, { voice: VOICE });
  await client.close();
  native = spoken.words.map(({ text, start_ms, end_ms }) => ({ text, startMs: start_ms, endMs: end_ms }));
});
afterAll(() => system.close());

interface Marks {
  readonly chars: readonly string[];
  readonly startMs: readonly number[];
  readonly durationMs: readonly number[];
}

function wordsOf(marks: readonly Marks[]): readonly TimedWord[] {
  const cutter = new WordCutter();
  return [...marks.flatMap((it) => cutter.push(it)), ...cutter.finish()];
}

function expectNear(words: readonly TimedWord[]): void {
  expect(words.map(({ text }) => text)).toEqual(native.map(({ text }) => text));
  for (const [i, { startMs, endMs }] of words.entries()) {
    const of = native[i];
    expect(Math.abs(startMs - (of?.startMs ?? 0)), `${of?.text} begins`).toBeLessThanOrEqual(NEAR_MS);
    expect(Math.abs(endMs - (of?.endMs ?? 0)), `${of?.text} ends`).toBeLessThanOrEqual(NEAR_MS);
  }
}

/** As the sockets tell them, put on the clock of the audio by a client that counts it. */
function ofSocket(client: JsonSocketClient, base: "context" | "segment"): readonly Marks[] {
  let beforeMs = 0;
  return client.messages.flatMap((message) => {
    const fromMs = base === "context" ? 0 : beforeMs;
    if (typeof message["audio"] === "string") beforeMs += Buffer.from(message["audio"], "base64").length / 48;
    const told = message["alignment"] as {
      readonly chars: string[];
      readonly charStartTimesMs: number[];
      readonly charDurationsMs: number[];
    } | null;
    if (told === null || told === undefined) return [];
    const startMs = told.charStartTimesMs.map((start) => start + fromMs);
    return [{ chars: told.chars, startMs, durationMs: told.charDurationsMs }];
  });
}

describe("words are told within 20 ms of where the native protocol has them", () => {
  test.each(["with-timestamps", "stream/with-timestamps"])("over HTTP, %s", async (form) => {
    const response = await fetch(`${system.url}/v1/text-to-speech/${VOICE}/${form}?output_format=pcm_24000`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: TEXT }),
    });
    const lines = (await response.text())
      .trim()
      .split("\n")
      .map(
        (line) =>
          JSON.parse(line) as {
            alignment: {
              readonly characters: string[];
              readonly character_start_times_seconds: number[];
              readonly character_end_times_seconds: number[];
            } | null;
          },
      );
    const marks = lines.flatMap(({ alignment }) => {
      if (alignment === null) return [];
      const startMs = alignment.character_start_times_seconds.map((it) => it * 1_000);
      const durationMs = alignment.character_end_times_seconds.map(
        (end, i) => end * 1_000 - (startMs[i] ?? 0),
      );
      return [{ chars: alignment.characters, startMs, durationMs }];
    });
    expectNear(wordsOf(marks));
  });

  test.each(["segment", "context"] as const)("over stream-input, from the start of the %s", async (base) => {
    const client = await JsonSocketClient.open(
      system.url,
      `/v1/text-to-speech/${VOICE}/stream-input?output_format=pcm_24000&alignment_base=${base}`,
    );
    client.send({ text: " " }, { text: `${TEXT} ` }, { text: "" });
    await expect.poll(() => client.closed?.code).toBe(1000);
    expectNear(wordsOf(ofSocket(client, base)));
  });

  test("over multi-stream-input", async () => {
    const client = await JsonSocketClient.open(
      system.url,
      `/v1/text-to-speech/${VOICE}/multi-stream-input?output_format=pcm_24000`,
    );
    client.send({ text: `${TEXT} `, context_id: "a", flush: true }, { context_id: "a", close_context: true });
    await expect.poll(() => client.messages.some((it) => it["isFinal"] === true)).toBe(true);
    client.close();
    expectNear(wordsOf(ofSocket(client, "context")));
  });
});
