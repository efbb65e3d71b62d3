import { silentLogger } from "@tts-labs/core/logger";
import type { ServerMessageOf } from "@tts-labs/protocol/server-message";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { startSimulator } from "@tts-labs/simulator/main";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import type { WorkerConfig } from "@tts-labs/worker/config";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const TEXT = "The river bends three times before it reaches the old stone bridge.";
const GRACE = "simEnglishGrace0000A";
const HENRY = "simEnglishHenry0000A";
const MODEL = "eleven_flash_v2_5";

const render = async (voice: string) => (await renderSpeech({ text: TEXT, voice })).pcm;

/** One fault opens the circuit, nothing is tried twice, and nothing is opened ahead. */
const HASTY = { breakerFaults: 1, breakerOpenMs: 60_000, poolWarm: 0, retriesMax: 0 } as const;

async function start(worker: Partial<WorkerConfig>, cache = false): Promise<System> {
  const system = await startSystem({ redisUrl: inject("redisUrl"), edge: { cache }, worker });
  onTestFinished(() => system.close());
  return system;
}

async function connect({ url }: System): Promise<NativeClient> {
  const client = await NativeClient.connect(url);
  onTestFinished(() => client.close());
  return client;
}

/** A second provider, which knows the same voices and another key. */
async function startSecond() {
  const second = await startSimulator(
    defaultSimulatorConfig({ port: 0, apiKeys: "sk_second" }),
    silentLogger,
  );
  onTestFinished(() => second.close());
  return { second, configured: { fallbackUrl: second.url, fallbackApiKey: "sk_second" } };
}

const substitutions = ({ messages }: NativeClient) =>
  messages.filter((it): it is ServerMessageOf<"substituted"> => it.type === "substituted");

async function openCircuit(client: NativeClient): Promise<void> {
  await client.speak("This one meets a fault.", { voice: `${GRACE}_fault_upgrade-503` });
}

describe("while the provider is left alone", () => {
  it("a second one speaks, with its own voice, and the client is told before the first frame", async () => {
    const { second, configured } = await startSecond();
    const system = await start({ ...HASTY, ...configured, fallbackVoice: HENRY });
    const client = await connect(system);
    await openCircuit(client);
    const asked = system.simulator.report().connections.opened;
    const before = substitutions(client).length;
    const { end, pcm, utteranceId } = await client.speak(TEXT, { voice: GRACE });
    expect(end).toMatchObject({ type: "stream_complete", splices: 0 });
    expect(pcm.equals(await render(HENRY))).toBe(true);
    expect(substitutions(client).slice(before)).toEqual([
      {
        type: "substituted",
        utterance_id: utteranceId,
        voice: HENRY,
        model: MODEL,
        provider: "fallback",
        reason: "provider.circuit_open",
      },
    ]);
    expect(system.simulator.report().connections.opened).toBe(asked);
    expect(second.report().openings).toBeGreaterThan(0);
    const metrics = await fetch(`${system.workers[0]?.opsUrl}/metrics`).then((it) => it.text());
    expect(metrics).toMatch(/^tts_worker_substitutions_total\{code="provider.circuit_open"\} 1$/m);
  });

  it("and none is configured, it is refused with the wait", async () => {
    const client = await connect(await start(HASTY));
    await openCircuit(client);
    const { end } = await client.speak(TEXT, { voice: GRACE });
    expect(end).toMatchObject({ type: "error", code: "provider.circuit_open", retryable: true });
    expect(substitutions(client)).toEqual([]);
  });

  it("and the second one is too, it ends with what the first failed with", async () => {
    const { second, configured } = await startSecond();
    const client = await connect(await start({ ...HASTY, ...configured }));
    second.setFault({ name: "upgrade-503" }, 1);
    await openCircuit(client);
    const { end } = await client.speak(TEXT, { voice: GRACE });
    expect(end).toMatchObject({ type: "error", code: "provider.circuit_open" });
    expect(second.report().openings).toBe(0);
  });
});

