import type { Alignment } from "@tts-labs/core/audio/alignment";
import { type AudioEntry, encodeAudioEntry } from "@tts-labs/core/session/entries";
import { type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import { describe, expect, test, vi } from "vitest";
import {
  countingSamples,
  type Script,
  ScriptedSynthesizer,
  type ScriptStep,
} from "../../../../../testkit/provider/scripted-synthesizer.ts";
import { RunFixture, say } from "../run-fixture.ts";

/** At 24 kHz, 24 samples are a millisecond. */
const MS = 24;
const CHAR_MS = 50;

/** Each character of `text` takes 50 ms of audio. */
function spoken(
  text: string,
  options: { readonly cutMs?: number; readonly timed?: boolean } = {},
): ScriptStep {
  const chars = [...text];
  const alignment: Alignment = {
    chars,
    startMs: chars.map((_, i) => i * CHAR_MS),
    durationMs: chars.map(() => CHAR_MS),
  };
  const samples = (chars.length * CHAR_MS - (options.cutMs ?? 0)) * MS;
  return { kind: "audio", samples, ...(options.timed === false ? {} : { alignment }) };
}

const fails = (code: ErrorCode): ScriptStep => ({ kind: "fail", error: new GatewayError(code) });
const TEXT_END: ScriptStep = { kind: "text-end" };
const play = (...steps: ScriptStep[]): Script => ({ steps });

const TEXT = "Good morning, dear listeners. All is well.";

async function run(fixture: RunFixture) {
  const [, heard] = await Promise.all([fixture.run(), fixture.listen()]);
  return { ...heard, sockets: fixture.synthesizer.sockets.map((socket) => socket.heard.join("|")) };
}

async function speak(...scripts: Script[]) {
  const fixture = new RunFixture(new ScriptedSynthesizer(...scripts));
  await fixture.send(...say(TEXT));
  return { fixture, ...(await run(fixture)) };
}

describe("an utterance whose provider fails in its middle", () => {
  test.each([
    "provider.truncated",
    "provider.fault",
    "provider.gap_timeout",
    "provider.unresponsive",
    "provider.final_timeout",
  ] as const)(
    "%s: goes on at the word being spoken, on a fresh socket, spliced in at its first sample",
    async (code) => {
      // Cut in the middle of "dear".
      const { result, entries, parts, sockets, fixture } = await speak(
        play(TEXT_END, spoken("Good morning, dear listeners", { cutMs: 12 * CHAR_MS }), fails(code)),
        play(TEXT_END, spoken("dear listeners. All is well.")),
      );
      expect(result.outcome).toEqual({ kind: "completed" });
      expect(sockets).toEqual([
        "Good morning, dear listeners. |<flush>|All is well.|<end>",
        "dear listeners. |<flush>|All is well.|<end>",
      ]);
      const at = TEXT.indexOf("dear") * CHAR_MS * MS;
      expect(entries.find((entry) => entry.splice)?.firstSample).toBe(at);
      expect(parts.map(({ firstSample, char }) => [firstSample, char])).toEqual([
        [0, 0],
        [at, TEXT.indexOf("dear")],
      ]);
      expect(result).toMatchObject({ samples: TEXT.length * CHAR_MS * MS, characters: TEXT.length });
      expect(fixture.log).toEqual(["began", "first-audio", `continued ${code}`, "ended completed"]);
      expect(fixture.synthesizer.sockets.map(({ fresh }) => fresh)).toEqual([false, true]);
    },
  );

  test("between two words goes on with the next, and replaces nothing", async () => {
    const { entries, replacedSamples, sockets } = await speak(
      play(TEXT_END, spoken("Good morning, "), fails("provider.truncated")),
      play(TEXT_END, spoken("dear listeners. All is well.")),
    );
    expect(sockets[1]).toBe("dear listeners. |<flush>|All is well.|<end>");
    expect(entries.filter((entry) => entry.splice)).toHaveLength(1);
    expect(replacedSamples).toBe(0);
  });

  test("after its last word, with the text complete, is complete", async () => {
    const { result, sockets, fixture } = await speak(
      play(TEXT_END, spoken(TEXT), fails("provider.final_timeout")),
    );
    expect(result).toMatchObject({ outcome: { kind: "completed" }, samples: TEXT.length * CHAR_MS * MS });
    expect(sockets).toHaveLength(1);
    expect(fixture.log).toEqual(["began", "first-audio", "ended completed"]);
  });

  test("after the last word so far waits for more text before it asks for a socket", async () => {
    const fixture = new RunFixture(
      new ScriptedSynthesizer(
        play(spoken("All is well. "), fails("provider.truncated")),
        play(TEXT_END, spoken("And good.")),
      ),
    );
    await fixture.send({ kind: "text", text: "All is well. " });
    const running = run(fixture);
    await vi.waitFor(() => expect(fixture.synthesizer.sockets[0]?.settled).toBe(true));
    expect(fixture.synthesizer.sockets).toHaveLength(1);
    await fixture.send({ kind: "text", text: " And good." }, { kind: "end" });
    const { result, sockets } = await running;
    expect(result).toMatchObject({ outcome: { kind: "completed" }, characters: 23 });
    expect(sockets[1]?.replaceAll("|", "").trim()).toBe("And good.<end>");
  });

  test("without times goes on where it must have come to, and says that it is a guess", async () => {
    const { result, entries, sockets } = await speak(
      play(TEXT_END, spoken("Good morning, dear", { timed: false }), fails("provider.truncated")),
      play(TEXT_END, spoken("listeners. All is well.")),
    );
    expect(result.outcome).toEqual({ kind: "completed" });
    expect(entries[0]?.resume?.estimated).toBe(true);
    // 18 characters in 0.9 s; 13 a second are reckoned with.
    expect(sockets[1]).toBe("morning, dear listeners. |<flush>|All is well.|<end>");
  });

  test("may fail again and again, but not for ever; then the audio there is, and the last fault", async () => {
    const { result, pcm, sockets, fixture } = await speak(
      play(TEXT_END, spoken("Good "), fails("provider.truncated")),
      play(TEXT_END, spoken("morning, "), fails("provider.gap_timeout")),
      play(fails("provider.connect_failed")),
      play(TEXT_END, spoken("dear "), fails("provider.fault")),
    );
    expect(result.outcome).toMatchObject({ kind: "failed", code: "provider.fault" });
    expect(sockets).toHaveLength(4);
    expect(pcm.byteLength).toBe("Good morning, dear ".length * CHAR_MS * MS * 2);
    expect(fixture.log.slice(2)).toEqual([
      "continued provider.truncated",
      "continued provider.gap_timeout",
      "continued provider.connect_failed",
      "ended provider.fault",
    ]);
  });

  test("for good ends with its code at once", async () => {
    const { result, sockets } = await speak(
      play(TEXT_END, spoken("Good "), fails("provider.quota_exceeded")),
    );
    expect(result.outcome).toMatchObject({ code: "provider.quota_exceeded" });
    expect(sockets).toHaveLength(1);
  });

  test("ends with the fault where continuing is switched off", async () => {
    const scripts = [play(TEXT_END, spoken("Good "), fails("provider.truncated")), play(TEXT_END)];
    const fixture = new RunFixture(new ScriptedSynthesizer(...scripts), { limits: { continuationsMax: 0 } });
    await fixture.send(...say(TEXT));
    const { result, pcm } = await run(fixture);
    expect(result.outcome).toMatchObject({ kind: "failed", code: "provider.truncated" });
    expect(pcm.byteLength).toBeLessThan(TEXT.length * CHAR_MS * MS * 2);
  });
});

describe("an utterance taken over", () => {
  const audio = (fixture: RunFixture) => ({ tag: fixture.utteranceId, name: "audio" }) as const;
  const claim = { owner: "worker_gone", maxBytes: 100_000, ttlMs: 60_000 };
  const begun = (entry: Partial<AudioEntry> = {}) =>
    encodeAudioEntry({
      firstSample: 0,
      pcm: countingSamples(0, 1_000),
      resume: { char: 5, sample: 900 },
      ...entry,
    });

  async function takenOver(script: Script, entry: Partial<AudioEntry> = {}, claims = 1) {
    const fixture = new RunFixture(new ScriptedSynthesizer(script));
    await fixture.send(...say(TEXT));
    for (let i = 0; i < claims; i++) {
      const older = await fixture.streams.claim(audio(fixture), claim);
      if (i === 0) await older.append([begun(entry)]);
    }
    return { fixture, ...(await run(fixture)) };
  }

  test("goes on at the word that its last entry names", async () => {
    const { result, entries, sockets, fixture } = await takenOver(play(TEXT_END, spoken(TEXT.slice(5))));
    expect(result).toMatchObject({
      outcome: { kind: "completed" },
      samples: 900 + TEXT.slice(5).length * CHAR_MS * MS,
      characters: TEXT.length,
    });
    expect(sockets[0]?.split("|")[0]).toBe("morning, dear listeners. ");
    expect(entries[1]).toMatchObject({ firstSample: 900, splice: true, continuations: 1 });
    expect(fixture.log[1]).toBe("continued worker.unavailable");
  });

  test("with all said needs no provider: it is complete with what there is", async () => {
    const { result, sockets } = await takenOver(play(), { resume: { char: TEXT.length, sample: 1_000 } });
    expect(result).toMatchObject({ outcome: { kind: "completed" }, samples: 1_000 });
    expect(sockets).toEqual([]);
  });

  test("obeys a cancel that came meanwhile", async () => {
    const fixture = new RunFixture(new ScriptedSynthesizer(play(TEXT_END, spoken(TEXT))));
    await fixture.send(...say(TEXT), { kind: "cancel" });
    await (await fixture.streams.claim(audio(fixture), claim)).append([begun()]);
    const { result } = await run(fixture);
    expect(result).toMatchObject({ outcome: { kind: "cancelled" }, samples: 1_000 });
  });

  test.each([
    ["its entries count to the bound", { continuations: 3 }, 1],
    ["as many owners have gone", {}, 4],
  ] as const)("is given up once %s", async (_, entry, claims) => {
    const { result, sockets } = await takenOver(play(TEXT_END, spoken(TEXT)), entry, claims);
    expect(result.outcome).toMatchObject({ code: "worker.unavailable", retryable: true });
    expect(result.samples).toBe(1_000);
    expect(sockets).toEqual([]);
  });

  test("by agreement, however often, costs none of its continuations", async () => {
    const begin = "Good morning, ";
    const fixture = new RunFixture(
      new ScriptedSynthesizer(
        play(TEXT_END, { kind: "hang" }),
        play(TEXT_END, spoken(begin), { kind: "hang" }),
        play(TEXT_END, { kind: "hang" }),
        play(TEXT_END, spoken(TEXT.slice(begin.length))),
      ),
      { limits: { continuationsMax: 0 } },
    );
    await fixture.send(...say(TEXT));
    // What is heard before each leaves, the notes of those before it included.
    for (const [worker, entries] of [0, 4, 5].entries()) {
      const leaving = new AbortController();
      const running = fixture.run(leaving.signal);
      await vi.waitFor(async () => {
        expect(fixture.synthesizer.sockets).toHaveLength(worker + 1);
        expect((await fixture.streams.inspect(audio(fixture)))?.lastSeq).toBe(entries);
      });
      leaving.abort(new GatewayError("draining"));
      expect((await running).kind).toBe("handed-over");
    }
    const { result, sockets, entries } = await run(fixture);
    expect(result).toMatchObject({ outcome: { kind: "completed" }, samples: TEXT.length * CHAR_MS * MS });
    expect(sockets[3]?.split("|")[0]).toBe("dear listeners. ");
    expect([...new Set(entries.map(({ handovers }) => handovers))]).toEqual([1, 2, 3]);
    expect(entries.some(({ continuations }) => continuations !== undefined)).toBe(false);
  });

  test("goes on after the newest splice, however often it changes hands", async () => {
    const scripts = [play(TEXT_END, spoken("dear ", { cutMs: 20 }), { kind: "hang" } as const)];
    const fixture = new RunFixture(
      new ScriptedSynthesizer(...scripts, play(TEXT_END, spoken("listeners. All is well."))),
    );
    await fixture.send(...say(TEXT));
    const older = await fixture.streams.claim(audio(fixture), claim);
    await older.append([begun({ resume: { char: TEXT.indexOf("dear"), sample: 800 } })]);
    const stop = new AbortController();
    const second = fixture.run(stop.signal);
    await vi.waitFor(async () => expect((await fixture.streams.inspect(audio(fixture)))?.lastSeq).toBe(2));
    stop.abort(new GatewayError("lease.lost"));
    await second;
    const { entries, result } = await run(fixture);
    const splices = entries.filter(({ splice }) => splice);
    expect(splices.map(({ firstSample, continuations }) => [firstSample, continuations])).toEqual([
      [800, 1],
      [800 + (5 * CHAR_MS - 20) * MS, 2],
    ]);
    expect(result.outcome).toEqual({ kind: "completed" });
  });
});
