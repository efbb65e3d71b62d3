import type { SlotLease } from "@tts-labs/core/governor/governor";
import { type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import { toSpeechOptions } from "@tts-labs/protocol/speech-options";
import { toDeadlineError } from "@tts-labs/worker/elevenlabs/errors/provider-error";
import { guardSynthesizer } from "@tts-labs/worker/protection/guarded-synthesizer";
import type { ProviderHealth } from "@tts-labs/worker/protection/provider-health";
import { localLeases, ProviderSlots } from "@tts-labs/worker/protection/provider-slots";
import { expect, it, vi } from "vitest";
import { openLocalHealth } from "../../../../testkit/ground/local-circuits.ts";
import { type Script, ScriptedSynthesizer } from "../../../../testkit/provider/scripted-synthesizer.ts";

const speech = toSpeechOptions({}, { voice: "v", model: "m", sampleRateHz: 24_000 });
const never = new AbortController().signal;

async function fail(health: ProviderHealth, keyId: string, times = 3): Promise<void> {
  for (let i = 0; i < times; i++) {
    (await health.circuit(keyId).admit()).failed(new GatewayError("provider.fault"));
  }
  await vi.waitFor(() => expect(health.circuit(keyId).isClosed).toBe(false), { interval: 1 });
}

/** One utterance over a guarded synthesizer, iterated to its end. */
async function speak(health: ProviderHealth, script: Script, keyId = "a"): Promise<void> {
  const synthesis = await guardSynthesizer(new ScriptedSynthesizer(script), health).open(
    speech,
    never,
    keyId,
  );
  synthesis.speak("Hello");
  synthesis.end();
  for await (const _ of synthesis.events);
}

const failing = (code: ErrorCode): Script => ({ steps: [{ kind: "fail", error: new GatewayError(code) }] });

it("nobody waits for a slot of a provider that is left alone, and who waits is told", async () => {
  const health = openLocalHealth(["a"]);
  let wasAborted = false;
  const acquire = (signal: AbortSignal) =>
    new Promise<SlotLease>((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        wasAborted = true;
        reject(signal.reason);
      });
    });
  const expected: number[] = [];
  const slots = new ProviderSlots({
    source: { acquire },
    health,
    mostExpected: 15,
    expect: (_speech, count) => expected.push(count),
  });
  const waiting = expect(slots.acquire(speech, never)).rejects.toMatchObject({
    code: "provider.circuit_open",
  });
  await fail(health, "a");
  await waiting;
  expect(wasAborted).toBe(true);
  expect(expected).toEqual([1, 0]);
  await expect(slots.acquire(speech, never)).rejects.toMatchObject({
    code: "provider.circuit_open",
    retryAfterMs: expect.any(Number),
  });
  slots.close();
});

it("with one of two circuits open the other key serves all", async () => {
  const health = openLocalHealth(["a", "b"], 60_000, 60_000);
  const leases = localLeases(["a", "b"], (keyId) => health.mayServe(keyId));
  expect([(await leases.acquire(never, 0)).keyId, (await leases.acquire(never, 0)).keyId].sort()).toEqual([
    "a",
    "b",
  ]);
  await fail(health, "a");
  expect([(await leases.acquire(never, 0)).keyId, (await leases.acquire(never, 0)).keyId]).toEqual([
    "b",
    "b",
  ]);
  expect([health.mayWarm("a"), health.mayWarm("b")]).toEqual([false, true]);
  expect(health.refusal).toBeUndefined();
});

it("a lease without limit moves to the other key, and counts for it", async () => {
  const leases = localLeases(["a", "b"], () => true);
  const lease = await leases.acquire(never, 0);
  expect(await lease.move()).toBe(true);
  expect(lease.keyId).toBe("b");
  expect((await leases.acquire(never, 0)).keyId).toBe("a");
  lease.release();
  lease.release();
  expect((await leases.acquire(never, 0)).keyId).toBe("b");
  expect(await lease.move()).toBe(false);
});

it("three sockets that end before any audio open the circuit; the next is not opened", async () => {
  const health = openLocalHealth(["a"]);
  for (let i = 0; i < 3; i++) await expect(speak(health, failing("provider.truncated"))).rejects.toThrow();
  await vi.waitFor(() => expect(health.circuit("a").isClosed).toBe(false), { interval: 1 });
  const inner = new ScriptedSynthesizer(failing("provider.truncated"));
  await expect(guardSynthesizer(inner, health).open(speech, never, "a")).rejects.toMatchObject({
    code: "provider.circuit_open",
  });
  expect(inner.sockets).toEqual([]);
});

