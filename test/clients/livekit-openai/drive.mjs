// Speaks through LiveKit's OpenAI plugin and prints what came of it as JSON.
import { initializeLogger } from "@livekit/agents";
import { TTS } from "@livekit/agents-plugin-openai";

const { baseURL, turns } = JSON.parse(process.argv[2]);
initializeLogger({ pretty: false, level: "silent" });
process.on("unhandledRejection", () => {});

const tts = new TTS({ apiKey: "k", baseURL });
const errors = [];
tts.on("error", (event) => errors.push({ message: String(event.error), recoverable: event.recoverable }));

async function speak({ text }) {
  const parts = [];
  let sampleRate = 0;
  for await (const { frame } of tts.synthesize(text)) {
    const { data } = frame;
    sampleRate = frame.sampleRate;
    parts.push(Buffer.from(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)));
  }
  return { audio: Buffer.concat(parts).toString("base64"), sampleRate };
}

const results = [];
for (const turn of turns) {
  const limit = new Promise((resolve) => setTimeout(() => resolve({ hangs: true }), turn.limitMs ?? 30_000));
  results.push(await Promise.race([speak(turn).catch((error) => ({ error: String(error) })), limit]));
}
process.stdout.write(JSON.stringify({ results, errors }), () => process.exit(0));
