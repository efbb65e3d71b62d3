import { settleable } from "@tts-labs/core/async/settleable";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { toSpeechOptions } from "@tts-labs/protocol/speech-options";
import { ERROR_NAMES, type NamedError } from "@tts-labs/worker/elevenlabs/errors/error-names";
import { toProviderError } from "@tts-labs/worker/elevenlabs/errors/provider-error";
import { guardSynthesizer } from "@tts-labs/worker/protection/guarded-synthesizer";
import type { ProviderHealth } from "@tts-labs/worker/protection/provider-health";
import { describe, expect, it } from "vitest";
import { openLocalHealth } from "../../../../testkit/ground/local-circuits.ts";
import { ScriptedSynthesizer } from "../../../../testkit/provider/scripted-synthesizer.ts";

const speech = toSpeechOptions({}, { voice: "v", model: "m", sampleRateHz: 24_000 });
const never = new AbortController().signal;

/**
 * An utterance that meets `error` on every socket: one try, and one more where that is worth it. Gives its last error.
 */
async function speakInVain(health: ProviderHealth, error: GatewayError, keyId = "a"): Promise<GatewayError> {
  const guarded = guardSynthesizer(new ScriptedSynthesizer({ steps: [{ kind: "fail", error }] }), health);
  let last = new GatewayError("internal");
  for (let tried = 0; tried === 0 || (tried === 1 && last.retryable); tried++) {
    try {
      const synthesis = await guarded.open(speech, never, keyId);
      for await (const _ of synthesis.events);
    } catch (thrown) {
      last = toGatewayError(thrown);
    }
  }
  return last;
}

/** What a circuit is told takes effect a few turns of the event loop later. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    const { promise, resolve } = settleable<void>();
    setImmediate(resolve);
    await promise;
  }
}

describe("two requests that meet one of the provider's errors, each tried twice where that is worth it", () => {
  it.each(Object.entries(ERROR_NAMES))(
    "%s: the circuit, the key and the code are the table's",
    async (name, row) => {
      const health = openLocalHealth(["a"], 60_000, 60_000);
      for (let i = 0; i < 2; i++) {
        expect((await speakInVain(health, toProviderError(name, ""))).code).toBe(row.code);
      }
      await settle();
      expect(health.circuit("a").isClosed).toBe(row.fault !== true);

      const withTwoKeys = openLocalHealth(["a", "b"]);
      const told = await speakInVain(withTwoKeys, toProviderError(name, ""));
      expect(withTwoKeys.mayServe("a")).toBe(row.key !== "rest");
      if (row.key === "rest" || row.key === "another") expect(told.retryable).toBe(true);
    },
  );

  const unknown = [
    "brand_new_error",
    "voice_not_in_the_mood",
    "model_asleep",
    "quota_of_something",
    "__proto__",
  ];

  it.each(unknown)("%s, which is in no table, harms nobody and is not tried again", async (name) => {
    const health = openLocalHealth(["a", "b"]);
    for (let i = 0; i < 20; i++) {
      expect(await speakInVain(health, toProviderError(name, ""))).toMatchObject({
        code: "provider.refused",
        retryable: false,
      });
    }
    await settle();
    expect([health.circuit("a").isClosed, health.mayServe("a"), health.mayServe("b")]).toEqual([
      true,
      true,
      true,
    ]);
  });

  it("opens the circuit for everybody where an unknown name is taken for a fault (negative twin)", async () => {
    const asFault: NamedError = { code: "provider.fault", fault: true };
    const health = openLocalHealth(["a"], 60_000, 60_000);
    for (let i = 0; i < 2; i++) await speakInVain(health, toProviderError("brand_new_error", "", asFault));
    await settle();
    expect(health.circuit("a").isClosed).toBe(false);
  });
});
