import { randomBytes } from "node:crypto";
import type { ErrorCode } from "@tts-labs/core/errors";
import { silentLogger } from "@tts-labs/core/logger";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { FAULTS, type FaultName } from "@tts-labs/simulator/faults";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import { renderSpeech } from "@tts-labs/simulator/render";
import { defaultWorkerConfig } from "@tts-labs/worker/config";
import { type RunningWorker, startWorker } from "@tts-labs/worker/main";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { HandEdge, SPEECH } from "../../harness/hand-edge.ts";

/**
 * Every fault of reference/elevenlabs.md 8.3, met by a whole worker: job in, simulator upstream, audio out.
 * A fault in the voice's id strikes each of its sockets, so the one retry meets it again; ordered for the next
 * connection it strikes once, and the retry heals it.
 */
const DEADLINE_MS = 700;
/** Two sockets, each with its deadline; what is left is for a busy machine. */
const PATIENCE_MS = 2 * DEADLINE_MS + 4_000;
const TEXT = "Good morning, this is a sentence that is long enough to be cut in several pieces.";

let simulator: Simulator;
let worker: RunningWorker;
let edge: HandEdge;
let rendered: Buffer;

beforeAll(async () => {
  const keyPrefix = `faults-${randomBytes(4).toString("hex")}`;
  const redisUrl = inject("redisUrl");
  simulator = await startSimulator(defaultSimulatorConfig({ port: 0, timeScale: 0.1 }), silentLogger);
  worker = await startWorker(
    defaultWorkerConfig({
      ...{ redisUrl, keyPrefix, opsPort: 0, elevenLabsUrl: simulator.url, apiKey: "sk_simulator" },
      connectTimeoutMs: DEADLINE_MS,
      firstAudioTimeoutMs: DEADLINE_MS,
      gapTimeoutMs: DEADLINE_MS,
      finalTimeoutMs: DEADLINE_MS,
      overloadPauseMs: 20,
      poolWarm: 0,
    }),
    silentLogger,
  );
  edge = await HandEdge.open(redisUrl, keyPrefix);
  rendered = (await renderSpeech({ ...SPEECH, text: TEXT })).pcm;
});
afterAll(async () => {
  await edge.close();
  await worker.close();
  await simulator.close();
});
beforeEach(() => simulator.reset());

const speakWith = (fault: string) => edge.speak(TEXT, { voice: `${SPEECH.voice}_fault_${fault}` });

async function expectWellBehaved(): Promise<void> {
  expect(simulator.report().violations).toEqual({});
  const next = await edge.speak(TEXT);
  expect(next.result.outcome).toEqual({ kind: "completed" });
  expect(next.pcm.equals(rendered)).toBe(true);
  expect((await fetch(`${worker.opsUrl}/healthz`)).status).toBe(200);
}

interface Failing {
  readonly fault: FaultName;
  /** As the voice id has it, with the fault's numbers. */
  readonly as?: string;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly sockets: number;
  readonly heard: "nothing" | "a part" | "all";
}

const FAILING: readonly Failing[] = [
  { fault: "drop-before-audio", code: "provider.truncated", retryable: true, sockets: 2, heard: "nothing" },
  { fault: "drop-after-audio", code: "provider.truncated", retryable: true, sockets: 1, heard: "a part" },
  {
    fault: "stall-before-audio",
    code: "provider.first_audio_timeout",
    retryable: true,
    sockets: 2,
    heard: "nothing",
  },
  { fault: "stall-mid-segment", code: "provider.gap_timeout", retryable: true, sockets: 1, heard: "a part" },
  { fault: "error-mid-stream", code: "provider.fault", retryable: true, sockets: 1, heard: "a part" },
  { fault: "quota-error", code: "provider.quota_exceeded", retryable: false, sockets: 1, heard: "nothing" },
  { fault: "quota-silence", code: "provider.silent", retryable: true, sockets: 2, heard: "nothing" },
  {
    fault: "idle-kill-at-checkout",
    code: "provider.idle_closed",
    retryable: true,
    sockets: 2,
    heard: "nothing",
  },
  { fault: "final-missing", code: "provider.truncated", retryable: true, sockets: 1, heard: "all" },
  {
    ...{ fault: "final-missing", as: "final-missing_60000", code: "provider.final_timeout" },
    ...{ retryable: true, sockets: 1, heard: "all" },
  },
  { fault: "slow-upgrade", code: "provider.connect_timeout", retryable: true, sockets: 2, heard: "nothing" },
  { fault: "upgrade-429", code: "provider.overloaded", retryable: true, sockets: 2, heard: "nothing" },
  { fault: "upgrade-500", code: "provider.fault", retryable: true, sockets: 2, heard: "nothing" },
  { fault: "upgrade-503", code: "provider.overloaded", retryable: true, sockets: 2, heard: "nothing" },
];