it("silence for the budget says nothing of the provider, silence until the deadline does", async () => {
  const health = openLocalHealth(["a"]);
  const early = toDeadlineError("silence");
  for (let i = 0; i < 5; i++) {
    const given = speak(health, { steps: [{ kind: "fail", error: early }] });
    await expect(given).rejects.toMatchObject({ code: "provider.first_audio_timeout" });
  }
  expect(health.circuit("a").isClosed).toBe(true);
  const late = toDeadlineError("first-audio");
  for (let i = 0; i < 3; i++) {
    await expect(speak(health, { steps: [{ kind: "fail", error: late }] })).rejects.toThrow();
  }
  await vi.waitFor(() => expect(health.circuit("a").isClosed).toBe(false), { interval: 1 });
});

it("what breaks off after audio is not held against the provider", async () => {
  const health = openLocalHealth(["a"]);
  const error = new GatewayError("provider.truncated");
  for (let i = 0; i < 5; i++) {
    await expect(
      speak(health, {
        steps: [
          { kind: "audio", samples: 100 },
          { kind: "fail", error },
        ],
      }),
    ).rejects.toMatchObject({ code: "provider.truncated" });
  }
  expect(health.circuit("a").isClosed).toBe(true);
});

it("the probe is made on a fresh socket, and its first audio closes the circuit", async () => {
  const health = openLocalHealth(["a"]);
  await fail(health, "a");
  await vi.waitFor(() => expect(health.mayServe("a")).toBe(true));
  const inner = new ScriptedSynthesizer({ steps: [{ kind: "audio", samples: 100 }, { kind: "hang" }] });
  const synthesis = await guardSynthesizer(inner, health).open(speech, never, "a");
  expect(inner.sockets[0]?.fresh).toBe(true);
  await synthesis.events[Symbol.asyncIterator]().next();
  await vi.waitFor(() => expect(health.circuit("a").isClosed).toBe(true), { interval: 1 });
  synthesis.abort(new GatewayError("cancelled.by_client"));
});

it("a probe that is cancelled decides nothing, and may be made again", async () => {
  const health = openLocalHealth(["a"]);
  await fail(health, "a");
  await vi.waitFor(() => expect(health.mayServe("a")).toBe(true));
  const guarded = guardSynthesizer(new ScriptedSynthesizer({ steps: [{ kind: "hang" }] }), health);
  const probe = await guarded.open(speech, never, "a");
  expect(health.mayServe("a")).toBe(false);
  probe.abort(new GatewayError("cancelled.by_client"));
  await vi.waitFor(() => expect(health.mayServe("a")).toBe(true), { interval: 1 });
  expect(health.circuit("a").isClosed).toBe(false);
});

it("a key without quota rests, and its utterance may be tried with another", async () => {
  const health = openLocalHealth(["a", "b"]);
  await expect(speak(health, failing("provider.quota_exceeded"))).rejects.toMatchObject({
    code: "provider.quota_exceeded",
    retryable: true,
  });
  expect([health.mayServe("a"), health.mayServe("b")]).toEqual([false, true]);
  await expect(speak(health, failing("provider.invalid_key"), "b")).rejects.toMatchObject({
    retryable: true,
  });
  // With none left, one of them is to tell why.
  expect([health.mayServe("a"), health.mayServe("b")]).toEqual([true, true]);
});

it("a key without quota is the end of it where there is no other", async () => {
  const health = openLocalHealth(["a"]);
  await expect(speak(health, failing("provider.quota_exceeded"))).rejects.toMatchObject({ retryable: false });
  expect(health.mayServe("a")).toBe(true);
});

it.each(["provider.wrong_format", "provider.too_much_audio"] as const)(
  "%s is held against the provider, though the sound had begun, until a run ends well",
  async (code) => {
    const health = openLocalHealth(["a"]);
    const failing: Script = {
      steps: [
        { kind: "audio", samples: 100 },
        { kind: "fail", error: new GatewayError(code) },
      ],
    };
    const guarded = guardSynthesizer(
      new ScriptedSynthesizer(failing, failing, { steps: [{ kind: "audio", samples: 100 }] }, failing),
      health,
    );
    const speakOnce = async () => {
      const { events } = await guarded.open(speech, never, "a");
      for await (const _ of events);
    };
    for (let i = 0; i < 2; i++) await expect(speakOnce()).rejects.toMatchObject({ code });
    await speakOnce();
    for (let i = 0; i < 2; i++) await expect(speakOnce()).rejects.toMatchObject({ code });
    expect(health.circuit("a").isClosed).toBe(true);
    await expect(speakOnce()).rejects.toMatchObject({ code });
    await vi.waitFor(() => expect(health.circuit("a").isClosed).toBe(false), { interval: 1 });
  },
);
