import { silentLogger } from "@tts-labs/core/logger";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { FAULTS, type FaultName } from "@tts-labs/simulator/faults/faults";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Closed, FLASH, GRACE, ProviderClient, socketUrl } from "./provider-client.ts";

const TEXT = "This is a sentence that takes about four seconds to be spoken aloud.";

interface Told {
  readonly client: ProviderClient;
  readonly closed: Closed;
  /** Whether the audio is that of the text, whole. */
  readonly whole: boolean;
}

let simulator: Simulator;
let pcm: Buffer;
beforeAll(async () => {
  simulator = await startSimulator(defaultSimulatorConfig({ port: 0, timeScale: 0 }), silentLogger);
  pcm = (await renderSpeech({ text: TEXT, voice: GRACE })).pcm;
});
afterAll(() => simulator.close());

async function speakWith(fault: string, more: readonly object[] = []): Promise<Told> {
  const client = new ProviderClient(socketUrl(simulator.url, `${GRACE}_fault_${fault}`));
  await client.opened;
  client.send({ text: " " }, { text: TEXT }, { text: "" }, ...more);
  const closed = await client.closed;
  return { client, closed, whole: client.audio.equals(pcm) };
}

/**
 * One test per fault; the record's type holds it complete. Gaps are measured at the client, which may be late
 * for the message before the gap: they may look up to 100 ms shorter than they were.
 */
