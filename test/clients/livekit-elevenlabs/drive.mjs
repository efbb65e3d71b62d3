// Speaks through LiveKit's ElevenLabs plugin and prints what came of it as JSON.
import { initializeLogger } from "@livekit/agents";
import { TTS } from "@livekit/agents-plugin-elevenlabs";

const { baseURL, options, turns } = JSON.parse(process.argv[2]);
initializeLogger({ pretty: false, level: "silent" });
process.on("unhandledRejection", () => {});

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const tts = new TTS({ apiKey: "sk_any", baseURL, ...options });
const errors = [];
tts.on("error", (event) => errors.push({ message: String(event.error), recoverable: event.recoverable }));

function gather() {
  const parts = [];
  const words = [];
  return {
    take: ({ frame, timedTranscripts = [] }) => {
      const { data } = frame;
      parts.push(Buffer.from(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)));
      for (const { text, startTime, endTime } of timedTranscripts) words.push({ text, startTime, endTime });
    },
    get bytes() {
      return parts.reduce((sum, part) => sum + part.length, 0);
    },
    result: () => ({ audio: Buffer.concat(parts).toString("base64"), words }),
  };
}

async function streamed({ texts, interruptAtBytes, pauseMs = 0 }) {
  const stream = tts.stream();
  const heard = gather();
  const pushing = (async () => {
    for (const text of texts) {
      stream.pushText(text);
      if (pauseMs > 0) await pause(pauseMs);
    }
    if (interruptAtBytes === undefined) stream.endInput();
  })();
  for await (const audio of stream) {
    if (typeof audio === "symbol") continue;
    heard.take(audio);
    if (interruptAtBytes !== undefined && heard.bytes >= interruptAtBytes) break;
  }
  await pushing;
  stream.close();
  return heard.result();
}

async function chunked({ text }) {
  const heard = gather();
  for await (const audio of tts.synthesize(text)) heard.take(audio);
  return heard.result();
}

const results = [];
for (const turn of turns) {
  const limit = pause(turn.limitMs ?? 20_000).then(() => ({ hangs: true }));
  const speaking = turn.kind === "chunked" ? chunked(turn) : streamed(turn);
  results.push(await Promise.race([speaking.catch((error) => ({ error: String(error) })), limit]));
  if (turn.restMs !== undefined) await pause(turn.restMs);
}
process.stdout.write(JSON.stringify({ results, errors }), () => process.exit(0));
