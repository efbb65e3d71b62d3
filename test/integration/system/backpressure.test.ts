import { silentLogger } from "@tts-labs/core/logger";
import { openRedis } from "@tts-labs/core/redis/client";
import { MAX_ENTRY_BYTES } from "@tts-labs/protocol/limits";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { expect, inject, it, onTestFinished } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

const VOICE = "simGermanAnna000000A";
const STREAM_MAX_BYTES = 256 * 1024;

/** About three minutes of speech, far more than all buffers between provider and client together. */
const LONG_TEXT = Array.from(
  { length: 60 },
  (_, i) => `Dies ist der Satz mit der Nummer ${i + 1}, und er ist nicht kurz.`,
).join(" ");

it("a client that stops reading holds everything up to the provider, and loses nothing when it reads again", async () => {
  const redisUrl = inject("redisUrl");
  const system = await startSystem({
    redisUrl,
    worker: { audioStreamMaxBytes: STREAM_MAX_BYTES },
    simulator: { timeScale: 0 },
  });
  onTestFinished(() => system.close());
  const redis = openRedis({ url: redisUrl, purpose: "commands", logger: silentLogger });
  onTestFinished(() => redis.disconnect());

  const client = await NativeClient.connect(system.url, {}, { limitMs: 40_000 });
  client.send({ type: "text", text: LONG_TEXT, voice: VOICE });
  client.send({ type: "stream_end" });
  await client.until("the first audio", () => client.received(1).frames[0]);
  client.pause();

  // The chain stands still: nothing more is appended, although the provider has most of the audio to give.
  let tail = -1;
  await expect
    .poll(
      async () => {
        const before = tail;
        tail = await storedBytes();
        return tail > 0 && tail === before;
      },
      { interval: 500, timeout: 20_000 },
    )
    .toBe(true);

  // The bound, and the last entry that was released: it tells a new owner where to go on.
  expect(await storedBytes()).toBeLessThanOrEqual(STREAM_MAX_BYTES + 1.25 * MAX_ENTRY_BYTES);
  expect(await metric(system.opsUrl, "tts_edge_queued_frames")).toBeLessThanOrEqual(20);
  expect(system.simulator.report()).toMatchObject({ generating: { now: 1 } });

  client.resume();
  const spoken = await client.utterance(1);
  const { pcm } = await renderSpeech({ text: LONG_TEXT, voice: VOICE, sampleRateHz: 24_000 });
  expect(pcm.byteLength).toBeGreaterThan(4 * STREAM_MAX_BYTES);
  expect(spoken.pcm.equals(pcm)).toBe(true);
  await client.close();

  /** Heads and bodies of the entries that Redis holds of the utterance's audio. */
  async function storedBytes(): Promise<number> {
    let bytes = 0;
    for (const key of await redis.keys(`${system.keyPrefix}:stream:*audio:*`)) {
      if ((await redis.type(key)) !== "stream") continue;
      for (const [, fields] of await redis.xrangeBuffer(key, "-", "+")) {
        bytes += fields.reduce((sum, field) => sum + field.byteLength, 0);
      }
    }
    return bytes;
  }
});