const shows: Record<FaultName, () => Promise<void>> = {
  "drop-before-audio": async () => {
    const { client, closed } = await speakWith("drop-before-audio");
    expect([closed.code, client.seen.length]).toEqual([1006, 0]);
  },
  "drop-after-audio": async () => {
    const { client, closed } = await speakWith("drop-after-audio_500");
    expect([closed.code, client.finals.length]).toEqual([1006, 0]);
    expect(client.audio.equals(pcm.subarray(0, 24_000))).toBe(true);
    const unmeasured = await speakWith("drop-after-audio");
    expect(unmeasured.client.audioMessages).toHaveLength(1);
  },
  "stall-before-audio": async () => {
    const { client, whole } = await speakWith("stall-before-audio_300");
    expect(whole).toBe(true);
    expect(client.seen[0]?.atMs).toBeGreaterThan(295);
  },
  "stall-mid-segment": async () => {
    const { client, whole } = await speakWith("stall-mid-segment_1000_300");
    expect(whole).toBe(true);
    const gaps = client.seen.map(({ atMs }, i) => atMs - (client.seen[i - 1]?.atMs ?? 0));
    const stall = gaps.findIndex((gap, i) => i > 0 && gap > 200);
    const before = client.audioMessages
      .slice(0, stall)
      .reduce((sum, { json }) => sum + Buffer.from(String(json?.["audio"]), "base64").length, 0);
    expect(before).toBe(48_000);
  },
  "error-mid-stream": async () => {
    const { client, closed, whole } = await speakWith("error-mid-stream");
    expect(whole).toBe(false);
    expect(client.audioMessages.length).toBeGreaterThan(0);
    expect(client.errors.map(({ json }) => json?.["error"])).toEqual(["something_went_wrong"]);
    expect(closed.code).toBe(1008);
    const named = await speakWith("error-mid-stream_500_system_busy");
    expect(named.client.errors.map(({ json }) => json?.["error"])).toEqual(["system_busy"]);
    expect(named.client.audio).toHaveLength(24_000);
  },
  "opening-error": async () => {
    const client = new ProviderClient(
      socketUrl(simulator.url, `${GRACE}_fault_opening-error_voice_disabled`),
    );
    expect((await client.closed).code).toBe(1008);
    expect(client.seen.map(({ json }) => json?.["error"])).toEqual(["voice_disabled"]);
  },
  "named-error": async () => {
    const { client, closed } = await speakWith("named-error_paid_plan_required");
    expect(client.seen.map(({ json }) => json?.["error"])).toEqual(["paid_plan_required"]);
    expect(closed.code).toBe(1008);
    const unnamed = await speakWith("named-error");
    expect(unnamed.client.seen.map(({ json }) => Object.keys(json ?? {}))).toEqual([["code", "message"]]);
  },
  "upgrade-error": () => expectRefusal("upgrade-error_subscription_required", 403),
  "quota-error": async () => {
    const { client, closed } = await speakWith("quota-error");
    expect(client.seen.map(({ json }) => json?.["error"])).toEqual(["quota_exceeded"]);
    expect(closed.code).toBe(1008);
  },
  "quota-silence": async () => {
    const { client, closed } = await speakWith("quota-silence");
    expect([client.audio.length, client.errors.length, client.finals.length]).toEqual([0, 0, 1]);
    expect(closed.code).toBe(1000);
  },
  "idle-kill-at-checkout": async () => {
    const { client, closed } = await speakWith("idle-kill-at-checkout");
    expect(client.seen.map(({ json }) => json?.["error"])).toEqual(["input_timeout_exceeded"]);
    expect(closed.code).toBe(1008);
  },
  "empty-audio": async () => {
    const { client, whole } = await speakWith("empty-audio");
    expect(whole).toBe(true);
    expect(client.audioMessages.filter(({ json }) => json?.["audio"] === "").length).toBeGreaterThan(0);
  },
  "final-false": async () => {
    const { client, whole } = await speakWith("final-false");
    expect(whole).toBe(true);
    expect(new Set(client.audioMessages.map(({ json }) => json?.["isFinal"]))).toEqual(new Set([false]));
    expect(client.finals).toHaveLength(1);
  },
  "final-absent": async () => {
    const { client, whole } = await speakWith("final-absent");
    expect(whole).toBe(true);
    expect(client.audioMessages.some(({ json }) => "isFinal" in (json ?? {}))).toBe(false);
    expect(client.finals).toHaveLength(1);
  },
  "final-missing": async () => {
    const { client, closed, whole } = await speakWith("final-missing_200");
    expect(whole).toBe(true);
    expect([closed.code, client.finals.length]).toEqual([1000, 0]);
    expect(closed.atMs - (client.seen.at(-1)?.atMs ?? 0)).toBeGreaterThan(100);
  },
  "alignment-null": async () => {
    const { client, whole } = await speakWith("alignment-null");
    expect(whole).toBe(true);
    expect(client.seen.every(({ json }) => json?.["alignment"] === null)).toBe(true);
    expect(client.seen.every(({ json }) => json?.["normalizedAlignment"] === null)).toBe(true);
  },
  "alignment-odd-spelling": async () => {
    const { client, whole } = await speakWith("alignment-odd-spelling");
    expect(whole).toBe(true);
    expect(Object.keys(client.seen[0]?.json?.["alignment"] ?? {})).toEqual([
      "charsDurationsMs",
      "charsStartTimesMs",
      "chars",
    ]);
  },
  "alignment-long": async () => expect(await alignedBeyondAudioMs("alignment-long_250")).toBeCloseTo(250, -1),
  "alignment-short": async () => expect(await alignedBeyondAudioMs("alignment-short")).toBeCloseTo(-120, -1),
  "alignment-gaps": async () => {
    const { client, whole } = await speakWith("alignment-gaps");
    expect(whole).toBe(true);
    const { chars } = alignmentsOf(client)[0] ?? { chars: [] };
    expect(chars.length).toBeLessThan(TEXT.length * 0.9);
    expect(chars.filter((char) => char === " ").length).toBe(TEXT.split(" ").length);
  },
  "alignment-merged": async () => {
    const { client, whole } = await speakWith("alignment-merged");
    expect(whole).toBe(true);
    const { chars } = alignmentsOf(client)[0] ?? { chars: [] };
    expect(chars.join("")).toBe(`${TEXT} `);
    expect(chars[0]).toBe("This i");
  },
  "alignment-twice": async () => {
    const { client, whole } = await speakWith("alignment-twice");
    expect(whole).toBe(true);
    const [part, all] = alignmentsOf(client).map(({ chars }) => chars.join(""));
    expect(all).toBe(`${TEXT} `);
    expect(part?.length).toBeLessThan(TEXT.length);
    expect(all?.startsWith(part ?? "")).toBe(true);
  },
  "alignment-huge": async () => {
    const { client, whole } = await speakWith("alignment-huge");
    expect(whole).toBe(true);
    expect(alignmentsOf(client)[0]?.chars.length).toBeGreaterThan(400_000);
  },
  "endless-audio": async () => {
    const client = new ProviderClient(socketUrl(simulator.url, `${GRACE}_fault_endless-audio`));
    await client.opened;
    client.send({ text: " " }, { text: "Hello." }, { text: "" });
    await client.until((seen) => seen.length > 50);
    expect(client.finals).toHaveLength(0);
    client.close();
    await client.closed;
  },
  "wrong-codec": async () => {
    const { client } = await speakWith("wrong-codec");
    expect([client.audio[0], (client.audio[1] ?? 0) & 0xe0]).toEqual([0xff, 0xe0]);
    expect(client.finals).toHaveLength(1);
  },
  "wrong-rate": async () => {
    const { client } = await speakWith("wrong-rate");
    expect(client.audio.length / pcm.length).toBeCloseTo(16 / 24, 2);
    expect(client.finals).toHaveLength(1);
  },
  "binary-audio": async () => {
    const { client } = await speakWith("binary-audio");
    expect(client.audioMessages).toHaveLength(0);
    expect(client.seen.filter(({ json }) => json === undefined).length).toBeGreaterThan(1);
    expect(client.finals).toHaveLength(1);
  },
  "empty-error": async () => {
    const { client, whole } = await speakWith("empty-error");
    expect(whole).toBe(true);
    expect(new Set(client.audioMessages.map(({ json }) => json?.["error"]))).toEqual(new Set([""]));
  },
  "byte-order-mark": async () => {
    const { client } = await speakWith("byte-order-mark");
    expect(client.seen.slice(0, -1).every(({ text }) => text.startsWith("\uFEFF{"))).toBe(true);
    expect(client.finals).toHaveLength(1);
  },
  "close-with-words": async () => {
    const { client, closed } = await speakWith("close-with-words");
    expect(client.seen).toEqual([]);
    expect(closed).toMatchObject({ code: 1011, reason: expect.stringContaining("voice backend") });
  },
  "voices-many": async () => {
    simulator.setFault({ name: "voices-many" }, 3);
    const seen: string[] = [];
    for (let token: string | null = "0"; token !== null; ) {
      const page = await listVoices(`?page_size=100&next_page_token=${token}`);
      const body = (await page.json()) as { voices: { voice_id: string }[]; next_page_token: string | null };
      seen.push(...body.voices.map(({ voice_id }) => voice_id));
      token = body.next_page_token;
    }
    expect(seen.length).toBeGreaterThan(250);
    expect(new Set(seen).size).toBe(seen.length);
  },
  "voices-bomb": async () => {
    simulator.setFault({ name: "voices-bomb" });
    const page = await listVoices("");
    expect(page.headers.get("content-encoding")).toBe("gzip");
    let bytes = 0;
    for await (const piece of page.body ?? []) {
      bytes += piece.length;
      // More than 64 MiB is proof enough; unpacking a whole GiB takes seconds.
      if (bytes > 64 * 1024 * 1024) break;
    }
    expect(bytes).toBeGreaterThan(64 * 1024 * 1024);
  },
  "odd-pcm": async () => {
    const { client, whole } = await speakWith("odd-pcm");
    expect(whole).toBe(true);
    const odd = client.audioMessages.filter(
      ({ json }) => Buffer.from(String(json?.["audio"]), "base64").length % 2 === 1,
    );
    expect(odd.length).toBeGreaterThan(1);
  },
  "huge-message": async () => {
    const { client, whole } = await speakWith("huge-message");
    expect(whole).toBe(true);
    expect(client.seen.filter(({ text }) => text.length > 1024 * 1024)).toHaveLength(1);
  },
  "non-json": async () => {
    const { client, whole } = await speakWith("non-json");
    expect(whole).toBe(true);
    expect(client.seen.map(({ json }) => json === undefined).indexOf(true)).toBe(0);
  },
  "slow-upgrade": async () => {
    const client = new ProviderClient(socketUrl(simulator.url, `${GRACE}_fault_slow-upgrade_300`));
    await client.opened;
    expect(client.nowMs).toBeGreaterThan(295);
    client.close();
    await client.closed;
  },
  "upgrade-429": () => expectRefusal("upgrade-429", 429),
  "upgrade-500": () => expectRefusal("upgrade-500", 500),
  "upgrade-503": () => expectRefusal("upgrade-503", 503),
  "late-audio-after-close": async () => {
    const client = new ProviderClient(socketUrl(unhurried.url, `${GRACE}_fault_late-audio-after-close`));
    await client.opened;
    client.send({ text: " " }, { text: TEXT }, { text: "" });
    await client.closed;
    const final = client.seen.findIndex(({ json }) => json?.["isFinal"] === true);
    const late = client.seen.slice(final + 1);
    expect(late.length).toBeGreaterThan(0);
    expect(late.every(({ json }) => typeof json?.["audio"] === "string")).toBe(true);
  },
  "unknown-messages": async () => {
    const { client, whole } = await speakWith("unknown-messages");
    expect(whole).toBe(true);
    expect(client.seen.filter(({ text }) => text.includes("flush_done")).length).toBeGreaterThan(0);
  },
  "slow-close": async () => {
    const { client, closed, whole } = await speakWith("slow-close_300");
    expect(whole).toBe(true);
    expect(closed.atMs - (client.finals[0]?.atMs ?? 0)).toBeGreaterThan(200);
  },
  "text-after-eos-error": async () => {
    const { client, closed } = await speakWith("text-after-eos-error", [{ text: "More." }]);
    expect(client.errors).toHaveLength(1);
    expect(closed.code).toBe(1008);
    const without = await speakWith("slow-close_0", [{ text: "More." }]);
    expect([without.client.errors.length, without.whole]).toEqual([0, true]);
  },
  "eos-flush-ambiguous": async () => {
    const ended = new ProviderClient(socketUrl(simulator.url, `${GRACE}_fault_eos-flush-ambiguous`));
    await ended.opened;
    ended.send({ text: " " }, { text: TEXT }, { text: "", flush: true });
    expect((await ended.closed).code).toBe(1000);
    expect(ended.finals).toHaveLength(1);
  },
  "flush-close-race": async () => {
    const url = (voice: string) => socketUrl(simulator.url, voice, FLASH, "multi-stream-input");
    const audioOf = async (voice: string) => {
      const client = new ProviderClient(url(voice));
      await client.opened;
      const context_id = "a";
      client.send(
        { text: " ", context_id },
        { text: TEXT, context_id, flush: true },
        { context_id, close_context: true },
        { close_socket: true },
      );
      await client.closed;
      expect(client.finals).toHaveLength(1);
      return client.audio;
    };
    expect(await audioOf(`${GRACE}_fault_flush-close-race`)).toHaveLength(0);
    expect((await audioOf(GRACE)).equals(pcm)).toBe(true);
  },
};

