/**
 * A chat model's answer is spoken while it is being written: each token goes to the edge as it comes, and the words are told as
 * they are spoken. `node chat-to-speech.mjs "Why is the sky blue?" answer.wav`
 *
 * The model: OPENAI_API_KEY, and OPENAI_BASE_URL and OPENAI_MODEL where it is another's. The edge: TTS_URL, TTS_API_KEY.
 */
import { writeFile } from "node:fs/promises";
import { SpeechClient } from "@tts-labs/client";
import OpenAI from "openai";

const { TTS_URL = "http://localhost:8006", OPENAI_MODEL = "gpt-5-mini" } = process.env;
const [question = "Why is the sky blue?", file = "answer.wav"] = process.argv.slice(2);

/** The answer's text, piece by piece. */
async function* answerTo(content) {
  const chat = await new OpenAI().chat.completions.create({
    model: OPENAI_MODEL,
    messages: [{ role: "user", content }],
    stream: true,
  });
  for await (const { choices } of chat) yield choices[0]?.delta?.content ?? "";
}

const client = await SpeechClient.connect({ url: TTS_URL });
try {
  const speech = client.speak(answerTo(question));
  speech.on("words", (words) => {
    for (const { text, startMs } of words) console.error(`${(startMs / 1_000).toFixed(2)} s  ${text}`);
  });
  await writeFile(file, await speech.toWav());
  const { durationMs, firstAudioMs } = await speech.finished;
  console.log(JSON.stringify({ file, durationMs, firstAudioMs }));
} finally {
  await client.close();
}
