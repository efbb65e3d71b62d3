import type { ErrorCode } from "@tts-labs/protocol/errors";
import {
  MAX_CLIENT_MESSAGE_BYTES,
  MAX_PROTOCOL_ERRORS,
  MAX_UTTERANCE_CHARACTERS,
} from "@tts-labs/protocol/limits";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { Random } from "../../../testkit/ground/random.ts";

/** What a client sends, the code it gets, and words that help. A list is sent message by message. */
type Case = readonly [what: string, send: string | Uint8Array | readonly string[], ErrorCode, RegExp];

const json = (value: unknown) => JSON.stringify(value);
const text = (fields: object) => json({ type: "text", text: "Hi.", ...fields });

const CASES: readonly Case[] = [
  ["nothing at all", "", "protocol.invalid_json", /empty.*"type":"ping"/],
  ["plain words", "speak to me", "protocol.invalid_json", /not JSON/],
  ["half an object", '{"type":"text"', "protocol.invalid_json", /not JSON/],
  ["a comma too many", '{"type":"ping",}', "protocol.invalid_json", /not JSON/],
  ["single quotes", "{'type':'ping'}", "protocol.invalid_json", /not JSON/],
  ["two objects", '{"type":"ping"}{"type":"ping"}', "protocol.invalid_json", /not JSON/],
  ["a byte order mark alone", "\ufeff", "protocol.invalid_json", /not JSON/],
  ["a nesting bomb", "[".repeat(30_000), "protocol.invalid_json", /not JSON/],
  ["an array", '[{"type":"ping"}]', "protocol.invalid_message", /JSON object, not an array/],
  ["null", "null", "protocol.invalid_message", /JSON object, not null/],
  ["a number", "17", "protocol.invalid_message", /JSON object, not a number/],
  ["a string", '"ping"', "protocol.invalid_message", /JSON object, not a string/],
  ["a boolean", "true", "protocol.invalid_message", /JSON object, not a boolean/],
  ["no type", "{}", "protocol.unknown_type", /one of text, flush, stream_end/],
  ["an unknown type", json({ type: "speak" }), "protocol.unknown_type", /one of text, flush/],
  ["a type in capitals", json({ type: "PING" }), "protocol.unknown_type", /one of text/],
  ["a type that is no string", json({ type: 7 }), "protocol.unknown_type", /one of text/],
  ["a type of every object", json({ type: "constructor" }), "protocol.unknown_type", /one of text/],
  ["a prototype as type", '{"type":"__proto__"}', "protocol.unknown_type", /one of text/],
  ["a message of the server", json({ type: "pong" }), "protocol.unknown_type", /one of text/],
  ["a text without text", json({ type: "text" }), "protocol.invalid_message", /"text" of a "text" message/],
  ["a text that is null", text({ text: null }), "protocol.invalid_message", /"text" .*expected string/],
  ["a text that is a number", text({ text: 5 }), "protocol.invalid_message", /"text" .*expected string/],
  ["a text that is a list", text({ text: ["a"] }), "protocol.invalid_message", /"text" .*expected string/],
  ["half a character", '{"type":"text","text":"a\\ud83d b"}', "protocol.invalid_message", /surrogate/],
  ["an unknown field", text({ txet: 1 }), "protocol.invalid_message", /"txet"/],
  ["a poisoned field", '{"type":"ping","__proto__":{"t":1}}', "protocol.invalid_message", /__proto__/],
  ["an empty voice", text({ voice: "" }), "protocol.invalid_message", /"voice".*1 to 64 letters/],
  ["a voice with a path in it", text({ voice: "../../etc" }), "protocol.invalid_message", /"voice".*letters/],
  ["a model with a hash tag", text({ model: "{x}" }), "protocol.invalid_message", /"model".*letters/],
  ["a language by name", text({ language: "german" }), "protocol.invalid_message", /"language".*ISO 639-1/],
  ["too much speed", text({ voice_settings: { speed: 9 } }), "protocol.invalid_message", /speed.*1\.2/],
  [
    "negative stability",
    text({ voice_settings: { stability: -1 } }),
    "protocol.invalid_message",
    /stability/,
  ],
  ["unknown settings", text({ voice_settings: { pitch: 1 } }), "protocol.invalid_message", /"pitch"/],
  ["settings that are a list", text({ voice_settings: [] }), "protocol.invalid_message", /voice_settings/],
  ["an empty schedule", text({ chunk_length_schedule: [] }), "protocol.invalid_message", /chunk_length/],
  ["a schedule of 1", text({ chunk_length_schedule: [1] }), "protocol.invalid_message", /schedule\.0.*50/],
  ["half a seed", text({ seed: 0.5 }), "protocol.invalid_message", /"seed"/],
  ["a seed too large", text({ seed: 2 ** 32 }), "protocol.invalid_message", /"seed".*4294967295/],
  ["auto_mode as text", text({ auto_mode: "yes" }), "protocol.invalid_message", /auto_mode.*boolean/],
  ["a t that is text", json({ type: "ping", t: "now" }), "protocol.invalid_message", /"t".*number/],
  [
    "played without samples",
    json({ type: "played", utterance_id: "x" }),
    "protocol.invalid_message",
    /samples/,
  ],
  [
    "negative samples",
    json({ type: "played", utterance_id: "x", samples: -1 }),
    "protocol.invalid_message",
    /samples/,
  ],
  [
    "played of nothing",
    json({ type: "played", utterance_id: "utt_x", samples: 1 }),
    "protocol.wrong_state",
    /utt_x/,
  ],
  [
    "a bad utterance id",
    json({ type: "cancel", utterance_id: "a b" }),
    "protocol.invalid_message",
    /utterance_id/,
  ],
  ["a resume without token", json({ type: "resume" }), "protocol.invalid_message", /resume_token/],
  [
    "a resume in the middle of a session",
    json({ type: "resume", resume_token: "x".repeat(43) }),
    "protocol.wrong_state",
    /new one/,
  ],
  [
    "flush with nothing open",
    json({ type: "flush" }),
    "protocol.wrong_state",
    /"flush" needs an open utterance/,
  ],
  [
    "stream_end with nothing open",
    json({ type: "stream_end" }),
    "protocol.wrong_state",
    /"stream_end" needs/,
  ],
  [
    "stream_end after an empty text",
    [text({ text: "" }), json({ type: "stream_end" })],
    "protocol.wrong_state",
    /open/,
  ],
  [
    "an empty text that says it is all",
    text({ text: "", end: true }),
    "protocol.wrong_state",
    /"end" needs an open utterance/,
  ],
  ["an end that is no yes or no", text({ end: "yes" }), "protocol.invalid_message", /end/],
  ["cancel with nothing there", json({ type: "cancel" }), "protocol.wrong_state", /no unfinished utterance/],
  ["cancel of the unknown", json({ type: "cancel", utterance_id: "utt_y" }), "protocol.wrong_state", /utt_y/],
  ["binary", new Uint8Array([1, 2, 3]), "protocol.unexpected_binary", /JSON text/],
  ["empty binary", new Uint8Array(0), "protocol.unexpected_binary", /JSON text/],
  ["JSON in binary", Buffer.from(json({ type: "ping" })), "protocol.unexpected_binary", /JSON text/],
  [
    "a message too large",
    text({ text: "x".repeat(MAX_CLIENT_MESSAGE_BYTES) }),
    "protocol.message_too_large",
    /65536/,
  ],
  [
    "a text too long",
    text({ text: "x".repeat(MAX_UTTERANCE_CHARACTERS + 1) }),
    "capacity.text_too_long",
    /40001 characters.*40000/,
  ],
  [
    "text beyond the limit",
    [text({ text: "x".repeat(40_000) }), text({})],
    "capacity.text_too_long",
    /40000.*0 are left/,
  ],
];

