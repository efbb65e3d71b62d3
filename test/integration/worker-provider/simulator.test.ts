import { type Alignment, shiftAlignment, type Word, WordCutter } from "@tts-labs/core/audio/alignment";
import { silentLogger } from "@tts-labs/core/logger";
import { samplesToMs } from "@tts-labs/protocol/audio/pcm";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import type { FaultName } from "@tts-labs/simulator/faults/faults";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import { renderMessages, renderSpeech } from "@tts-labs/simulator/voice/render";
import {
  type ElevenLabsSynthesizer,
  openElevenLabsSynthesizer,
} from "@tts-labs/worker/elevenlabs/elevenlabs-synthesizer";
import { silentObserver } from "@tts-labs/worker/elevenlabs/observer";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { collect } from "../../../testkit/provider/provider-socket.ts";

const VOICE = "simEnglishGrace0000A";
const TEXT = "The quick brown fox jumps over the lazy dog, and then it rests for a while.";
const never = new AbortController().signal;
const speech = (over: Partial<SpeechOptions> = {}): SpeechOptions => ({
  voice: VOICE,
  model: "eleven_flash_v2_5",
  autoMode: false,
  sampleRateHz: 24_000,
  ...over,
});

let simulator: Simulator;
let synthesizer: ElevenLabsSynthesizer;
const warm = vi.fn();
const ignoredMessage = vi.fn();

beforeAll(async () => {
  simulator = await startSimulator(defaultSimulatorConfig({ port: 0, timeScale: 0.1 }), silentLogger);
});
afterAll(() => simulator.close());

beforeEach(() => {
  simulator.reset();
  vi.clearAllMocks();
});
afterEach(() => synthesizer.close());

function openSynthesizer(options: Partial<Parameters<typeof openElevenLabsSynthesizer>[0]> = {}) {
  synthesizer = openElevenLabsSynthesizer({
    url: simulator.url,
    apiKey: "sk_simulator",
    logger: silentLogger,
    observer: { ...silentObserver, warm, ignoredMessage },
    ...options,
  });
  return synthesizer;
}

async function say(pieces: readonly string[], over: Partial<SpeechOptions> = {}) {
  const synthesis = await synthesizer.open(speech(over), never);
  for (const piece of pieces) synthesis.speak(piece);
  synthesis.end();
  return { ...(await collect(synthesis.events)), opening: synthesis.opening };
}

/** The words of generations that follow one another, each with timings of its own. */
function segmentWords(segments: readonly Alignment[]): Word[] {
  let offsetMs = 0;
  return segments.flatMap((segment) => {
    const cutter = new WordCutter();
    const words = cutter.push(shiftAlignment(segment, offsetMs));
    offsetMs += segment.durationMs.reduce((sum, ms) => sum + ms, 0);
    return [...words, ...cutter.finish()];
  });
}

/** What the client said on the socket that spoke; others may be warming up beside it. */
const sentMessages = () =>
  simulator
    .report()
    .log.find(({ ends }) => ends > 0)
    ?.messages.filter(({ from }) => from === "client") ?? [];

const untilWarm = (count: number) =>
  vi.waitUntil(() => warm.mock.lastCall?.[0] === count, { timeout: 5_000, interval: 5 });

