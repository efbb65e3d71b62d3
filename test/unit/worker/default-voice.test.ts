import { silentLogger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import { FIRST_VOICE, toSpeechOptions } from "@tts-labs/protocol/speech-options";
import { DefaultVoice } from "@tts-labs/worker/default-voice";
import { beforeEach, describe, expect, it, vi } from "vitest";

const chosen = vi.fn();
const info = vi.fn();
const warn = vi.fn();
const open = (configured?: string) =>
  new DefaultVoice({ configured, chosen, logger: { ...silentLogger, info, warn } });
const speechOf = (voice: string) =>
  toSpeechOptions({ voice }, { voice: "v", model: "m", sampleRateHz: 24_000 });
const anna = { id: "anna", name: "Anna" };
const bob = { id: "bob", name: "Bob" };

beforeEach(() => vi.clearAllMocks());

describe("the voice of utterances that name none, at a worker", () => {
  it("is the account's first, said once, made ready, and put in where an edge knew none", () => {
    const voice = open();
    expect(voice.named(speechOf(FIRST_VOICE)).voice).toBe(FIRST_VOICE);
    voice.told([anna, bob]);
    voice.told([bob, anna]);
    expect(info.mock.calls).toEqual([
      [{ voice: "anna", name: "Anna" }, expect.stringContaining("TTS_VOICE")],
    ]);
    expect(chosen.mock.calls).toEqual([["anna"]]);
    expect(voice.named(speechOf(FIRST_VOICE)).voice).toBe("anna");
    expect(voice.named(speechOf("bob")).voice).toBe("bob");
  });

  it("is the configured one where there is one", () => {
    const voice = open("carl");
    voice.told([anna]);
    voice.told(new GatewayError("provider.invalid_key"));
    expect(chosen.mock.calls).toEqual([["carl"]]);
    expect([info.mock.calls, warn.mock.calls]).toEqual([[], []]);
    expect(voice.named(speechOf(FIRST_VOICE)).voice).toBe("carl");
  });

  it.each([
    [
      "can't list",
      new GatewayError("provider.invalid_key", undefined, {
        facts: { providerError: "missing_permissions" },
      }),
    ],
    ["lists no voices", []],
  ])("says once what to set where the account %s", (why, told) => {
    const voice = open();
    voice.told(told);
    voice.told(told);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[1]).toMatch(new RegExp(`${why}.*set TTS_VOICE`));
  });
});