/** Oddities that must not be noticed. */
const HARMLESS: readonly FaultName[] = [
  ...(["empty-audio", "final-false", "final-absent", "alignment-null", "alignment-odd-spelling"] as const),
  ...([
    "odd-pcm",
    "huge-message",
    "non-json",
    "late-audio-after-close",
    "unknown-messages",
    "slow-close",
  ] as const),
];

/** Not met by a client that ends its text once, on stream-input. */
const OUT_OF_REACH: readonly FaultName[] = [
  "text-after-eos-error",
  "eos-flush-ambiguous",
  "flush-close-race",
];

test("every fault of the simulator is in one of these tables", () => {
  const listed = new Set<string>([...FAILING.map(({ fault }) => fault), ...HARMLESS, ...OUT_OF_REACH]);
  expect([...listed].sort()).toEqual(Object.keys(FAULTS).sort());
});

describe("a provider fault on every socket ends the utterance in time, typed, and the next one works", () => {
  test.each(FAILING.map((row) => ({ ...row, as: row.as ?? row.fault })))(
    "$as: $code after $sockets socket(s), $heard heard",
    async (row) => {
      const beganMs = performance.now();
      const { result, pcm } = await speakWith(row.as);
      expect(performance.now() - beganMs).toBeLessThan(PATIENCE_MS);
      expect(result.outcome).toMatchObject({ kind: "failed", code: row.code, retryable: row.retryable });
      expect(result.samples * 2).toBe(pcm.byteLength);
      expect(rendered.subarray(0, pcm.byteLength).equals(pcm)).toBe(true);
      if (row.heard === "nothing") expect(pcm.byteLength).toBe(0);
      else if (row.heard === "all") expect(pcm.byteLength).toBe(rendered.byteLength);
      else expect(pcm.byteLength).toBeGreaterThan(0);
      const { upgrades } = simulator.report();
      const refused = Object.values(upgrades.refused).reduce((sum, count) => sum + count, 0);
      // A socket given up while its upgrade was still slow was neither accepted nor refused.
      expect(upgrades.accepted + refused).toBe(row.fault === "slow-upgrade" ? 0 : row.sockets);
      await expectWellBehaved();
    },
  );
});

describe("a provider oddity is not heard", () => {
  test.each(HARMLESS)("%s", async (fault) => {
    const { result, pcm, entries } = await speakWith(fault);
    expect(result.outcome).toEqual({ kind: "completed" });
    expect(pcm.equals(rendered)).toBe(true);
    const aligned = entries.flatMap((entry) => entry.alignment?.chars ?? []).join("");
    expect(aligned.trim()).toBe(fault === "alignment-null" ? "" : TEXT);
    await expectWellBehaved();
  });
});

describe("a provider fault on one socket, nothing heard yet", () => {
  test.each([
    "drop-before-audio",
    "stall-before-audio",
    "quota-silence",
    "idle-kill-at-checkout",
    "upgrade-503",
  ] as const)("%s is healed by the one retry, on a fresh socket", async (name) => {
    simulator.setFault({ name }, 1);
    const { result, pcm } = await edge.speak(TEXT);
    expect(result.outcome).toEqual({ kind: "completed" });
    expect(pcm.equals(rendered)).toBe(true);
    await expectWellBehaved();
  });
});

test("twenty utterances that meet as many different faults at once all end, and each sound one is whole", async () => {
  const names = [...FAILING.map(({ fault, as }) => as ?? fault), ...HARMLESS].slice(0, 20);
  const [faulty, sound] = await Promise.all([
    Promise.all(names.map(speakWith)),
    Promise.all(names.map(() => edge.speak(TEXT))),
  ]);
  expect(faulty.filter(({ result }) => result.outcome.kind === "failed")).toHaveLength(FAILING.length);
  for (const { pcm } of sound) expect(pcm.equals(rendered)).toBe(true);
  await expectWellBehaved();
});
