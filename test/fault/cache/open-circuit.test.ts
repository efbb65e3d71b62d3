import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { expect, inject, it, onTestFinished } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simEnglishGrace0000A";
const KNOWN = "The ferry leaves at noon.";

it("while the provider is left alone, what was said before is still spoken; what was not is refused, with the wait", async () => {
  const system = await startSystem({
    redisUrl: inject("redisUrl"),
    edge: { cache: true },
    // Nothing opened ahead, one fault opens the circuit, and nothing is tried twice.
    worker: { breakerFaults: 1, breakerOpenMs: 60_000, poolWarm: 0, retriesMax: 0 },
  });
  onTestFinished(() => system.close());
  const client = await NativeClient.connect(system.url);
  onTestFinished(() => client.close());
  const { pcm } = await renderSpeech({ text: KNOWN, voice: VOICE, sampleRateHz: 24_000 });
  expect((await client.speak(KNOWN, { voice: VOICE })).pcm.equals(pcm)).toBe(true);

  const failed = await client.speak("This one meets a fault.", { voice: `${VOICE}_fault_upgrade-503` });
  expect(failed.end).toMatchObject({ type: "error" });
  const asked = system.simulator.report().connections.opened;

  const refused = await client.speak("Nobody said this before.", { voice: VOICE });
  expect(refused.end).toMatchObject({ type: "error", code: "provider.circuit_open", retryable: true });
  expect(refused.end.type === "error" && refused.end.retry_after_ms).toBeGreaterThan(0);
  const cached = await client.speak(KNOWN, { voice: VOICE });
  expect(cached.end).toMatchObject({ type: "stream_complete", cache: "hit" });
  expect(cached.pcm.equals(pcm)).toBe(true);
  expect(system.simulator.report().connections.opened).toBe(asked);
});
