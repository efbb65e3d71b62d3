// Speaks through Vercel's AI SDK and prints what came of each call as JSON.
import { createGateway } from "@ai-sdk/gateway";
import { createOpenAI } from "@ai-sdk/openai";
import { experimental_generateSpeech as generateSpeech, experimental_streamSpeech as streamSpeech } from "ai";
import WebSocket from "ws";

const { origin, calls } = JSON.parse(process.argv[2]);
process.on("unhandledRejection", () => {});

const gatewayOf = ({ apiKey = "k", webSocket = "native" }) =>
  createGateway({
    baseURL: `${origin}/v4/ai`,
    apiKey,
    ...(webSocket === "ws" ? { webSocket: WebSocket } : {}),
  });

async function* partsOf(texts, pauseMs) {
  for (const text of texts) {
    yield text;
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

const methods = {
  stream: async (call) => {
    const { texts, model, request = {}, pauseMs = 0, breakAfterBytes, abortAfterBytes } = call;
    const away = new AbortController();
    const result = streamSpeech({
      model: gatewayOf(call).experimental_speech(model),
      text: partsOf(texts, pauseMs),
      onError: () => {},
      abortSignal: away.signal,
      ...request,
    });
    const parts = [];
    const words = [];
    let bytes = 0;
    try {
      for await (const part of result.fullStream) {
        if (part.type === "error") throw part.error;
        words.push(...(part.providerMetadata?.tts?.words ?? []));
        if (part.type !== "audio") continue;
        const audio = Buffer.from(part.audio.uint8Array ?? part.audio);
        parts.push(audio);
        bytes += audio.length;
        if (bytes >= breakAfterBytes) break;
        if (bytes >= abortAfterBytes) away.abort();
      }
    } catch (error) {
      return { error: toError(error), bytes };
    }
    const isWhole = breakAfterBytes === undefined;
    return {
      audio: Buffer.concat(parts).toString("base64"),
      words,
      usage: isWhole ? await result.usage : undefined,
      responses: isWhole ? await result.responses : undefined,
      warnings: isWhole ? await result.warnings : undefined,
    };
  },
  generate: async ({ of, model, request, ...call }) => {
    const openai = createOpenAI({ baseURL: `${origin}/v1`, apiKey: "k" });
    const speech = of === "openai" ? openai.speech(model) : gatewayOf(call).experimental_speech(model);
    const { audio, warnings, responses } = await generateSpeech({ model: speech, maxRetries: 0, ...request });
    return {
      audio: Buffer.from(audio.uint8Array).toString("base64"),
      mediaType: audio.mediaType,
      warnings,
      responses,
    };
  },
  token: async ({ model, seconds, ...call }) => {
    const { token, url, expiresAt } = await gatewayOf(call).experimental_speech.getToken({
      model,
      expiresAfterSeconds: seconds,
    });
    return { token, url, expiresAt };
  },
};

const toError = (error) => ({
  name: error.constructor.name,
  message: error.message,
  statusCode: error.statusCode,
  type: error.type,
  cause: error.cause?.message,
});

const results = [];
for (const call of calls) {
  const limit = new Promise((resolve) => setTimeout(() => resolve({ hangs: true }), call.limitMs ?? 30_000));
  results.push(
    await Promise.race([methods[call.method](call).catch((error) => ({ error: toError(error) })), limit]),
  );
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));
