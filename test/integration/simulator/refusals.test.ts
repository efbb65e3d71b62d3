import { describe, expect, it } from "vitest";
import { FLASH } from "./provider-client.ts";
import { errorOf, SimulatorForFile } from "./simulator-for-file.ts";

const simulator = new SimulatorForFile();

describe("a stream-input socket refuses", () => {
  it.each([
    ["no key", { headers: {} }, [{ text: " " }], "authentication_required"],
    ["a wrong key in the opening", { headers: {} }, [{ text: " ", xi_api_key: "x" }], "invalid_api_key"],
    ["a wrong bearer", { headers: { authorization: "Bearer x" } }, [], "invalid_api_key"],
    ["an unknown voice", { voice: "nobody" }, [], "voice_id_does_not_exist"],
    ["opus", { query: "output_format=opus_48000_64" }, [], "invalid_output_format"],
    ["an unknown format", { query: "output_format=pcm_12345" }, [], "invalid_output_format"],
    ["an unknown model", { query: "model_id=eleven_nine" }, [], "invalid_input"],
    [
      "a language that the model does not take",
      { query: "model_id=eleven_multilingual_v2&language_code=de" },
      [],
      "unsupported_language",
    ],
    ["a message that is no object", {}, [[]], "invalid_message"],
    ["a speed out of range", {}, [{ text: " ", voice_settings: { speed: 3 } }], "invalid_input"],
    [
      "a schedule out of range",
      {},
      [{ text: " ", generation_config: { chunk_length_schedule: [10] } }],
      "invalid_input",
    ],
    [
      "voice settings after the opening",
      {},
      [{ text: " " }, { text: "Hi.", voice_settings: { speed: 1 } }],
      "invalid_input",
    ],
    [
      "changed voice settings",
      {},
      [
        { text: " ", voice_settings: { speed: 1 } },
        { text: " ", voice_settings: { speed: 0.9 } },
      ],
      "invalid_input",
    ],
    [
      "more text than the model takes",
      { query: "model_id=eleven_multilingual_v2" },
      [{ text: " " }, { text: "x".repeat(10_001) }],
      "max_character_limit_exceeded",
    ],
  ] as const)("%s, with an error and close 1008", async (_, options, messages, error) => {
    const client = await simulator.open(options);
    client.send(...messages);
    const closed = await client.closed;
    expect(errorOf(client)).toBe(error);
    expect(closed.code).toBe(1008);
    expect(Buffer.byteLength(closed.reason)).toBeLessThanOrEqual(123);
    expect(String(client.errors[0]?.json?.["message"]).startsWith(closed.reason)).toBe(true);
    expect(client.audio).toHaveLength(0);
  });

  it("what is not JSON, and what is binary", async () => {
    for (const data of ["{", Buffer.from([1, 2, 3])]) {
      const client = await simulator.open({});
      client.sendRaw(data);
      await client.closed;
      expect(errorOf(client)).toBe("invalid_message");
    }
    expect(simulator.report().violations).toEqual({ "malformed-message": 2 });
  });

  it("silence that lasts longer than asked for, and says whose fault it was", async () => {
    const client = await simulator.open({ query: `${FLASH}&inactivity_timeout=1` });
    client.send({ text: " " }, { text: "And then nothing came." });
    const closed = await client.closed;
    expect(errorOf(client)).toBe("input_timeout_exceeded");
    expect(closed.code).toBe(1008);
    expect(closed.reason).toHaveLength(123);
    expect(closed.atMs).toBeGreaterThan(990);
    expect(simulator.report().violations).toEqual({ "unsent-end": 1 });
  });
});

describe("a key", () => {
  it.each([
    ["in the opening", {}, { xi_api_key: "sk_simulator" }],
    ["in the opening, spelt with hyphens", {}, { "xi-api-key": "sk_simulator" }],
    ["as a bearer", { authorization: "Bearer sk_simulator" }, {}],
  ])("%s is accepted", async (_, headers, fields) => {
    const client = await simulator.open({ headers: headers as Record<string, string> });
    client.send({ text: " ", ...fields }, { text: "Hi." }, { text: "" });
    await client.closed;
    expect(client.finals).toHaveLength(1);
  });

  it("for a single use is spent by its first use", async () => {
    const response = await fetch(`${simulator.url}/v1/single-use-token/tts_websocket`, {
      method: "POST",
      headers: { "xi-api-key": "sk_simulator" },
    });
    const { token } = (await response.json()) as { token: string };
    const use = async () => {
      const client = await simulator.open({ query: `${FLASH}&single_use_token=${token}`, headers: {} });
      client.send({ text: " " }, { text: "Hi." }, { text: "" });
      await client.closed;
      return client;
    };
    expect((await use()).finals).toHaveLength(1);
    expect(errorOf(await use())).toBe("invalid_api_key");
    expect(JSON.stringify(simulator.report())).not.toContain(token);
  });
});
