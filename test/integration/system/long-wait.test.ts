import { SpeechClient } from "@tts-labs/client/speech-client";
import { expect, inject, onTestFinished, test } from "vitest";
import { startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simGermanAnna000000A";
/** Speech of some 12 s. */
const LONG = "Dies ist ein Satz, der ein wenig dauert. ".repeat(4);
/** Shorter than that by far. */
const STREAM_TTL_MS = 6_000;

test("speech that was complete long before its turn is whole when its turn comes", async () => {
  // What waits is looked after at a third of the resume window.
  const lives = { streamTtlMs: STREAM_TTL_MS };
  const system = await startSystem({
    redisUrl: inject("redisUrl"),
    edge: { ...lives, resumeWindowMs: 3_000 },
    worker: lives,
  });
  onTestFinished(() => system.close());
  const client = await SpeechClient.connect({ url: system.url, delivery: "paced" });
  onTestFinished(async () => void (await client.close()));
  const speeches = [LONG, "Guten Tag.", "Und noch etwas.", "Vier.", "Und fünf."].map((text) =>
    client.speak(text, { voice: VOICE }),
  );
  for (const speech of speeches) speech.on("audio", () => {});
  const totals = await Promise.all(speeches.map(({ finished }) => finished));
  expect(totals.map(({ outcome }) => outcome)).toEqual(Array(5).fill("completed"));
  // The second one's speech has waited for longer than Redis keeps what nothing touches.
  expect(totals[0]?.durationMs).toBeGreaterThan(STREAM_TTL_MS + 3_000);
});
