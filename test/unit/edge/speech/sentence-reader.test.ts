import { type AudioEntry, encodeAudioEntry, parseAudioEntry } from "@tts-labs/core/session/entries";
import type { PassedParts } from "@tts-labs/core/session/session-store";
import { encodeUtteranceResult, type Outcome } from "@tts-labs/core/session/utterance-result";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import { UtteranceReader } from "@tts-labs/edge/speech/reader/audio-reader";
import { SentenceReader } from "@tts-labs/edge/speech/sentences/sentence-reader";
import { SentenceText } from "@tts-labs/edge/speech/sentences/sentence-text";
import { samplesToMs } from "@tts-labs/protocol/audio/pcm";
import { GatewayError } from "@tts-labs/protocol/errors";
import { describe, expect, onTestFinished, test } from "vitest";
import { Random } from "../../../../testkit/ground/random.ts";
import { joinedPcm } from "../../../../testkit/speech/joined-speech.ts";

const RATE = 24_000;
const TEXT = "The first one. And then the second, which is longer. A third.";
const COMPLETED: Outcome = { kind: "completed" };
const START: PassedParts = { parts: 0, samples: 0, characters: 0 };

const sentencesOf = (text: string) => {
  const it = new SentenceText();
  it.push(text);
  it.flush();
  return it.sentences;
};

/** Each letter 240 samples (10 ms) of noise. */
function partOf(text: string, random: Random): { readonly pcm: Uint8Array; readonly entries: AudioEntry[] } {
  const pcm = new Uint8Array(
    Int16Array.from({ length: text.length * 240 }, () => random.below(60_000) - 30_000).buffer,
  );
  const entries: AudioEntry[] = [];
  for (let at = 0; at < text.length; ) {
    const end = Math.min(text.length, at + 1 + random.below(9));
    const chars = [...text.slice(at, end)];
    const begin = at;
    const alignment = {
      chars,
      startMs: chars.map((_, i) => (begin + i) * 10),
      durationMs: chars.map(() => 10),
    };
    entries.push({ firstSample: at * 240, pcm: pcm.subarray(at * 480, end * 480), alignment });
    at = end;
  }
  return { pcm, entries };
}

/** Reads parts that lie in streams of their own, to the end. */
async function read(
  parts: readonly {
    readonly entries: readonly AudioEntry[];
    readonly samples: number;
    readonly outcome?: Outcome;
  }[],
  options: { readonly from?: PassedParts; readonly replayBytes?: number; readonly text?: string } = {},
) {
  const streams = openMemoryStreams();
  onTestFinished(() => streams.close());
  const sentences = sentencesOf(options.text ?? TEXT);
  const passed: PassedParts[] = [];
  for (const [number, { entries, samples, outcome = COMPLETED }] of parts.entries()) {
    const ref = { tag: `part-${number}`, name: "audio" } as const;
    const writer = await streams.claim(ref, { owner: "w", maxBytes: 1_000_000, ttlMs: 60_000 });
    await writer.append(entries.map(encodeAudioEntry));
    await writer.end(
      encodeUtteranceResult({ outcome, samples, characters: sentences[number]?.text.length ?? 0 }),
    );
  }
  const joined = new SentenceReader({
    sampleRateHz: RATE,
    replayBytes: options.replayBytes ?? 0,
    from: options.from ?? START,
    parts: {
      part: async (number) => {
        const sentence = sentences[number];
        if (sentence === undefined) return undefined;
        const ref = { tag: `part-${number}`, name: "audio" } as const;
        return { sentence, reader: streams.reader(ref, { readerId: "r", ttlMs: 60_000 }) };
      },
      partRead: () => {},
      partsPassed: (it) => passed.push(it),
    },
  });
  const seen: AudioEntry[] = [];
  const reader = new UtteranceReader({
    reader: joined,
    playedSamples: () => 0,
    onEntry: (entry) => seen.push(parseAudioEntry(encodeAudioEntry({ ...entry, pcm: entry.pcm.slice() }))),
    ...(options.from && { from: { sample: options.from.samples } }),
  });
  const words: { text: string; startMs: number }[] = [];
  const pieces: Buffer[] = [];
  const splices: number[] = [];
  for (;;) {
    const event = await reader.next(AbortSignal.timeout(5_000));
    if (event.kind === "ended") {
      words.push(...event.words);
      await reader.close();
      return { pcm: Buffer.concat(pieces), words, splices, seen, passed, result: event.result };
    }
    if (event.splice) {
      splices.push(event.firstSample);
      const kept = Buffer.concat(pieces).subarray(0, event.firstSample * 2);
      pieces.splice(0, pieces.length, kept);
      while (words.length > 0 && (words.at(-1)?.startMs ?? 0) >= samplesToMs(event.firstSample, RATE))
        words.pop();
    }
    words.push(...event.words);
    pieces.push(Buffer.from(event.pcm));
    reader.advance(event.seq);
  }
}