const WITNESS_TEXT = "Nothing of this concerns me, and I am heard to the last sample. ".repeat(4);

let alone: EdgeAlone;
beforeAll(async () => {
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), edge: { resumeWindowMs: 500 } });
});
afterAll(() => alone.close());

/** Another session that speaks all the while; afterwards nothing may be missing from it. */
async function besideAWitness(act: () => Promise<void>): Promise<void> {
  const witness = await NativeClient.connect(alone.edge.url, { delivery: "paced" });
  const stop = new AbortController();
  const speaking = (async () => {
    let spoken = 0;
    do {
      const { pcm } = await witness.speak(WITNESS_TEXT.slice(0, 60));
      expect(pcm.equals(fakeSpeechOf(WITNESS_TEXT.slice(0, 60)))).toBe(true);
      spoken++;
    } while (!stop.signal.aborted);
    return spoken;
  })();
  try {
    await act();
  } finally {
    stop.abort();
    expect(await speaking).toBeGreaterThan(0);
    await witness.close();
  }
}

describe("a malformed message", () => {
  test("there are at least 40 kinds of it", () => {
    expect(CASES.length).toBeGreaterThanOrEqual(40);
  });

  test.each(CASES)("%s: gets its error, and the session goes on", async (_what, send, code, words) => {
    const client = await NativeClient.connect(alone.edge.url, { frame_samples: 9_600 });
    for (const message of Array.isArray(send) ? send : [send]) client.sendRaw(message);
    const error = await client.next("error");
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
    expect(error.utterance_id).toBeUndefined();
    client.send({ type: "ping", t: 1 });
    await client.next("pong");
    if (client.messages.some((it) => it.type === "utterance_started")) {
      client.send({ type: "cancel" });
      await client.next("cancelled");
    }
    expect((await client.speak("Fine.")).pcm.equals(fakeSpeechOf("Fine."))).toBe(true);
    expect(client.messages.filter((it) => it.type === "error").length).toBe(1);
    await client.close();
  });

  test("that is not UTF-8 ends its connection, as WebSockets must, and no other", async () => {
    await besideAWitness(async () => {
      for (const bytes of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]]) {
        const client = await NativeClient.connect(alone.edge.url);
        client.sendRaw(new Uint8Array(bytes), true);
        expect([1006, 1007]).toContain((await client.closed).code);
      }
    });
  });

  test("far beyond the limit ends its connection, and no other", async () => {
    await besideAWitness(async () => {
      const client = await NativeClient.connect(alone.edge.url);
      client.sendRaw("x".repeat(5 * MAX_CLIENT_MESSAGE_BYTES));
      expect([1006, 1009]).toContain((await client.closed).code);
    });
  });

  test(`number ${MAX_PROTOCOL_ERRORS} ends the connection with its own code; what is only out of place does not count`, async () => {
    const client = await NativeClient.connect(alone.edge.url);
    for (let i = 0; i < 2 * MAX_PROTOCOL_ERRORS; i++) client.send({ type: "flush" });
    for (let i = 0; i < MAX_PROTOCOL_ERRORS - 1; i++) client.sendRaw("?");
    client.send({ type: "ping" });
    await client.next("pong");
    client.sendRaw("?");
    expect(await client.closed).toEqual({ code: 4508, reason: "protocol.too_many_errors" });
    expect(client.messages.at(-1)).toMatchObject({ code: "protocol.too_many_errors" });
    // The client is not to come back: its session is over, not waiting for it.
    const { session_id } = client.connected;
    await expect.poll(() => alone.redis.exists(alone.keys.heldSession(session_id))).toBe(0);
  });
});

