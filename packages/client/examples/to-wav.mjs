/** A text as a WAV file: `node to-wav.mjs "Good morning." hello.wav`. TTS_URL names the server. */
import { writeFile } from "node:fs/promises";
import { SpeechClient } from "@tts-labs/client";

const [text = "Good morning, how are you?", file = "speech.wav"] = process.argv.slice(2);
const client = await SpeechClient.connect({ url: process.env.TTS_URL ?? "http://localhost:8006" });
try {
  // Of any length: a sentence or a book.
  const speech = client.speakAll(text);
  await writeFile(file, await speech.toWav());
  const { durationMs, firstAudioMs } = await speech.finished;
  console.log(
    `${file}: ${(durationMs / 1000).toFixed(2)} s, first audio after ${firstAudioMs?.toFixed(0)} ms`,
  );
} finally {
  await client.close();
}