const makeParts = (seed: number, text = TEXT) => {
  const random = new Random(seed);
  return sentencesOf(text).map((sentence) => {
    const { pcm, entries } = partOf(sentence.text, random);
    return { pcm, entries, samples: pcm.byteLength / 2 };
  });
};

describe("sentences, each made by itself, are read as one utterance", () => {
  test("on one clock: samples joined, words in time and apart, places in the whole text", async () => {
    const parts = makeParts(1);
    const { pcm, words, seen, result } = await read(parts);
    expect(pcm.equals(joinedPcm(parts.map((it) => it.pcm)))).toBe(true);
    expect(words.map(({ text }) => text)).toEqual(TEXT.split(" "));
    const spoken = sentencesOf(TEXT)
      .flatMap(({ text }) => [...text])
      .join("");
    let at = 0;
    for (const word of words) {
      at = spoken.indexOf(word.text, at);
      expect(word.startMs).toBeCloseTo(at * 10, 6);
      at += word.text.length;
    }
    expect(result).toEqual({ outcome: COMPLETED, samples: pcm.length / 2, characters: spoken.length });
    const places = seen.flatMap(({ resume }) => resume?.char ?? []);
    expect(places).toEqual([0, TEXT.indexOf("And"), TEXT.indexOf("A third")]);
  });

  test("without white space between them no word is torn from the next", async () => {
    const text = "Wide marks end。次の文。";
    const { words } = await read(makeParts(2, text), { text });
    expect(words.map((it) => it.text)).toEqual(["Wide", "marks", "end。", "次", "の", "文。"]);
  });

  test("a splice in the last or any other part replaces what it replaced there", async () => {
    const places = sentencesOf(TEXT).flatMap(({ number, text }) =>
      [0, text.indexOf(" ") + 1, text.lastIndexOf(" ") + 1].map((letter) => [number, letter] as const),
    );
    for (const [number, letter] of places) {
      const parts = makeParts(3);
      const spoken = parts[number];
      if (spoken === undefined) throw new Error("no such part");
      const random = new Random(number * 100 + letter);
      const anew = partOf((sentencesOf(TEXT)[number]?.text ?? "").slice(letter), random);
      const [first, ...rest] = anew.entries.map((entry) => ({
        ...entry,
        firstSample: entry.firstSample + letter * 240,
        alignment: {
          chars: entry.alignment?.chars ?? [],
          durationMs: entry.alignment?.durationMs ?? [],
          startMs: (entry.alignment?.startMs ?? []).map((ms) => ms + letter * 10),
        },
      }));
      if (first === undefined) throw new Error("nothing anew");
      const mended = {
        ...spoken,
        entries: [...spoken.entries, { ...first, splice: true as const }, ...rest],
      };
      const { pcm, splices, words } = await read(parts.map((it, i) => (i === number ? mended : it)));
      const whole = Buffer.concat([spoken.pcm.subarray(0, letter * 480), anew.pcm]);
      expect(pcm.equals(joinedPcm(parts.map((it, i) => (i === number ? whole : it.pcm))))).toBe(true);
      expect(splices).toHaveLength(1);
      expect(words.map((it) => it.text)).toEqual(TEXT.split(" "));
    }
  });

  test("one that fails is the end, after all that came before it", async () => {
    const [first, second, third] = makeParts(4);
    if (first === undefined || second === undefined || third === undefined) throw new Error("too few");
    const failed: Outcome = { kind: "failed", code: "worker.unavailable", message: "m", retryable: true };
    const cut = { ...second, entries: second.entries.slice(0, 2), outcome: failed };
    const { pcm, result } = await read([first, cut, third]);
    const came = Buffer.concat(cut.entries.map((it) => Buffer.from(it.pcm)));
    expect(pcm.equals(joinedPcm([first.pcm, came]))).toBe(true);
    expect(result.outcome).toEqual(failed);
  });

  test("one that is shorter than it says is lost, not passed over", async () => {
    const [first, second, third] = makeParts(5);
    if (first === undefined || second === undefined || third === undefined) throw new Error("too few");
    const short = { ...second, entries: second.entries.slice(0, -1) };
    await expect(read([first, short, third])).rejects.toEqual(expect.any(GatewayError));
  });

  test("those that can't be asked for again are let go, and whoever comes back begins behind them", async () => {
    const parts = makeParts(6);
    const whole = await read(parts);
    expect(whole.passed.map((it) => it.parts)).toEqual([1, 2, 3]);
    // Enough can be asked for that the first one is never let go.
    expect((await read(parts, { replayBytes: 1_000_000 })).passed).toEqual([]);
    for (const from of whole.passed) {
      const rest = await read(parts, { from });
      expect(rest.pcm.equals(whole.pcm.subarray(from.samples * 2))).toBe(true);
      expect(rest.result).toEqual(whole.result);
    }
  });
});
