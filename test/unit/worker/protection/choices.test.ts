import { type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import { toSpeechOptions } from "@tts-labs/protocol/speech-options";
import { Choices, type Fallback } from "@tts-labs/worker/protection/choices";
import { unlimitedSlots as slots } from "@tts-labs/worker/protection/slots";
import { describe, expect, test } from "vitest";
import { ScriptedSynthesizer } from "../../../../testkit/provider/scripted-synthesizer.ts";

const synthesizer = new ScriptedSynthesizer();
const speech = toSpeechOptions({ language: "de" }, { voice: "v", model: "m", sampleRateHz: 24_000 });
const HERE: Fallback = { voice: "w", synthesizer, slots };
const THERE: Fallback = { provider: "second", synthesizer, slots };

function open(fallbacks: readonly Fallback[], spokenBy?: Choices["substitute"]): Choices {
  return new Choices({ synthesizer, slots }, fallbacks, { speech, spokenBy });
}

/** Choices that are tried one after the other, each failing with `code`. */
function triedAfter(code: ErrorCode, fallbacks: readonly Fallback[]): string[] {
  const choices = open(fallbacks);
  const error = new GatewayError(code);
  const tried: string[] = [];
  while (choices.mayHelp(error)) {
    choices.take(error);
    const { voice = "", provider } = choices.substitute ?? {};
    tried.push(provider === undefined ? voice : `${voice}@${provider}`);
  }
  return tried;
}

describe("what is tried after", () => {
  test.each([
    ...(["provider.voice_not_found", "provider.unsupported_model", "provider.first_audio_timeout"] as const),
    ...(["provider.silent", "provider.truncated", "provider.fault"] as const),
  ])("%s: another voice, then another provider", (code) => {
    expect(triedAfter(code, [HERE, THERE])).toEqual(["w", "v@second"]);
  });

  test.each([
    ...(["provider.circuit_open", "provider.invalid_key", "provider.quota_exceeded"] as const),
    ...(["provider.refused", "provider.overloaded", "provider.connect_timeout"] as const),
    ...(["provider.connect_failed", "provider.unresponsive", "provider.idle_closed"] as const),
  ])("%s: another provider alone", (code) => {
    expect(triedAfter(code, [HERE, THERE])).toEqual(["v@second"]);
    expect(triedAfter(code, [HERE])).toEqual([]);
  });

  test.each(["provider.invalid_request", "capacity.slot_timeout", "storage.unavailable"] as const)(
    "%s: nothing",
    (code) => {
      expect(triedAfter(code, [HERE, THERE])).toEqual([]);
    },
  );
});

describe("a substitute", () => {
  test("speaks as it was asked for but for what is configured, and says why", () => {
    const choices = open([HERE]);
    expect(choices.substitute).toBeUndefined();
    choices.take(new GatewayError("provider.silent"));
    expect(choices.current.speech).toEqual({ ...speech, voice: "w" });
    expect(choices.substitute).toEqual({ voice: "w", model: "m", reason: "provider.silent" });
  });

  test("names what the first choice failed with, whatever came later", () => {
    const choices = open([HERE, THERE]);
    choices.take(new GatewayError("provider.voice_not_found"));
    choices.take(new GatewayError("provider.circuit_open"));
    expect(choices.substitute).toMatchObject({ provider: "second", reason: "provider.voice_not_found" });
  });

  test("that is what was asked for is none", () => {
    expect(triedAfter("provider.silent", [{ voice: "v", model: "m", synthesizer, slots }])).toEqual([]);
  });

  test("keeps an utterance that another worker began with it, where it is configured here too", () => {
    const spokenBy = { voice: "v", model: "m", provider: "second", reason: "provider.silent" } as const;
    expect(open([HERE, THERE], spokenBy).substitute).toEqual(spokenBy);
    expect(open([HERE], spokenBy).substitute).toBeUndefined();
  });
});
