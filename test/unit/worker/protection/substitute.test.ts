import { type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import type { Fallback } from "@tts-labs/worker/protection/choices";
import { type Slots, unlimitedSlots } from "@tts-labs/worker/protection/slots";
import { expect, test } from "vitest";
import {
  type Script,
  ScriptedSynthesizer,
  type ScriptStep,
} from "../../../../testkit/provider/scripted-synthesizer.ts";
import { RunFixture, say } from "../run/run-fixture.ts";

const TEXT = "Good morning, dear listeners.";
/** At 24 kHz. */
const CHAR_SAMPLES = 1_200;
const SECOND = { voice: "v", model: "m", provider: "second" };

/** Each character takes 50 ms. */
function spoken(text: string, samples = text.length * CHAR_SAMPLES): ScriptStep {
  const chars = [...text];
  const alignment = { chars, startMs: chars.map((_, i) => i * 50), durationMs: chars.map(() => 50) };
  return { kind: "audio", samples, alignment };
}
const play = (...steps: ScriptStep[]): Script => ({ steps: [{ kind: "text-end" }, ...steps] });
const fails = (code: ErrorCode): ScriptStep => ({ kind: "fail", error: new GatewayError(code) });
const refusing = (code: ErrorCode): Slots => ({ acquire: () => Promise.reject(new GatewayError(code)) });

const secondOf = (...scripts: Script[]) => ({
  provider: "second",
  synthesizer: new ScriptedSynthesizer(...scripts),
  slots: unlimitedSlots,
});

async function speak(first: readonly Script[], fallbacks: readonly Fallback[], slots?: Slots) {
  const fixture = new RunFixture(new ScriptedSynthesizer(...first), {
    fallbacks,
    ...(slots === undefined ? {} : { slots }),
  });
  await fixture.send(...say(TEXT));
  const [, heard] = await Promise.all([fixture.run(), fixture.listen()]);
  return { ...heard, fixture };
}

test("speaks where the first choice gives no slot, marks every entry, and is nobody's to be cached", async () => {
  const second = secondOf(play(spoken(TEXT)));
  const { result, entries, fixture } = await speak([], [second], refusing("provider.circuit_open"));
  expect(result).toMatchObject({ outcome: { kind: "completed" }, characters: TEXT.length });
  expect(result.provider).toBeUndefined();
  expect(entries.length).toBeGreaterThan(1);
  for (const { substitute } of entries) {
    expect(substitute).toEqual({ ...SECOND, reason: "provider.circuit_open" });
  }
  expect(second.synthesizer.sockets.map(({ fresh }) => fresh)).toEqual([false]);
  expect(fixture.log).toContain("substituted provider.circuit_open");
});

test("is not asked where the first choice speaks, and that may be cached", async () => {
  const second = secondOf(play(spoken(TEXT)));
  const { result, entries } = await speak([play(spoken(TEXT))], [second]);
  expect(result.provider).toBe("test");
  expect(entries.every(({ substitute }) => substitute === undefined)).toBe(true);
  expect(second.synthesizer.sockets).toEqual([]);
});

test("comes after the first choice's own retry, and has one of its own", async () => {
  const second = secondOf({ open: new GatewayError("provider.connect_failed") }, play(spoken(TEXT)));
  const { result, fixture } = await speak([play(fails("provider.silent"))], [second]);
  expect(result.outcome).toEqual({ kind: "completed" });
  expect(fixture.synthesizer.sockets).toHaveLength(2);
  expect(second.synthesizer.sockets.map(({ fresh }) => fresh)).toEqual([false, true]);
});

test("goes on at the next word of what the first choice can't finish", async () => {
  const second = secondOf(play(spoken("dear listeners.")));
  const first = [
    play(spoken("Good morning, dear listeners.", 16 * CHAR_SAMPLES), fails("provider.quota_exceeded")),
  ];
  const { result, entries } = await speak(first, [second]);
  const at = TEXT.indexOf("dear") * CHAR_SAMPLES;
  expect(result).toMatchObject({ outcome: { kind: "completed" }, samples: TEXT.length * CHAR_SAMPLES });
  expect(second.synthesizer.sockets[0]?.heard.join("")).toContain("dear listeners.");
  expect(second.synthesizer.sockets[0]?.heard.join("")).not.toContain("morning");
  const spliced = entries.filter(({ substitute }) => substitute !== undefined);
  expect(spliced[0]).toMatchObject({ firstSample: at, splice: true, continuations: 1 });
  expect(entries.filter(({ splice }) => splice)).toHaveLength(1);
});

test("that fails too: the utterance ends with what the first choice failed with", async () => {
  const second = secondOf({ open: new GatewayError("provider.quota_exceeded") });
  const { result } = await speak([], [second], refusing("provider.circuit_open"));
  expect(result.outcome).toMatchObject({ kind: "failed", code: "provider.circuit_open" });
});

test("without one it ends so at once", async () => {
  const { result, fixture } = await speak([], [], refusing("provider.circuit_open"));
  expect(result.outcome).toMatchObject({ kind: "failed", code: "provider.circuit_open" });
  expect(fixture.log.filter((line) => line.startsWith("substituted"))).toEqual([]);
});

test("that speaks for a worker that goes is kept by the next one", async () => {
  const second = secondOf(
    play(spoken(TEXT, 16 * CHAR_SAMPLES), { kind: "hang" }),
    play(spoken("dear listeners.")),
  );
  const fixture = new RunFixture(new ScriptedSynthesizer(play(fails("provider.voice_not_found"))), {
    fallbacks: [second],
  });
  await fixture.send(...say(TEXT));
  const leaving = new AbortController();
  const running = fixture.run(leaving.signal);
  const listening = fixture.listen();
  const reader = fixture.streams.reader(
    { tag: fixture.utteranceId, name: "audio" },
    { readerId: "watcher", ttlMs: 60_000 },
  );
  await reader.read(1, AbortSignal.timeout(5_000));
  await reader.close();
  leaving.abort(new GatewayError("draining"));
  expect((await running).kind).toBe("handed-over");
  await fixture.run();
  const { result, entries } = await listening;
  expect(result.outcome).toEqual({ kind: "completed" });
  expect(result.provider).toBeUndefined();
  expect(entries.every(({ substitute }) => substitute?.provider === "second")).toBe(true);
  expect(fixture.synthesizer.sockets).toHaveLength(1);
});