describe("the worker's provider, against the simulator", () => {
  it("hands out byte for byte what the simulator renders, with every word in its time", async () => {
    openSynthesizer();
    const { pcm, chunks, error } = await say([TEXT]);
    expect(error).toBeUndefined();
    const rendering = await renderSpeech({ text: TEXT, voice: VOICE });
    expect(pcm.equals(rendering.pcm)).toBe(true);

    const cutter = new WordCutter();
    const words = chunks.flatMap(({ alignment }) => (alignment === undefined ? [] : cutter.push(alignment)));
    expect([...words, ...cutter.finish()].map(({ text }) => text).join(" ")).toBe(TEXT);
    const expected = new WordCutter().push(rendering.alignment);
    expect(words.map(({ startMs }) => startMs)).toEqual(expected.map(({ startMs }) => startMs));
    const lengthMs = samplesToMs(pcm.length / 2, 24_000);
    expect(Math.max(...words.map(({ endMs }) => endMs))).toBeLessThanOrEqual(lengthMs + 1);
  });

  it("token by token gives the same as at once, whatever the tokens", async () => {
    openSynthesizer();
    const tokens = TEXT.match(/.{1,3}/g) ?? [];
    expect((await say(tokens)).pcm.equals((await renderSpeech({ text: TEXT, voice: VOICE })).pcm)).toBe(true);
  });

  it("puts several generations on one clock", async () => {
    openSynthesizer();
    const synthesis = await synthesizer.open(speech(), never);
    for (const sentence of ["First comes this. ", "Then comes that. ", "At last, the end."]) {
      synthesis.speak(sentence);
      synthesis.flush();
    }
    synthesis.end();
    const { pcm, chunks, error } = await collect(synthesis.events);
    expect(error).toBeUndefined();
    const rendering = await renderMessages(
      sentMessages().map(({ text = "", flush }) => (flush === true ? { text, flush } : { text })),
      { voice: VOICE, model_id: "eleven_flash_v2_5", output_format: "pcm_24000" },
    );
    expect(rendering.generations).toHaveLength(3);
    expect(pcm.equals(rendering.pcm)).toBe(true);
    const cutter = new WordCutter();
    const words = chunks.flatMap(({ alignment }) => (alignment === undefined ? [] : cutter.push(alignment)));
    const startsMs = [...words, ...cutter.finish()].map(({ startMs }) => startMs);
    expect(startsMs).toEqual(startsMs.toSorted((a, b) => a - b));
    const truth = segmentWords(rendering.segments);
    expect(startsMs).toHaveLength(truth.length);
    // The provider's timings and audio differ by up to 36 ms per message (docs/simulator.md, "Inexactness").
    for (const [i, { startMs }] of truth.entries()) {
      expect(Math.abs((startsMs[i] ?? Number.NaN) - startMs)).toBeLessThanOrEqual(40);
    }
  });

  it("takes the second utterance's socket from the pool, and behaves well all along", async () => {
    openSynthesizer({ pool: { staggerMs: 10 } });
    const first = await say(["Hello."]);
    expect(first.opening.warm).toBe(false);
    expect(first.opening.connectMs).toBeGreaterThan(10);
    synthesizer.prewarm(speech());
    await untilWarm(3);
    const second = await say(["Hello again."]);
    expect(second.opening).toEqual({ warm: true, connectMs: 0 });
    await untilWarm(3);
    await synthesizer.close();
    await vi.waitUntil(() => simulator.report().connections.open === 0);
    const report = simulator.report();
    expect(report.violations).toEqual({});
    expect(report.openings).toBe(report.connections.opened);
    expect(report.log.every(({ openings }) => openings === 1)).toBe(true);
    expect(report.ends).toBe(2);
    expect(report.closes).toEqual({ 1000: report.connections.opened });
    expect(ignoredMessage).not.toHaveBeenCalled();
  });

  it("speaks sentences in auto mode as one clip each, without splitting a word", async () => {
    openSynthesizer();
    const { pcm, error } = await say(["One sen", "tence. ", "And ano", "ther."], { autoMode: true });
    expect(error).toBeUndefined();
    expect(sentMessages().map(({ text }) => text)).toEqual([
      " ",
      "One ",
      "sentence. ",
      "And ",
      "another.",
      "",
    ]);
    expect(pcm.length).toBeGreaterThan(0);
  });

  it("lists the voices to choose from", async () => {
    openSynthesizer();
    const voices = await synthesizer.listVoices();
    expect(voices).toContainEqual({ id: VOICE, name: "Grace", language: "en" });
    expect(voices.length).toBeGreaterThan(3);
  });
});

