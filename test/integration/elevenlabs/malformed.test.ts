import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { JsonSocketClient } from "../../../testkit/clients/json-socket.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";

const VOICE = "simEnglishGrace0000A";
const FORMAT = "output_format=pcm_24000";
const NEIGHBOUR = "The neighbour speaks on.";

let alone: EdgeAlone;
let neighbour: JsonSocketClient;
let turn = 0;
beforeAll(async () => {
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl") });
  neighbour = await JsonSocketClient.open(
    alone.edge.url,
    `/v1/text-to-speech/${VOICE}/multi-stream-input?${FORMAT}&inactivity_timeout=180`,
  );
});
/** Beside whatever was wrong, another connection speaks and hears every sample. */
afterEach(async () => {
  const id = `turn-${turn++}`;
  neighbour.send({ text: NEIGHBOUR, context_id: id, flush: true }, { context_id: id, close_context: true });
  await expect.poll(() => neighbour.of(id).some((it) => it["isFinal"] === true)).toBe(true);
  expect(neighbour.audio(id).equals(fakeSpeechOf(NEIGHBOUR))).toBe(true);
  await expect.poll(() => alone.edge.counts()).toMatchObject({ sessions: 0, utterances: 0 });
});
afterAll(async () => {
  neighbour.close();
  await alone.close();
});

/** What is wrong, the request, and what is told: status, and name or field. */
const REQUESTS: readonly (readonly [
  string,
  Partial<RequestInit> & { readonly path?: string },
  number,
  string,
])[] = [
  ["no JSON", { body: "Hello" }, 400, "malformed_json"],
  ["an empty body", { body: "" }, 400, "malformed_json"],
  ["half of a JSON object", { body: '{"text":"Hel' }, 400, "malformed_json"],
  ["a list", { body: "[1]" }, 400, "invalid_parameters"],
  ["a number", { body: "7" }, 400, "invalid_parameters"],
  ["bytes that are no UTF-8", { body: Buffer.from([0x7b, 0xff, 0xfe, 0x7d]) }, 400, "malformed_json"],
  ["no text", { body: "{}" }, 422, "text"],
  ["text that is a number", { body: '{"text":7}' }, 422, "text"],
  ["text that is null", { body: '{"text":null}' }, 422, "text"],
  ["empty text", { body: '{"text":""}' }, 400, "empty_text"],
  ["text of spaces", { body: '{"text":"  \\n "}' }, 400, "empty_text"],
  ["too much text", { body: JSON.stringify({ text: "a".repeat(40_001) }) }, 400, "text_too_long"],
  [
    "a body that is too long",
    { body: JSON.stringify({ text: "a".repeat(70_000) }) },
    400,
    "request_too_large",
  ],
  ["half of an emoji", { body: '{"text":"Hi \\ud83d"}' }, 422, "text"],
  ["a model that is no id", { body: '{"text":"Hi","model_id":"a b"}' }, 422, "model_id"],
  ["settings that are a string", { body: '{"text":"Hi","voice_settings":"loud"}' }, 422, "voice_settings"],
  ["a speed out of range", { body: '{"text":"Hi","voice_settings":{"speed":3}}' }, 422, "speed"],
  ["a seed that is no whole number", { body: '{"text":"Hi","seed":0.5}' }, 422, "seed"],
  ["a seed below zero", { body: '{"text":"Hi","seed":-1}' }, 422, "seed"],
  [
    "a normalization that there is not",
    { body: '{"text":"Hi","apply_text_normalization":"maybe"}' },
    422,
    "apply_text_normalization",
  ],
  [
    "four dictionaries",
    {
      body: JSON.stringify({
        text: "Hi",
        pronunciation_dictionary_locators: Array(4).fill({ pronunciation_dictionary_id: "a" }),
      }),
    },
    422,
    "pronunciation_dictionary_locators",
  ],
  ["a format that there is not", { path: `${VOICE}?output_format=mp3_1_1` }, 403, "invalid_output_format"],
  ["WAV as a stream", { path: `${VOICE}/stream?output_format=wav_24000` }, 403, "invalid_output_format"],
  ["a parameter twice", { path: `${VOICE}?${FORMAT}&${FORMAT}` }, 400, "invalid_parameters"],
  ["a query that is no UTF-8", { path: `${VOICE}?output_format=%ff` }, 400, "invalid_parameters"],
  ["a voice that can be none", { path: `..%2f..%2fetc?${FORMAT}` }, 404, "voice_not_found"],
  ["another method", { method: "PUT" }, 405, "method_not_allowed"],
  ["a key that is too long", { headers: { "idempotency-key": "x".repeat(300) } }, 400, "invalid_parameters"],
];

