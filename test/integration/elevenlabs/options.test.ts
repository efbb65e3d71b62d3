import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { JsonSocketClient } from "../../../testkit/clients/json-socket.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simEnglishGrace0000A";
const MODEL = "eleven_flash_v2_5";
const TEXT = "All of this is asked of the provider.";
const LOCATORS = [{ pronunciation_dictionary_id: "dict", version_id: "v1" }];

let system: System;
beforeAll(async () => {
  system = await startSystem({
    redisUrl: inject("redisUrl"),
    simulator: { timeScale: 0 },
    edge: { cache: true },
    worker: { poolWarm: 0 },
  });
});
beforeEach(() => system.simulator.reset());
afterAll(() => system.close());

/** What the provider was asked for by the last connection. */
function asked() {
  const last = system.simulator.report().log.at(-1);
  return { query: last?.query, opening: last?.messages.find((it) => it.from === "client")?.fields };
}

async function post(body: object, query = ""): Promise<string | null> {
  const response = await fetch(
    `${system.url}/v1/text-to-speech/${VOICE}/stream?output_format=pcm_24000${query}`,
    { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
  );
  expect(response.status).toBe(200);
  await response.arrayBuffer();
  return response.headers.get("x-cache");
}

describe("what ElevenLabs' clients may ask for reaches the provider", () => {
  test("over HTTP", async () => {
    await post(
      {
        text: `${TEXT} Filipino.`,
        language_code: "fil",
        seed: 7,
        apply_text_normalization: "off",
        apply_language_text_normalization: false,
        pronunciation_dictionary_locators: LOCATORS,
        previous_text: "Before.",
        next_text: "After.",
        previous_request_ids: ["a"],
      },
      "&enable_logging=false",
    );
    expect(asked()).toMatchObject({
      query: {
        language_code: "fil",
        seed: "7",
        apply_text_normalization: "off",
        apply_language_text_normalization: "false",
        enable_logging: "false",
      },
      opening: expect.arrayContaining(["pronunciation_dictionary_locators"]),
    });
  });

  test("over a socket", async () => {
    const client = await JsonSocketClient.open(
      system.url,
      `/v1/text-to-speech/${VOICE}/stream-input?model_id=${MODEL}&output_format=pcm_24000&enable_ssml_parsing=true` +
        "&enable_logging=false&seed=9&language_code=de&apply_text_normalization=on&auto_mode=true",
    );
    const voice_settings = { stability: 0.2 };
    client.send({ text: " ", voice_settings, pronunciation_dictionary_locators: LOCATORS });
    client.send({ text: `${TEXT} ` }, { text: "" });
    await expect.poll(() => client.closed?.code).toBe(1000);
    expect(asked()).toMatchObject({
      query: {
        enable_ssml_parsing: "true",
        enable_logging: "false",
        seed: "9",
        language_code: "de",
        apply_text_normalization: "on",
        auto_mode: "true",
      },
      opening: expect.arrayContaining(["pronunciation_dictionary_locators", "voice_settings"]),
    });
  });

  test("natively, by the same names", async () => {
    const client = await NativeClient.connect(system.url);
    await client.speak(TEXT, {
      voice: VOICE,
      language: "fil",
      pronunciation_dictionaries: LOCATORS,
      ssml: true,
      logging: false,
      language_text_normalization: true,
    });
    await client.close();
    expect(asked()).toMatchObject({
      query: {
        language_code: "fil",
        enable_ssml_parsing: "true",
        enable_logging: "false",
        apply_language_text_normalization: "true",
      },
      opening: expect.arrayContaining(["pronunciation_dictionary_locators"]),
    });
  });
});

describe("the cache", () => {
  const generations = () => system.simulator.report().generations;

  test("gives nothing of what was said with another dictionary", async () => {
    const text = "A word that dictionaries know.";
    for (const version_id of ["v1", "v2"]) {
      const locators = [{ pronunciation_dictionary_id: "dict", version_id }];
      expect(await post({ text, pronunciation_dictionary_locators: locators })).toBe("miss");
    }
    expect(generations()).toBe(2);
  });

  test("keeps nothing of what must not be logged, and what is logged: the twin", async () => {
    const text = "This is nobody's business.";
    expect(await post({ text }, "&enable_logging=false")).toBe("off");
    expect(await post({ text }, "&enable_logging=false")).toBe("off");
    expect(generations()).toBe(2);
    expect(await post({ text })).toBe("miss");
    await expect.poll(() => post({ text })).toBe("hit");
    expect(await post({ text }, "&enable_logging=false")).toBe("off");
  });
});
