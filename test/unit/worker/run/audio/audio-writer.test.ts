import { parseAudioEntry } from "@tts-labs/core/session/entries";
import { sizeOf } from "@tts-labs/core/stream/entry-size";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import type { EntryData, StreamWriter } from "@tts-labs/core/stream/stream";
import { GatewayError } from "@tts-labs/protocol/errors";
import { AudioWriter } from "@tts-labs/worker/run/audio/audio-writer";
import { describe, expect, test, vi } from "vitest";
import { cpuStopwatch } from "../../../../../testkit/ground/cpu-time.ts";
import {
  countingSamples,
  ScriptedSynthesizer,
} from "../../../../../testkit/provider/scripted-synthesizer.ts";
import { RunFixture, say } from "../run-fixture.ts";

const START = { resume: { char: 0, sample: 0 }, endSample: 0, heard: false, continuations: 0, handovers: 0 };
const LATENCY = { queue: 1, slot: 2, connect: 3, provider: 4 };
const { signal } = new AbortController();

/** A writer whose appends end when the test says so. */
function heldWriter(freeBytes = 1_000_000) {
  const appends: { entries: readonly EntryData[]; done: () => void; fail: (error: unknown) => void }[] = [];
  const writer: StreamWriter = {
    epoch: "e",
    fence: 1,
    lastSeq: 0,
    freeBytes,
    append: (entries, aborted) =>
      new Promise((resolve, reject) => {
        appends.push({ entries, done: () => resolve(entries.length), fail: reject });
        aborted?.addEventListener("abort", () => reject(aborted.reason), { once: true });
      }),
    assertCurrent: async () => {},
    park: async () => false,
    end: async () => {},
    close: () => {},
  };
  return { appends, writer };
}

const newAudioWriter = (writer: StreamWriter, readerTimeoutMs = 5_000) => {
  const failures: unknown[] = [];
  const audio = new AudioWriter({
    writer,
    sampleRateHz: 24_000,
    text: () => "Hello there.",
    start: START,
    readerTimeoutMs,
    latency: () => LATENCY,
    onFailure: (error) => failures.push(error),
    observer: { appended: () => {} },
  });
  return { audio, failures };
};

