import { SamplePages } from "@tts-labs/client/player/sample-pages";
import { type LineLimits, VoiceLine } from "@tts-labs/client/player/voice-line";
import { describe, expect, it } from "vitest";

const LIMITS: LineLimits = { startSamples: 960, maxSamples: 100_000, fadeSamples: 192 };
const BLOCK = 128;

const ramp = (length: number, from = 0) => Int16Array.from({ length }, (_, i) => ((from + i) % 30_000) + 1);

function render(line: VoiceLine, samples: number): number[] {
  const heard: number[] = [];
  const out = new Float32Array(BLOCK);
  while (heard.length < samples) {
    line.render(out);
    heard.push(...out);
  }
  return heard;
}

const scaled = (samples: Int16Array) => [...samples].map((sample) => Math.fround(sample / 32_768));

describe("the voice line", () => {
  it("plays every sample once, in order and without a gap, however the audio was cut", () => {
    const line = new VoiceLine(LIMITS);
    line.obey({ kind: "begin", take: 1 });
    const samples = ramp(60_001);
    for (let at = 0; at < samples.length; at += 777) {
      line.obey({ kind: "audio", take: 1, samples: samples.subarray(at, at + 777) });
    }
    line.obey({ kind: "complete", take: 1 });
    const heard = render(line, samples.length);
    expect(heard.slice(0, samples.length)).toEqual(scaled(samples));
    expect(heard.slice(samples.length).every((sample) => sample === 0)).toBe(true);
    expect(line.report).toMatchObject({ state: "ended", played: 60_001, underruns: 0, overflowed: false });
  });

  it("waits for a frame before it begins, unless less is all there is", () => {
    const line = new VoiceLine(LIMITS);
    line.obey({ kind: "begin", take: 1 });
    line.obey({ kind: "audio", take: 1, samples: ramp(959) });
    render(line, BLOCK);
    expect(line.report).toMatchObject({ state: "waiting", played: 0 });
    line.obey({ kind: "complete", take: 1 });
    render(line, 959);
    expect(line.report).toMatchObject({ state: "ended", played: 959, underruns: 0 });
  });

  it("counts an underrun only while its take is incomplete, once per gap, and goes on after it", () => {
    const line = new VoiceLine(LIMITS);
    render(line, 1_000);
    line.obey({ kind: "begin", take: 1 });
    render(line, 1_000);
    expect(line.report.underruns).toBe(0);
    line.obey({ kind: "audio", take: 1, samples: ramp(1_000) });
    render(line, 5_000);
    expect(line.report).toMatchObject({ state: "waiting", underruns: 1, played: 1_000 });
    line.obey({ kind: "audio", take: 1, samples: ramp(1_000) });
    line.obey({ kind: "complete", take: 1 });
    render(line, 5_000);
    expect(line.report).toMatchObject({ state: "ended", underruns: 1, played: 2_000 });
  });

  it("stops in a fade of 192 samples that falls to nothing, and forgets the rest", () => {
    const line = new VoiceLine(LIMITS);
    line.obey({ kind: "begin", take: 1 });
    line.obey({ kind: "audio", take: 1, samples: new Int16Array(50_000).fill(16_384) });
    render(line, BLOCK);
    line.obey({ kind: "stop", take: 1 });
    const heard = render(line, 1_000);
    const fade = heard.slice(0, 192);
    expect(fade[0]).toBe(0.5);
    expect(fade.every((sample, i) => i === 0 || (sample < (fade[i - 1] ?? 0) && sample > 0))).toBe(true);
    expect(heard.slice(192).every((sample) => sample === 0)).toBe(true);
    expect(line.report).toMatchObject({ state: "ended", waiting: 0, played: BLOCK + 192 });
  });

  it("fades a take under the one that follows it, and takes no late audio for the new one", () => {
    const line = new VoiceLine(LIMITS);
    line.obey({ kind: "begin", take: 1 });
    line.obey({ kind: "audio", take: 1, samples: new Int16Array(5_000).fill(16_384) });
    render(line, BLOCK);
    line.obey({ kind: "begin", take: 2 });
    line.obey({ kind: "audio", take: 1, samples: ramp(960) });
    expect(render(line, BLOCK)[0]).toBe(0.5);
    expect(line.report).toMatchObject({ take: 2, state: "waiting", played: 0, waiting: 0 });
  });

  it("takes what a splice replaces from the new audio, and plays nothing twice", () => {
    const line = new VoiceLine(LIMITS);
    const [before, after] = [ramp(30_000), ramp(40_000, 7)];
    line.obey({ kind: "begin", take: 1 });
    line.obey({ kind: "audio", take: 1, samples: before });
    const heard = render(line, 10 * BLOCK);
    line.obey({ kind: "splice", take: 1, at: 20_000 });
    expect(line.report).toMatchObject({ waiting: 20_000 - 10 * BLOCK, overtaken: 0 });
    line.obey({ kind: "audio", take: 1, samples: after.subarray(20_000) });
    line.obey({ kind: "complete", take: 1 });
    heard.push(...render(line, 40_000 - heard.length));
    expect(heard.slice(0, 40_000)).toEqual([
      ...scaled(before.subarray(0, 20_000)),
      ...scaled(after.subarray(20_000)),
    ]);
    expect(line.report).toMatchObject({ state: "ended", played: 40_000, underruns: 0, overtaken: 0 });
  });

  it("counts what had been played when a splice replaced it, and goes on at that moment of the new audio", () => {
    const line = new VoiceLine(LIMITS);
    const [before, after] = [ramp(5_000), ramp(9_000, 7)];
    line.obey({ kind: "begin", take: 1 });
    line.obey({ kind: "audio", take: 1, samples: before });
    const heard = render(line, 30 * BLOCK);
    line.obey({ kind: "splice", take: 1, at: 3_000 });
    expect(line.report).toMatchObject({ waiting: 0, overtaken: 840 });
    // In pieces shorter than what has passed.
    for (let at = 3_000; at < 9_000; at += 500) {
      line.obey({ kind: "audio", take: 1, samples: after.subarray(at, at + 500) });
    }
    line.obey({ kind: "complete", take: 1 });
    heard.push(...render(line, 9_000 - heard.length));
    expect(heard.slice(0, 9_000)).toEqual([
      ...scaled(before.subarray(0, 3_840)),
      ...scaled(after.subarray(3_840)),
    ]);
    expect(line.report).toMatchObject({ state: "ended", played: 9_000, underruns: 0, overtaken: 840 });
  });

  it("says when a take is longer than there is room, and plays what came before without a hole", () => {
    const line = new VoiceLine({ ...LIMITS, maxSamples: 2_000 });
    line.obey({ kind: "begin", take: 1 });
    line.obey({ kind: "audio", take: 1, samples: ramp(1_500) });
    line.obey({ kind: "audio", take: 1, samples: ramp(501) });
    line.obey({ kind: "audio", take: 1, samples: ramp(100) });
    expect(line.report).toMatchObject({ overflowed: true, waiting: 1_500 });
  });
});

