import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { ForeignClient } from "../../../testkit/clients/foreign-client.ts";
import { type SystemOptions, startSystem } from "../../../testkit/fleet/system.ts";

const VOICE = "simEnglishGrace0000A";
const SENTENCES = [
  "The river bends three times. ",
  "Then it meets the sea, my dear friend. ",
  "How are you?",
];
const TEXT = SENTENCES.join("");
const MODEL = "eleven_turbo_v2_5";
const SIMULATOR_KEY = { apiKey: "sk_simulator" };
const INSTALL_LIMIT_MS = 400_000;

interface Turn {
  readonly audio?: string;
  readonly words?: readonly { readonly text: string; readonly startTime: number; readonly endTime: number }[];
  readonly error?: string;
  readonly hangs?: boolean;
}
interface Outcome {
  readonly results: readonly Turn[];
  readonly errors: readonly { readonly message: string; readonly recoverable: boolean }[];
}

let plugin: ForeignClient;
beforeAll(async () => {
  plugin = await ForeignClient.install("livekit-elevenlabs");
}, INSTALL_LIMIT_MS);

async function open(options: Partial<SystemOptions> = {}) {
  const system = await startSystem({
    redisUrl: inject("redisUrl"),
    simulator: { timeScale: 0.2 },
    ...options,
    worker: { poolWarm: 0, silenceMs: 800, gapTimeoutMs: 1_500, ...options.worker },
  });
  onTestFinished(() => system.close());
  return system;
}

const speak = (url: string, turns: readonly object[], options: object = {}) =>
  plugin.drive<Outcome>({ baseURL: `${url}/v1`, options: { voiceId: VOICE, ...options }, turns });

const decode = ({ audio = "" }: Turn = {}): Buffer => Buffer.from(audio, "base64");
const said = ({ words = [] }: Turn = {}): string =>
  words
    .map(({ text }) => text)
    .join("")
    .trim();

/** The rest of a frame of LiveKit's own is filled up with silence. */
function expectSame(heard: Buffer, pcm: Buffer): void {
  expect(heard.subarray(0, pcm.length).equals(pcm)).toBe(true);
  expect(heard.subarray(pcm.length).every((byte) => byte === 0)).toBe(true);
}

const render = (text: string) => renderSpeech({ text, voice: VOICE, sampleRateHz: 22_050, model: MODEL });

describe("LiveKit's ElevenLabs plugin, by its base URL alone", () => {
  test("hears the provider's own samples, streamed and chunked, one turn after the other", async () => {
    const { url } = await open();
    const { results, errors } = await speak(url, [
      { texts: SENTENCES },
      { texts: ["And a second turn on the same socket. "] },
      { kind: "chunked", text: TEXT },
    ]);
    expect(errors).toEqual([]);
    expectSame(decode(results[1]), (await render("And a second turn on the same socket.")).pcm);
    expectSame(decode(results[2]), (await render(TEXT)).pcm);
    expect(said(results[0])).toBe(TEXT);
    expectSame(decode(results[0]), (await render(TEXT)).pcm);
  });

  test.each([true, false])(
    "is interrupted in mid-text, and its provider stops (auto mode %s)",
    async (autoMode) => {
      const system = await open({ simulator: { timeScale: 1 }, worker: { silenceMs: 8_000 } });
      const story = Array.from({ length: 20 }, (_, i) => `This is sentence number ${i} of a long story. `);
      const turns = [{ texts: story, interruptAtBytes: 20_000, restMs: 1_500 }, { texts: SENTENCES }];
      const { results, errors } = await speak(system.url, turns, { autoMode });
      expect(errors).toEqual([]);
      const { closedWithoutEnd, openings } = system.simulator.report();
      // The interrupted one, and no other was opened for what came too late.
      expect({ closedWithoutEnd, openings }).toEqual({ closedWithoutEnd: 1, openings: 2 });
      expect(said(results[1])).toBe(TEXT);
    },
  );

  test("hears words whose times rise, from the first to the end of the audio", async () => {
    const { url } = await open();
    const { results } = await speak(url, [{ texts: SENTENCES }]);
    const words = results[0]?.words ?? [];
    const starts = words.map(({ startTime }) => startTime);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    const seconds = (await render(TEXT)).pcm.length / 44_100;
    const end = words.at(-1)?.endTime ?? 0;
    // The pause behind the last word belongs to it.
    expect(Math.abs(end - seconds)).toBeLessThan(0.25);
  });

  /** What a fault costs a client that has its provider to itself, as against one with an edge before it. */
  const FAULTS = [
    { fault: { name: "drop-before-audio" }, direct: "nothing" },
    { fault: { name: "drop-after-audio", afterMs: 900 }, direct: "a part" },
    { fault: { name: "error-mid-stream", afterMs: 900 }, direct: "a part" },
    { fault: { name: "stall-before-audio", forMs: 60_000 }, direct: "hangs" },
    { fault: { name: "stall-mid-segment", afterMs: 900, forMs: 60_000 }, direct: "hangs" },
    { fault: { name: "quota-silence" }, direct: "nothing" },
    { fault: { name: "final-missing" }, direct: "hangs" },
  ] as const;
  test.each(FAULTS)(
    "hears the whole text where its provider has $fault.name, and $direct without the edge",
    async ({ fault, direct }) => {
      const system = await open();
      const turns = [{ texts: SENTENCES, limitMs: 9_000 }];
      system.simulator.setFault(fault);
      const [through] = (await speak(system.url, turns)).results;
      expect(said(through)).toBe(TEXT);
      expect(outcome(through, (await render(TEXT)).pcm.length)).toBe("all");
      system.simulator.clearFaults();
      system.simulator.setFault(fault);
      const [alone] = (await speak(system.simulator.url, turns, SIMULATOR_KEY)).results;
      expect(outcome(alone, (await render(TEXT)).pcm.length)).toBe(direct);
    },
  );
});

/** A second socket begins its first sentence anew, which is spoken a little differently. */
const TOLERATED_BYTES = 22_050;

function outcome(turn: Turn | undefined, bytes: number): "all" | "a part" | "nothing" | "hangs" {
  if (turn?.hangs === true) return "hangs";
  const heard = decode(turn).length;
  if (heard === 0) return "nothing";
  return heard < bytes - TOLERATED_BYTES ? "a part" : "all";
}
