/**
 * A language model's tokens are spoken as they come; words are written when they are spoken, and raw samples go to standard
 * output: `node tokens.mjs | aplay -f S16_LE -r 24000`. TTS_URL names the server.
 */
import { SpeechClient } from "@tts-labs/client";

/** Your model stands here; any (async) iterable of strings will do. */
async function* tokens() {
  for (const token of ["Speech", " begins", " before", " the", " text", " is", " complete", "."]) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    yield token;
  }
}

const client = await SpeechClient.connect({ url: process.env.TTS_URL ?? "http://localhost:8006" });
try {
  const speech = client.speak(tokens());
  speech.on("words", (words) => {
    for (const { text, startMs } of words) console.error(`${(startMs / 1000).toFixed(2)} s  ${text}`);
  });
  for await (const bytes of speech.stream()) process.stdout.write(bytes);
  const { outcome } = await speech.finished;
  console.error(outcome);
} finally {
  await client.close();
}