interface Aligned {
  readonly chars: string[];
  readonly charStartTimesMs: number[];
  readonly charDurationsMs: number[];
}

const alignmentsOf = (client: ProviderClient): Aligned[] =>
  client.seen.flatMap(({ json }) => {
    const alignment = json?.["alignment"] as Aligned | null | undefined;
    return alignment ? [alignment] : [];
  });

async function alignedBeyondAudioMs(fault: string): Promise<number> {
  const { client, whole } = await speakWith(fault);
  expect(whole).toBe(true);
  const [alignment] = alignmentsOf(client);
  const endMs = (alignment?.charStartTimesMs.at(-1) ?? 0) + (alignment?.charDurationsMs.at(-1) ?? 0);
  return endMs - pcm.length / 48;
}

const listVoices = (query: string) =>
  fetch(`${simulator.url}/v2/voices${query}`, { headers: { "xi-api-key": "sk_simulator" } });

async function expectRefusal(fault: string, status: number): Promise<void> {
  const client = new ProviderClient(socketUrl(simulator.url, `${GRACE}_fault_${fault}`));
  await expect(client.opened).rejects.toThrow(String(status));
  expect(simulator.report().upgrades.refused[status]).toBeGreaterThan(0);
}

/** Leaves time between the final message and the close. */
let unhurried: Simulator;
beforeAll(async () => {
  const config = { port: 0, timeScale: 0.2, upgradeMs: 0, firstAudioMs: 0 };
  unhurried = await startSimulator(defaultSimulatorConfig(config), silentLogger);
});
afterAll(() => unhurried.close());