describe("a voice that the provider does not have, or that makes no sound", () => {
  const NOBODY = "nobodyKnowsThisVoice";
  const UNLUCKY = [
    [NOBODY, "provider.voice_not_found"],
    [`${GRACE}_fault_quota-silence`, "provider.silent"],
  ] as const;

  it.each(UNLUCKY)("%s is replaced by the fallback voice at the same provider", async (voice, reason) => {
    const client = await connect(await start({ fallbackVoice: HENRY, poolWarm: 0 }));
    const { end, pcm } = await client.speak(TEXT, { voice });
    expect(end.type).toBe("stream_complete");
    expect(pcm.equals(await render(HENRY))).toBe(true);
    const [told] = substitutions(client);
    expect(told).toMatchObject({ voice: HENRY, model: MODEL, reason });
    expect(told).not.toHaveProperty("provider");
  });

  it.each(UNLUCKY)("%s is an error where no other is configured", async (voice, code) => {
    const client = await connect(await start({ poolWarm: 0 }));
    expect((await client.speak(TEXT, { voice })).end).toMatchObject({ type: "error", code });
  });
});

it("an utterance goes on with the second provider at the next word, when the first has gone in its middle", async () => {
  const { configured } = await startSecond();
  const system = await start({ ...HASTY, ...configured, fallbackVoice: HENRY });
  const client = await connect(system);
  system.simulator.setFault({ name: "drop-after-audio", afterMs: 1_500 }, 1);
  const speaking = client.speak(TEXT, { voice: GRACE });
  await client.until("first audio", () => client.receivedFrames > 0 || undefined);
  system.simulator.setFault({ name: "upgrade-503" }, 1_000);
  const { end, splices, pcm } = await speaking;
  expect(end).toMatchObject({ type: "stream_complete", splices: 1 });
  expect(substitutions(client)).toHaveLength(1);
  const at = splices[0]?.firstSample ?? 0;
  expect(at).toBeGreaterThan(0);
  expect(pcm.subarray(0, at * 2).equals((await render(GRACE)).subarray(0, at * 2))).toBe(true);
  const { words } = await speaking;
  expect(words.map(({ text }) => text).join(" ")).toBe(TEXT);
});

it("over HTTP it is said in the answer and in a header", async () => {
  const system = await start({ fallbackVoice: HENRY, poolWarm: 0 });
  const ask = (accept: string) =>
    fetch(`${system.url}/api/v1/synthesize`, {
      method: "POST",
      headers: { "content-type": "application/json", accept },
      body: JSON.stringify({ text: TEXT, voice: "nobodyKnowsThisVoice" }),
    });
  const told = { voice: HENRY, model: MODEL, reason: "provider.voice_not_found" };
  const json = await ask("application/json");
  expect(await json.json()).toMatchObject({ substituted: told });
  const pcm = await ask("audio/pcm");
  expect(Buffer.from(await pcm.arrayBuffer()).equals(await render(HENRY))).toBe(true);
  for (const { headers } of [json, pcm]) {
    expect(Object.fromEntries(new URLSearchParams(headers.get("x-substituted") ?? ""))).toEqual(told);
  }
});

it("what a substitute spoke is not kept as the original's", async () => {
  const { configured } = await startSecond();
  const client = await connect(
    await start({ ...HASTY, breakerOpenMs: 1_000, ...configured, fallbackVoice: HENRY }, true),
  );
  await openCircuit(client);
  const substituted = await client.speak(TEXT, { voice: GRACE });
  expect(substituted.end).toMatchObject({ type: "stream_complete", cache: "miss" });
  expect(substituted.pcm.equals(await render(HENRY))).toBe(true);
  const asAsked = async () => (await client.speak(TEXT, { voice: GRACE })).pcm.equals(await render(GRACE));
  await expect.poll(asAsked, { timeout: 8_000 }).toBe(true);
  const again = async () => (await client.speak(TEXT, { voice: GRACE })).end;
  await expect.poll(again).toMatchObject({ cache: "hit" });
  expect(await asAsked()).toBe(true);
});