describe("the audio writer", () => {
  test("appends the first chunk at once; small ones that come meanwhile travel together", async () => {
    const { appends, writer } = heldWriter();
    const { audio } = newAudioWriter(writer);
    await audio.write({ pcm: countingSamples(0, 10) }, signal);
    expect(appends).toHaveLength(1);
    await audio.write({ pcm: countingSamples(10, 10) }, signal);
    await audio.write({ pcm: countingSamples(20, 10) }, signal);
    expect(appends).toHaveLength(1);
    appends[0]?.done();
    await vi.waitFor(() => expect(appends).toHaveLength(2));
    appends[1]?.done();
    await audio.finish(signal);
    const [first, second] = appends.map(({ entries }) => entries.map(parseAudioEntry));
    expect(first).toMatchObject([{ firstSample: 0, latencyMs: LATENCY }]);
    expect(second).toMatchObject([{ firstSample: 10 }]);
    expect(Buffer.from(second?.[0]?.pcm ?? []).equals(countingSamples(10, 20))).toBe(true);
    expect(audio.appendedSamples).toBe(30);
  });

  test("splits a long chunk into entries of whole samples; its alignment stays with the first of them", async () => {
    const { appends, writer } = heldWriter();
    const { audio } = newAudioWriter(writer);
    const alignment = { chars: ["a"], startMs: [0], durationMs: [800] };
    const written = audio.write({ pcm: countingSamples(0, 19_200), alignment }, signal);
    await vi.waitFor(() => expect(appends).toHaveLength(1));
    appends[0]?.done();
    await written;
    const entries = appends[0]?.entries.map(parseAudioEntry) ?? [];
    expect(entries.map(({ firstSample, pcm }) => [firstSample, pcm.byteLength])).toEqual([
      [0, 16_384],
      [8_192, 16_384],
      [16_384, 5_632],
    ]);
    expect(entries.map((entry) => entry.alignment)).toEqual([alignment, undefined, undefined]);
  });

  test("joins the alignments of chunks that travel together, and keeps one that comes without sound", async () => {
    const { appends, writer } = heldWriter();
    const { audio } = newAudioWriter(writer);
    await audio.write({ pcm: countingSamples(0, 4) }, signal);
    const at = (char: string, startMs: number) => ({ chars: [char], startMs: [startMs], durationMs: [5] });
    await audio.write({ pcm: Buffer.alloc(0), alignment: at("a", 10) }, signal);
    await audio.write({ pcm: countingSamples(4, 4), alignment: at("b", 15) }, signal);
    appends[0]?.done();
    await vi.waitFor(() => expect(appends).toHaveLength(2));
    expect(appends[1]?.entries.map(parseAudioEntry)).toMatchObject([
      { firstSample: 4, alignment: { chars: ["a", "b"], startMs: [10, 15], durationMs: [5, 5] } },
    ]);
  });

  test("gives a thousand characters that come at once entries of their own, each within its bound", async () => {
    const { appends, writer } = heldWriter();
    const { audio } = newAudioWriter(writer);
    const list = <T>(item: T) => new Array<T>(1_000).fill(item);
    // The longest that a character and its times can be as JSON.
    const alignment = {
      chars: list("\u0001"),
      startMs: list(123.45678901234567),
      durationMs: list(0.1234567890123456),
    };
    await audio.write({ pcm: countingSamples(0, 100), alignment }, signal);
    appends[0]?.done();
    await vi.waitFor(() => expect(audio.appendedSamples).toBe(100));
    await audio.finish(signal);
    const entries = appends.flatMap((append) => append.entries);
    for (const entry of entries) expect(sizeOf(entry)).toBeLessThan(32 * 1_024);
    expect(entries.map(parseAudioEntry).map((it) => [it.alignment?.chars.length, it.pcm.byteLength])).toEqual(
      [
        [400, 0],
        [400, 0],
        [200, 200],
      ],
    );
    const whole = { head: JSON.stringify(alignment), body: new Uint8Array(0) };
    expect(() => sizeOf(whole)).toThrow("MAX_ENTRY_HEAD_BYTES");
  });

  test("a flood of tiny chunks with times costs time in proportion", async () => {
    const { appends, writer } = heldWriter();
    const { audio } = newAudioWriter(writer);
    const cpuMs = cpuStopwatch();
    for (let i = 0; i < 5_000; i++) {
      const alignment = { chars: ["a"], startMs: [i], durationMs: [1] };
      void audio.write({ pcm: countingSamples(i, 1), alignment }, signal);
    }
    expect(cpuMs()).toBeLessThan(1_000);
    expect(appends).toHaveLength(1);
  });

  test("tells of a failed append at once, and appends nothing after it", async () => {
    const { appends, writer } = heldWriter();
    const { audio, failures } = newAudioWriter(writer);
    await audio.write({ pcm: countingSamples(0, 10) }, signal);
    appends[0]?.fail(new GatewayError("storage.unavailable"));
    await vi.waitFor(() => expect(failures).toMatchObject([{ code: "storage.unavailable" }]));
    await expect(audio.finish(signal)).rejects.toMatchObject({ code: "storage.unavailable" });
    expect(appends).toHaveLength(1);
    expect(audio.appendedSamples).toBe(0);
  });

  test("waits for readers no longer than it may", async () => {
    const { writer } = heldWriter(0);
    const { audio, failures } = newAudioWriter(writer, 10);
    await audio.write({ pcm: countingSamples(0, 10) }, signal);
    await vi.waitFor(() => expect(failures).toMatchObject([{ code: "stream.reader_gone" }]));
  });

  test("with nobody reading stops pulling the provider; with a reader every byte arrives", async () => {
    const chunks = 60;
    const steps = Array.from({ length: chunks }, () => ({ kind: "audio" as const, samples: 4_800 }));
    const synthesizer = new ScriptedSynthesizer({ steps: [{ kind: "text-end" }, ...steps] });
    const maxBytes = 64 * 1024;
    const streams = openMemoryStreams();
    const fixture = new RunFixture(synthesizer, { streams, limits: { audioStreamMaxBytes: maxBytes } });
    await fixture.send(...say("Hello"));
    const running = fixture.run();
    const stored = async () =>
      (await streams.inspect({ tag: fixture.utteranceId, name: "audio" }))?.storedBytes ?? 0;
    await vi.waitFor(async () => expect(await stored()).toBeGreaterThan(maxBytes - 16 * 1024 - 9_600));
    const pulledWhenFull = synthesizer.sockets[0]?.pulled ?? 0;
    expect(pulledWhenFull).toBeLessThanOrEqual(maxBytes / 9_600 + 4);
    expect(await stored()).toBeLessThanOrEqual(maxBytes);
    const heard = await fixture.listen();
    expect(heard.pcm.equals(countingSamples(0, chunks * 4_800))).toBe(true);
    expect(heard.result.samples).toBe(chunks * 4_800);
    await running;
    expect(synthesizer.sockets[0]?.pulled).toBe(chunks);
  });
});
