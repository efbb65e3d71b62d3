import { samplesToMs } from "@tts-labs/core/audio/pcm";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type EdgeAlone, startEdgeAlone } from "../../harness/edge-alone.ts";
import { fakeSpeechOf } from "../../harness/fake-worker.ts";
import { NativeClient } from "../../harness/native-client.ts";

const TEXT = "The quick brown fox jumps over the lazy dog, twice.";

let alone: EdgeAlone;
beforeAll(async () => {
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl") });
});
afterAll(() => alone.close());

describe("a session of the native protocol", () => {
  test("speaks a text to the last sample, with words and totals", async () => {
    const client = await NativeClient.connect(alone.edge.url);
    const spoken = await client.speak(TEXT);
    const expected = fakeSpeechOf(TEXT);
    expect(spoken.pcm.equals(expected)).toBe(true);
    expect(spoken.words.map((it) => it.text).join(" ")).toBe(TEXT);
    const samples = expected.length / 2;
    expect(spoken.end).toMatchObject({
      type: "stream_complete",
      utterance: 1,
      characters: TEXT.length,
      samples,
      frames: Math.ceil(samples / 960),
      dropped_frames: 0,
      duration_ms: samplesToMs(samples, 24_000),
    });
    await client.close();
  });
});
