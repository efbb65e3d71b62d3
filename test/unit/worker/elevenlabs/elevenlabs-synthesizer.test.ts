import type { Logger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import {
  type ElevenLabsSynthesizer,
  openElevenLabsSynthesizer,
} from "@tts-labs/worker/elevenlabs/elevenlabs-synthesizer";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { collect } from "../../../../testkit/provider/provider-socket.ts";
import {
  audioMessage,
  FINAL_MESSAGE,
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../testkit/provider/scripted-provider.ts";

const KEY = "sk_0123456789_very_secret";
const SPOKEN = "the user's private words";
const never = new AbortController().signal;
const SPEECH: SpeechOptions = {
  voice: "simEnglishGrace0000A",
  model: "eleven_flash_v2_5",
  autoMode: false,
  sampleRateHz: 24_000,
};

let provider: ScriptedProvider;
let synthesizer: ElevenLabsSynthesizer;
let logged: string[] = [];
const log = (fields: object, message: string) => void logged.push(JSON.stringify([fields, message]));
const logger: Logger = { debug: log, info: log, warn: log, error: log };

beforeEach(async () => {
  logged = [];
  provider = await startScriptedProvider();
  synthesizer = openElevenLabsSynthesizer({
    url: provider.url,
    apiKey: KEY,
    logger,
    pool: { warmPerRoute: 1, staggerMs: 5 },
    deadlines: { forcedCloseMs: 100, closeWaitMs: 100 },
  });
});
afterEach(async () => {
  await synthesizer.close();
  await provider.close();
});

describe("the ElevenLabs synthesizer", () => {
  it("prewarms, opens warm, and opens fresh when asked", async () => {
    synthesizer.prewarm(SPEECH);
    await provider.session(0);
    await vi.waitFor(async () => {
      const synthesis = await synthesizer.open(SPEECH, never);
      synthesis.abort(new GatewayError("cancelled.by_client"));
      expect(synthesis.opening).toEqual({ warm: true, connectMs: 0 });
    });
    const fresh = await synthesizer.openFresh(SPEECH, never);
    expect(fresh.opening.warm).toBe(false);
    expect(fresh.opening.connectMs).toBeGreaterThan(0);
  });

  it.each([
    [{ url: "api.elevenlabs.io" }],
    [{ url: "ftp://api.elevenlabs.io" }],
    [{ apiKey: "sk_with\nnewline" }],
    [{ apiKey: "" }],
  ])("refuses a configuration that could never work: %j", (options) => {
    const open = () => openElevenLabsSynthesizer({ url: provider.url, apiKey: KEY, logger, ...options });
    expect(open).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });

  it("throws the reason of an opening given up", async () => {
    provider.onUpgrade = () => "stall";
    const controller = new AbortController();
    const opening = synthesizer.openFresh(SPEECH, controller.signal);
    const reason = new Error("not wanted any more");
    controller.abort(reason);
    await expect(opening).rejects.toBe(reason);
  });

  it("closed, ends what is being spoken and takes nothing new", async () => {
    const { events } = await synthesizer.open(SPEECH, never);
    await Promise.all([
      expect(collect(events)).resolves.toMatchObject({ error: { code: "draining" } }),
      synthesizer.close(),
    ]);
    await synthesizer.close();
    await expect(synthesizer.open(SPEECH, never)).rejects.toMatchObject({ code: "draining" });
  });

  it("never logs the key nor what is spoken, whether it goes well or not", async () => {
    provider.onSession = async ({ ended, send }) => {
      await ended();
      send(audioMessage(Buffer.alloc(960)));
      send(FINAL_MESSAGE);
    };
    const speak = async () => {
      const synthesis = await synthesizer.open(SPEECH, never);
      synthesis.speak(SPOKEN);
      synthesis.end();
      return collect(synthesis.events);
    };
    expect((await speak()).error).toBeUndefined();
    const cruel = { error: `bad key ${KEY}`, message: `invalid api key ${KEY} for "${SPOKEN}"` };
    provider.onSession = ({ send, ended }) => ended().then(() => send(cruel));
    await vi.waitFor(async () => {
      const { error } = await speak();
      expect(error).toMatchObject({ code: "provider.invalid_key" });
      expect(JSON.stringify(error) + String(error)).not.toMatch(/very_secret|private words/);
    });
    await vi.waitUntil(() => logged.some((line) => line.includes("provider.invalid_key")));
    expect(logged.join("\n")).not.toMatch(/very_secret|private words/);
    expect(logged.some((line) => line.includes("firstAudioMs"))).toBe(true);
  });
});