describe("random bytes and mangled messages", () => {
  test("never upset the edge or another session (seeded)", async () => {
    const random = new Random(20_261_122);
    await besideAWitness(async () => {
      for (let round = 0; round < 12; round++) {
        const client = await NativeClient.connect(alone.edge.url, { frame_samples: 9_600 });
        for (let i = 0; i < 40 && !client.isClosed; i++) client.sendRaw(...mangled(random));
        if (!client.isClosed) client.send({ type: "ping", t: round });
        // Fuzz may make the connection end, but never leave it without an answer.
        await client
          .until(
            "an answer",
            () =>
              client.isClosed ||
              client.messages.some((it) => it.type === "pong" && it.t === round) ||
              undefined,
          )
          .catch((error: unknown) => expect(client.isClosed, String(error)).toBe(true));
        expect(client.violations).toEqual([]);
        await client.terminate();
      }
    });
    await expect.poll(() => alone.edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
    await expect.poll(() => alone.worker.running).toBe(0);
  });
});

const SEEDS = [
  text({}),
  json({ type: "stream_end" }),
  json({ type: "flush" }),
  json({ type: "cancel" }),
  json({ type: "ping", t: 3 }),
  json({ type: "prewarm", voice: "v" }),
  json({ type: "played", utterance_id: "utt_1", samples: 12 }),
];

/** A message cut, doubled, with bytes changed; now and then untouched, or pure noise. */
function mangled(random: Random): [data: Uint8Array, asText: boolean] {
  const seed = Buffer.from(random.pick(SEEDS));
  switch (random.below(6)) {
    case 0:
      return [seed, true];
    case 1:
      return [random.bytes(random.below(64)), false];
    case 2:
      return [seed.subarray(0, random.below(seed.length)), true];
    case 3:
      return [Buffer.concat([seed, Buffer.from(random.pick(SEEDS))]), true];
    default: {
      const copy = Buffer.from(seed);
      for (let i = random.below(4); i >= 0; i--) copy[random.below(copy.length)] = 32 + random.below(95);
      return [copy, true];
    }
  }
}
