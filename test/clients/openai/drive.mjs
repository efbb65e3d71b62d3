// Speaks through OpenAI's own client and prints what came of each call as JSON.
import OpenAI from "openai";

const { baseURL, calls } = JSON.parse(process.argv[2]);

const methods = {
  speech: async (client, { request, options }) => {
    const response = await client.audio.speech.create(request, options);
    return {
      contentType: response.headers.get("content-type"),
      requestId: response.headers.get("x-request-id"),
      audio: Buffer.from(await response.arrayBuffer()).toString("base64"),
    };
  },
  events: async (client, { request }) => {
    const events = [];
    try {
      const stream = await client.post("/audio/speech", {
        body: { ...request, stream_format: "sse" },
        stream: true,
      });
      for await (const event of stream) events.push(event);
    } catch (error) {
      return { events, error: toError(error) };
    }
    return { events };
  },
  abort: async (client, { request }) => {
    const away = new AbortController();
    const response = await client.audio.speech.create(request, { signal: away.signal });
    await response.body.getReader().read();
    away.abort();
    return {};
  },
  models: async (client) => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return { ids };
  },
  model: async (client, { id }) => client.models.retrieve(id),
};

const toError = (error) => ({
  name: error.constructor.name,
  message: error.message,
  status: error.status,
  code: error.code,
  type: error.type,
  param: error.param,
  requestID: error.requestID,
  cause: error.cause?.message,
});

const results = [];
for (const call of calls) {
  const client = new OpenAI({ baseURL, apiKey: "k", maxRetries: call.maxRetries ?? 0 });
  try {
    results.push({ value: await methods[call.method](client, call) });
  } catch (error) {
    results.push({ error: toError(error) });
  }
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));