describe("a fault of the provider", () => {
  const WHOLE = "whole";
  /** Those that are judged elsewhere: of lists of voices, errors by their names, what needs bounds of its own. */
  type Elsewhere =
    | "voices-many"
    | "voices-bomb"
    | "opening-error"
    | "named-error"
    | "upgrade-error"
    | "empty-error"
    | "byte-order-mark"
    | "alignment-huge"
    | "endless-audio"
    | "wrong-codec"
    | "wrong-rate"
    | "binary-audio";
  /** How an utterance ends under each fault: `whole`, or the code of its error. */
  const OUTCOMES: Record<Exclude<FaultName, Elsewhere>, string> = {
    "drop-before-audio": "provider.truncated",
    "drop-after-audio": "provider.truncated",
    "stall-before-audio": "provider.first_audio_timeout",
    "stall-mid-segment": "provider.gap_timeout",
    "error-mid-stream": "provider.fault",
    "quota-error": "provider.quota_exceeded",
    "close-with-words": "provider.truncated",
    "quota-silence": "provider.silent",
    "idle-kill-at-checkout": "provider.idle_closed",
    "empty-audio": WHOLE,
    "final-false": WHOLE,
    "final-absent": WHOLE,
    "final-missing": "provider.truncated",
    "alignment-null": WHOLE,
    "alignment-odd-spelling": WHOLE,
    "alignment-long": WHOLE,
    "alignment-short": WHOLE,
    "alignment-gaps": WHOLE,
    "alignment-merged": WHOLE,
    "alignment-twice": WHOLE,
    "odd-pcm": WHOLE,
    "huge-message": WHOLE,
    "non-json": WHOLE,
    "slow-upgrade": "provider.connect_timeout",
    "upgrade-429": "provider.overloaded",
    "upgrade-500": "provider.fault",
    "upgrade-503": "provider.overloaded",
    "late-audio-after-close": WHOLE,
    "unknown-messages": WHOLE,
    "slow-close": WHOLE,
    "text-after-eos-error": WHOLE,
    "eos-flush-ambiguous": WHOLE,
    "flush-close-race": WHOLE,
  };

  it.each(Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[])(
    "%s ends the utterance in time, and the next one works",
    async (fault) => {
      openSynthesizer({
        pool: { warmPerRoute: 0 },
        deadlines: {
          connectMs: 500,
          firstAudioMs: 400,
          gapMs: 400,
          finalMs: 400,
          forcedCloseMs: 100,
          closeWaitMs: 100,
        },
      });
      const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE });
      const beganMs = performance.now();
      const told = await say([TEXT], { voice: `${VOICE}_fault_${fault}` }).catch((error: unknown) => ({
        error,
        pcm,
      }));
      expect(performance.now() - beganMs).toBeLessThan(5_000);
      if (OUTCOMES[fault] === WHOLE) {
        expect(told.error).toBeUndefined();
        expect(told.pcm.equals(pcm)).toBe(true);
      } else expect(told.error).toMatchObject({ code: OUTCOMES[fault] });
      expect((await say([TEXT])).pcm.equals(pcm)).toBe(true);
    },
  );

  it.each([
    ["a wrong key", { apiKey: "sk_wrong" }, {}, "provider.invalid_key"],
    ["no key", { apiKey: undefined }, {}, "provider.invalid_key"],
    ["an unknown voice", {}, { voice: "notARealVoiceId000000" }, "provider.voice_not_found"],
    ["a model without sockets", {}, { model: "eleven_v3" }, "provider.unsupported_model"],
  ])("%s fails for good", async (_name, options, over, code) => {
    openSynthesizer({ pool: { warmPerRoute: 0 }, ...options });
    const error = await say(["Hi."], over).then(
      (told) => told.error,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code, retryable: false });
  });
});
