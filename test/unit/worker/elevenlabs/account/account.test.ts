import { askAccount } from "@tts-labs/worker/elevenlabs/account/account";
import { toUpgradeError } from "@tts-labs/worker/elevenlabs/errors/provider-error";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../../testkit/provider/scripted-provider.ts";

let provider: ScriptedProvider;
beforeEach(async () => {
  provider = await startScriptedProvider();
});
afterEach(() => provider.close());

const ask = (model = "eleven_flash_v2_5", timeoutMs = 5_000) =>
  askAccount({ url: provider.url, apiKey: "sk_secret", model, timeoutMs });
const detail = (code: string, status = code) => ({ detail: { code, status, message: "…" } });

describe("what the provider says of a key", () => {
  it.each([
    ["creator", "eleven_flash_v2_5", 10],
    ["creator", "eleven_multilingual_v2", 5],
    ["scale", "eleven_turbo_v2_5", 30],
    ["enterprise", "eleven_flash_v2_5", undefined],
    ["__proto__", "eleven_flash_v2_5", undefined],
    [7, "eleven_flash_v2_5", undefined],
  ])("plan %s with %s: %s at once", async (tier, model, slots) => {
    provider.onRequest = ({ url }) =>
      url === "/v1/user/subscription" ? { status: 200, body: { tier } } : { status: 404, body: {} };
    expect(await ask(model)).toMatchObject(slots === undefined ? {} : { slots });
    if (slots === undefined) expect((await ask(model)).slots).toBeUndefined();
  });

  it("a response header counts more than the plan's name", async () => {
    provider.onRequest = () => ({
      status: 200,
      body: { tier: "free" },
      headers: { "maximum-concurrent-requests": "17" },
    });
    expect(await ask()).toEqual({ slots: 17, from: "a response header" });
  });

  it.each([
    [401, detail("invalid_api_key")],
    [400, detail("invalid_api_key")],
    [401, detail("unauthorized", "invalid_api_key")],
    [401, {}],
  ])("%i with %j: it does not accept the key", async (status, body) => {
    provider.onRequest = () => ({ status, body });
    expect(await ask()).toMatchObject({ refusal: { code: "provider.invalid_key" } });
  });

  it.each([
    [401, detail("unauthorized", "missing_permissions")],
    [401, detail("missing_permissions")],
    [403, detail("insufficient_permissions")],
    [404, {}],
    [429, {}],
    [500, {}],
    [200, "none"],
  ])("%i with %j: nothing that keeps the key from speaking", async (status, body) => {
    provider.onRequest = () => ({ status, body });
    expect(await ask()).toEqual({});
  });

  it("nothing, where it does not answer in time", async () => {
    provider.onRequest = () => "stall";
    expect(await ask(undefined, 50)).toEqual({});
  });
});

describe("a 429", () => {
  const refusal = (message: string) =>
    toUpgradeError(429, JSON.stringify({ detail: { message } }), undefined);

  it.each([
    ["Too many concurrent requests. Your current subscription is limited to 10 concurrent requests.", 10],
    ["You may have a maximum of 4 generations.", 4],
    ["Slow down.", undefined],
    ["limited to 0 concurrent requests", undefined],
    ["limited to 99999999 concurrent requests", undefined],
  ])("“%s” names %s", (message, limit) => {
    expect(refusal(message).facts["limit"]).toBe(limit);
  });
});