describe("a request with", () => {
  test.each(REQUESTS)("%s is refused in ElevenLabs' form", async (_, { path, ...how }, status, told) => {
    const url = `${alone.edge.url}/v1/text-to-speech/${path ?? `${VOICE}/stream?${FORMAT}`}`;
    const init = { method: "POST", body: '{"text":"Hi"}', headers: { "content-type": "application/json" } };
    const response = await fetch(url, { ...init, ...how });
    const { detail } = (await response.json()) as { readonly detail: unknown };
    expect([response.status, response.headers.get("x-trace-id")]).toEqual([status, expect.any(String)]);
    if (status === 422) {
      const fields = {
        type: expect.any(String),
        loc: expect.any(Array),
        msg: expect.any(String),
        input: null,
      };
      expect(detail).toEqual([fields]);
      expect(JSON.stringify(detail)).toContain(told);
    } else {
      const named = {
        type: expect.any(String),
        code: told,
        message: expect.any(String),
        status: expect.any(String),
      };
      expect(detail).toMatchObject(named);
    }
  });
});

/** What is wrong, what is sent, and the error's name. */
const MESSAGES: readonly (readonly [string, object | string | Buffer, string])[] = [
  ["no JSON", "Hello", "invalid_message"],
  ["an empty message", "", "invalid_message"],
  ["half of a JSON object", '{"text":"Hel', "invalid_message"],
  ["a list", "[1]", "invalid_input"],
  ["a string", '"Hello"', "invalid_input"],
  ["a binary message", Buffer.from('{"text":" "}'), "invalid_message"],
  ["text that is a number", { text: 7 }, "invalid_input"],
  ["text that is a list", { text: ["Hi"] }, "invalid_input"],
  ["a flush that is a string", { text: "Hi ", flush: "yes" }, "invalid_input"],
  ["settings that are a list", { text: " ", voice_settings: [] }, "invalid_input"],
  ["a stability out of range", { text: " ", voice_settings: { stability: 2 } }, "invalid_input"],
  [
    "a schedule out of range",
    { text: " ", generation_config: { chunk_length_schedule: [5] } },
    "invalid_input",
  ],
  ["an empty schedule", { text: " ", generation_config: { chunk_length_schedule: [] } }, "invalid_input"],
  ["dictionaries that are a string", { text: " ", pronunciation_dictionary_locators: "a" }, "invalid_input"],
  ["a context that is a number", { text: "Hi ", context_id: 7 }, "invalid_input"],
  ["an empty context", { text: "Hi ", context_id: "" }, "invalid_input"],
  ["too much text", { text: "a".repeat(40_001) }, "max_character_limit_exceeded"],
  ["a message that is too long", `{"text":"${"a".repeat(70_000)}"}`, "request_too_large"],
  ["half of an emoji at its end", { text: "\ud83d x", flush: true }, "invalid_input"],
];

describe.each(["stream-input", "multi-stream-input"])("a message on %s with", (socket) => {
  test.each(MESSAGES)(
    "%s is told as ElevenLabs tells it, and the socket closes with 1008",
    async (_, message, name) => {
      const client = await JsonSocketClient.open(
        alone.edge.url,
        `/v1/text-to-speech/${VOICE}/${socket}?${FORMAT}`,
      );
      client.send(message);
      await expect.poll(() => client.closed?.code).toBe(1008);
      expect(client.messages.at(-1)).toMatchObject({ code: 1008, error: name, message: expect.any(String) });
    },
  );
});

describe("a socket that is opened with", () => {
  test.each([
    ["a format that there is not", "output_format=mp3_1_1", "invalid_output_format"],
    ["a format for files", "output_format=wav_24000", "invalid_output_format"],
    ["a seed that is no number", `${FORMAT}&seed=x`, "invalid_input"],
    ["a parameter twice", `${FORMAT}&${FORMAT}`, "invalid_input"],
    ["a timeout that is no number", `${FORMAT}&inactivity_timeout=soon`, "invalid_input"],
    ["a base that there is not", `${FORMAT}&alignment_base=moon`, "invalid_input"],
  ])("%s is let in, told, and closed with 1008", async (_, query, name) => {
    const client = await JsonSocketClient.open(
      alone.edge.url,
      `/v1/text-to-speech/${VOICE}/stream-input?${query}`,
    );
    await expect.poll(() => client.closed?.code).toBe(1008);
    expect(client.messages).toEqual([{ code: 1008, error: name, message: expect.any(String) }]);
  });
});