describe("sample pages", () => {
  it("give back room when their end is forgotten, wherever that is", () => {
    const pages = new SamplePages(60_000);
    const out = new Float32Array(60_000);
    for (const [taken, kept] of [
      [0, 30_000],
      [10_000, 14_000],
      [23_999, 1],
      [100, 23_900],
      [100, 0],
    ] as const) {
      pages.append(ramp(60_000));
      pages.read(out.subarray(0, taken));
      pages.truncate(kept);
      expect(pages.length).toBe(kept);
      expect(pages.append(ramp(500, 3))).toBe(true);
      expect(pages.read(out)).toBe(kept + 500);
      const expected = [...scaled(ramp(60_000).subarray(taken, taken + kept)), ...scaled(ramp(500, 3))];
      expect([...out.subarray(0, kept + 500)]).toEqual(expected);
    }
  });

  it("take up to their bound and give back what they took, page after page", () => {
    const pages = new SamplePages(60_000);
    const out = new Float32Array(50_000);
    for (let round = 0; round < 3; round++) {
      expect(pages.append(ramp(50_000, round))).toBe(true);
      expect(pages.append(new Int16Array(10_001))).toBe(false);
      expect(pages.length).toBe(50_000);
      expect(pages.read(out)).toBe(50_000);
      expect([...out]).toEqual(scaled(ramp(50_000, round)));
    }
    pages.append(ramp(30_000));
    pages.clear();
    expect(pages.read(out)).toBe(0);
    pages.append(ramp(5));
    expect(pages.read(out)).toBe(5);
    expect([...out.subarray(0, 5)]).toEqual(scaled(ramp(5)));
  });
});
