import { listVoices } from "@tts-labs/worker/elevenlabs/voices";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ScriptedProvider, startScriptedProvider } from "../../../harness/scripted-provider.ts";

let provider: ScriptedProvider;
beforeEach(async () => {
  provider = await startScriptedProvider();
});
afterEach(() => provider.close());

const list = (timeoutMs = 5_000) => listVoices({ url: provider.url, apiKey: "sk_secret", timeoutMs });

describe("the list of voices", () => {
  it("comes with name and language, the key in a header", async () => {
    const seen: unknown[] = [];
    provider.onRequest = ({ url, headers }) => {
      seen.push([url, headers["xi-api-key"]]);
      return {
        status: 200,
        body: {
          voices: [
            { voice_id: "a", name: "Anna", labels: { language: "de" }, extra: 1 },
            { voice_id: "b", name: "Bob", labels: null, verified_languages: [{ language: "en" }] },
            { voice_id: "c", name: "Cy" },
          ],
        },
      };
    };
    expect(await list()).toEqual([
      { id: "a", name: "Anna", language: "de" },
      { id: "b", name: "Bob", language: "en" },
      { id: "c", name: "Cy" },
    ]);
    expect(seen).toEqual([["/v2/voices?page_size=100", "sk_secret"]]);
  });

  it("leaves out what it does not understand, and is bounded", async () => {
    const many = Array.from({ length: 500 }, (_, i) => ({ voice_id: `v${i}`, name: "V" }));
    provider.onRequest = () => ({ status: 200, body: { voices: [null, 7, { name: "no id" }, ...many] } });
    expect(await list()).toHaveLength(97);
  });

  it("falls back to the older address", async () => {
    provider.onRequest = ({ url }) =>
      url?.startsWith("/v2")
        ? { status: 404, body: {} }
        : { status: 200, body: { voices: [{ voice_id: "a", name: "A" }] } };
    expect(await list()).toEqual([{ id: "a", name: "A" }]);
  });

  it.each([
    [401, { detail: { status: "invalid_api_key" } }, "provider.invalid_key"],
    [429, {}, "provider.overloaded"],
    [500, {}, "provider.fault"],
    [200, { voices: "none" }, "provider.fault"],
    [200, [], "provider.fault"],
  ])("answered with %i and %j fails with a type", async (status, body, code) => {
    provider.onRequest = () => ({ status, body });
    await expect(list()).rejects.toMatchObject({ code });
  });

  it("has a deadline, and does not need a provider that is there", async () => {
    provider.onRequest = () => "stall";
    await expect(list(50)).rejects.toMatchObject({ code: "provider.connect_timeout" });
    await provider.close();
    await expect(list()).rejects.toMatchObject({ code: "provider.connect_failed" });
    provider = await startScriptedProvider();
  });
});
