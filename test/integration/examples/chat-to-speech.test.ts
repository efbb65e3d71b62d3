import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { beforeAll, expect, inject, onTestFinished, test } from "vitest";
import { ForeignClient } from "../../../testkit/clients/foreign-client.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simEnglishGrace0000A";
const ANSWER = "Because small things scatter short waves. Blue is short, so it comes from everywhere.";
const INSTALL_LIMIT_MS = 400_000;

let openai: ForeignClient;
beforeAll(async () => {
  openai = await ForeignClient.install("openai");
}, INSTALL_LIMIT_MS);

/** A chat model that writes `ANSWER` token by token. @returns its base URL */
async function startChat(): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const content of ANSWER.match(/\s?\S+/g) ?? []) {
      const chunk = { id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta: { content } }] };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    }
    response.end("data: [DONE]\n\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

test("the example that speaks a chat model's answer speaks all of it, into a WAV with its true length", async () => {
  const system = await startSystem({
    redisUrl: inject("redisUrl"),
    simulator: { timeScale: 0.2 },
    edge: { voice: VOICE },
  });
  onTestFinished(() => system.close());
  const code = await readFile("examples/chat-to-speech/chat-to-speech.mjs", "utf8");
  const files = await openai.run(code, ["answer.wav"], {
    TTS_URL: system.url,
    OPENAI_BASE_URL: await startChat(),
    OPENAI_API_KEY: "k",
  });
  const wav = files["answer.wav"] ?? Buffer.alloc(44);
  const { pcm } = await renderSpeech({ text: ANSWER, voice: VOICE });
  expect(wav.readUInt32LE(40)).toBe(wav.length - 44);
  // Token by token the first clause is spoken by itself, a little differently.
  expect(Math.abs(wav.length - 44 - pcm.length) / 48).toBeLessThan(1_500);
});
