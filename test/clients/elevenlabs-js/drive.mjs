// Runs calls of ElevenLabs' own client, one after the other, and prints what came of them as JSON.
import { ElevenLabsClient } from "@elevenlabs/elevenlabs-js";

const { baseUrl, calls } = JSON.parse(process.argv[2]);
const client = new ElevenLabsClient({ baseUrl, apiKey: "sk_any", maxRetries: 0 });

async function bytesOf(stream) {
  const parts = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return { audio: Buffer.concat(parts).toString("base64") };
}

async function timedOf(stream) {
  const lines = [];
  for await (const line of stream) lines.push(line);
  return { lines };
}

const run = {
  convert: async ({ voice, request }) => bytesOf(await client.textToSpeech.convert(voice, request)),
  stream: async ({ voice, request }) => bytesOf(await client.textToSpeech.stream(voice, request)),
  convertWithTimestamps: ({ voice, request }) => client.textToSpeech.convertWithTimestamps(voice, request),
  streamWithTimestamps: async ({ voice, request }) =>
    timedOf(await client.textToSpeech.streamWithTimestamps(voice, request)),
  headers: async ({ voice, request }) => {
    const { rawResponse } = await client.textToSpeech.stream(voice, request).withRawResponse();
    return Object.fromEntries(rawResponse.headers);
  },
  models: () => client.models.list(),
  searchVoices: ({ request }) => client.voices.search(request),
  allVoices: () => client.voices.getAll(),
  voice: ({ voice }) => client.voices.get(voice),
  voiceSettings: ({ voice }) => client.voices.settings.get(voice),
  defaultSettings: () => client.voices.settings.getDefault(),
  user: () => client.user.get(),
  subscription: () => client.user.subscription.get(),
  token: ({ type }) => client.tokens.singleUse.create(type),
};

const results = [];
for (const call of calls) {
  try {
    results.push({ value: await run[call.method](call) });
  } catch (error) {
    const { name, message, statusCode, body } = error;
    results.push({ error: { name, message, statusCode, body } });
  }
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));