describe("the fault", () => {
  it.each(Object.keys(FAULTS) as FaultName[])("%s does what its sentence says", (name) => shows[name]());
});

describe("the switchboard", () => {
  const order = async (body: object) => {
    const response = await fetch(`${simulator.url}/admin/faults`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    await response.arrayBuffer();
    return response;
  };
  const speak = async (voice = GRACE, headers: Record<string, string> = {}) => {
    const client = new ProviderClient(socketUrl(simulator.url, voice), {
      "xi-api-key": "sk_simulator",
      ...headers,
    });
    await client.opened;
    client.send({ text: " " }, { text: TEXT }, { text: "" });
    return (await client.closed).code;
  };

  it("gives an ordered fault to as many connections as were ordered, and no more", async () => {
    expect((await order({ fault: "drop-after-audio", afterMs: 100, connections: 2 })).status).toBe(200);
    expect([await speak(), await speak(), await speak()]).toEqual([1006, 1006, 1000]);
  });

  it("gives it to the voice that was named only", async () => {
    await order({ fault: "drop-before-audio", voice: "simEnglishHenry0000A" });
    expect(await speak()).toBe(1000);
    expect(await speak("simEnglishHenry0000A")).toBe(1006);
  });

  it("takes a header", async () => {
    expect(await speak(GRACE, { "x-simulator-fault": "drop-after-audio:250" })).toBe(1006);
  });

  it("takes no misspelt fault for good behaviour", async () => {
    expect(await speak(`${GRACE}_fault_odd-pmc`)).toBe(1008);
    await expect(speak(GRACE, { "x-simulator-fault": "odd-pmc" })).rejects.toThrow("400");
  });

  it("forgets what was ordered", async () => {
    await order({ fault: "drop-before-audio", connections: 10 });
    expect((await fetch(`${simulator.url}/admin/faults`, { method: "DELETE" })).status).toBe(200);
    expect(await speak()).toBe(1000);
  });

  it("can be set from the process that started it", async () => {
    simulator.setFault({ name: "drop-before-audio" });
    expect(await speak()).toBe(1006);
    expect(await speak()).toBe(1000);
  });

  it.each([
    { fault: "no-such-fault" },
    { fault: "drop-after-audio:abc" },
    { fault: "odd-pcm:1" },
    { fault: "odd-pcm", connections: 0 },
    { fault: "odd-pcm", connections: 1e9 },
    { fault: "stall-before-audio:99999999" },
    { nothing: true },
  ])("refuses %j", async (body) => {
    expect((await order(body)).status).toBe(422);
  });
});
