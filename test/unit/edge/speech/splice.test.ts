import type { Alignment } from "@tts-labs/core/audio/alignment";
import { type AudioEntry, encodeAudioEntry } from "@tts-labs/core/session/entries";
import { encodeUtteranceResult } from "@tts-labs/core/session/utterance-result";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import type { Frame } from "@tts-labs/edge/delivery/frame";
import { FrameCutter } from "@tts-labs/edge/delivery/frame-cutter";
import { Outbound } from "@tts-labs/edge/delivery/outbound";
import type { Sink } from "@tts-labs/edge/delivery/sink";
import { newTally } from "@tts-labs/edge/delivery/tally";
import { encodeFrame } from "@tts-labs/edge/dialects/native/encode-event";
import type { ClientPosition, UtteranceEvent } from "@tts-labs/edge/speech/reader/audio-reader";
import { UtteranceReader } from "@tts-labs/edge/speech/reader/audio-reader";
import { parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

/** Samples that tell which part of an utterance they are of. */
const samplesOf = (count: number, value: number): Uint8Array =>
  new Uint8Array(new Int16Array(count).fill(value).buffer);

/** What a player holds that obeys splices. */
function play(frames: readonly Frame[]): { readonly values: number[]; readonly splices: number[] } {
  const values: number[] = [];
  const splices: number[] = [];
  for (const frame of frames) {
    const { firstSample, splice, payload } = parseAudioFrame(encodeFrame(frame, 1));
    if (splice) splices.push(firstSample);
    if (splice ? firstSample > values.length : firstSample !== values.length) {
      throw new Error(`sample ${firstSample} came where ${values.length} was due`);
    }
    values.length = firstSample;
    values.push(...new Int16Array(payload.slice().buffer));
  }
  return { values, splices };
}

const parts = fc.array(fc.record({ back: fc.nat(150), samples: fc.integer({ min: 1, max: 400 }) }), {
  minLength: 1,
  maxLength: 8,
});

test("whatever is spliced in wherever, a player holds the newest of every sample, and is told of no other", () => {
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 130 }), (spoken, frameSamples) => {
      const cutter = new FrameCutter({ samples: frameSamples });
      const frames: Frame[] = [];
      const due: number[] = [];
      const at: number[] = [];
      for (const [i, { back, samples }] of spoken.entries()) {
        if (i > 0) {
          const from = Math.max(0, due.length - back);
          at.push(from);
          due.length = from;
          const rest = cutter.splice(from);
          if (rest !== undefined) frames.push(rest);
        }
        due.push(...new Array<number>(samples).fill(i));
        frames.push(...cutter.push(samplesOf(samples, i), i + 1));
      }
      const last = cutter.finish();
      if (last !== undefined) frames.push(last);
      const played = play(frames);
      expect(played.values).toEqual(due);
      // One of which nothing was sent before the next took it back is not told.
      for (const place of played.splices) expect(at).toContain(place);
      expect(frames.filter((frame) => frame.last)).toHaveLength(1);
      // Short ones are the last, and those before a splice.
      for (const [i, frame] of frames.entries()) {
        const next = frames[i + 1];
        if (next !== undefined && !next.splice) expect(frame.samples).toBe(frameSamples);
      }
    }),
    { seed: 20261122, numRuns: 500 },
  );
});

describe("a splice in the outbound", () => {
  const sent: Frame[] = [];
  let takes = 0;
  const sink: Sink = {
    get writable() {
      return takes > 0;
    },
    batch: (send) => send(),
    sendFrame: (frame) => {
      takes--;
      sent.push(frame);
    },
    tell: () => {},
  };
  const open = (overflow: "wait" | "drop-oldest") => {
    sent.length = 0;
    const observer = {
      framesSent: () => {},
      framesDropped: () => {},
      slowClientTold: () => {},
      queuedFrames: () => {},
    };
    return new Outbound({ sink, maxFrames: 20, overflow, observer, onOverflow: () => {} });
  };
  const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

  test("takes back what has not been sent, and the tally counts by the final clock", async () => {
    const outbound = open("wait");
    const of = newTally("utt", 1);
    const cutter = new FrameCutter({ samples: 100 });
    takes = 5;
    for (const frame of cutter.push(samplesOf(1_050, 1), 1)) outbound.frame(frame, of);
    await tick();
    expect(sent.map(({ firstSample }) => firstSample)).toEqual([0, 100, 200, 300, 400]);
    outbound.takeBack(of, 430);
    expect(outbound.queuedFrames).toBe(0);
    const rest = cutter.splice(430);
    expect(rest).toBeUndefined();
    for (const frame of cutter.push(samplesOf(250, 2), 2)) outbound.frame(frame, of);
    const last = cutter.finish();
    if (last !== undefined) outbound.frame(last, of);
    takes = 100;
    outbound.resume();
    expect(play(sent).values).toEqual([...new Array(430).fill(1), ...new Array(250).fill(2)]);
    expect(of).toMatchObject({ sentSamples: 680, splices: 1, replacedSamples: 70 });
  });

  test("is not dropped where old frames are: it says what it replaces", async () => {
    const outbound = open("drop-oldest");
    const of = newTally("utt", 1);
    const cutter = new FrameCutter({ samples: 10 });
    takes = 0;
    for (const frame of cutter.push(samplesOf(45, 1), 1)) outbound.frame(frame, of);
    const rest = cutter.splice(44);
    if (rest !== undefined) outbound.frame(rest, of);
    for (const frame of cutter.push(samplesOf(600, 2), 2)) outbound.frame(frame, of);
    takes = 100;
    outbound.resume();
    expect(of.droppedFrames).toBeGreaterThan(30);
    expect(sent.filter((frame) => frame.splice)).toHaveLength(1);
  });
});

describe("the utterance reader", () => {
  const timed = (text: string, fromMs: number): Alignment => ({
    chars: [...text],
    startMs: [...text].map((_, i) => fromMs + i * 10),
    durationMs: [...text].map(() => 10),
  });
  /** 100 samples to 100 ms: 1 kHz. */
  const ENTRIES: AudioEntry[] = [
    { firstSample: 0, pcm: samplesOf(100, 1), alignment: timed("one two thr", 0) },
    { firstSample: 100, pcm: samplesOf(60, 1) },
    { firstSample: 80, pcm: samplesOf(90, 2), alignment: timed("three four ", 80), splice: true },
    { firstSample: 170, pcm: samplesOf(30, 2) },
  ];

  async function read(from?: ClientPosition): Promise<UtteranceEvent[]> {
    const streams = openMemoryStreams();
    const stream = { tag: "utt", name: "audio" } as const;
    const writer = await streams.claim(stream, { owner: "w", maxBytes: 100_000, ttlMs: 10_000 });
    await writer.append(ENTRIES.map(encodeAudioEntry));
    await writer.end(encodeUtteranceResult({ outcome: { kind: "completed" }, samples: 200, characters: 20 }));
    const reader = new UtteranceReader({
      reader: streams.reader(stream, { readerId: "r", ttlMs: 10_000, ...(from && { from: "oldest" }) }),
      playedSamples: () => 0,
      onEntry: () => {},
      ...(from === undefined ? {} : { from }),
    });
    const events: UtteranceEvent[] = [];
    while (events.at(-1)?.kind !== "ended") events.push(await reader.next(AbortSignal.timeout(5_000)));
    await reader.close();
    await streams.close();
    return events;
  }

  const shapeOf = (events: readonly UtteranceEvent[]) =>
    events.map((event) =>
      event.kind === "ended"
        ? "end"
        : `${event.firstSample}+${event.pcm.byteLength / 2}${event.splice ? "!" : ""}`,
    );

  test("goes back at a splice, and tells the words anew from there", async () => {
    const events = await read();
    expect(shapeOf(events)).toEqual(["0+100", "100+60", "80+90!", "170+30", "end"]);
    expect(events.flatMap((event) => event.words.map(({ text }) => text))).toEqual([
      "one",
      "two",
      "three",
      "four",
    ]);
  });

  test.each([
    [
      "before it gets all of the new part",
      { sample: 40, seq: 1 },
      ["40+60", "100+60", "80+90!", "170+30", "end"],
    ],
    ["beyond it in the old part, too", { sample: 150, seq: 2 }, ["150+10", "80+90!", "170+30", "end"]],
    ["in the new part goes on there", { sample: 120, seq: 3 }, ["120+50", "170+30", "end"]],
    ["in the new part, short of what the old one held", { sample: 100, seq: 3 }, ["100+70", "170+30", "end"]],
    ["at the end of the new part needs no more", { sample: 200, seq: 4 }, ["end"]],
    [
      "that does not say in which part gets the new one again",
      { sample: 120 },
      ["120+40", "80+90!", "170+30", "end"],
    ],
  ] as const)("a resumed client %s", async (_, from, due) => {
    expect(shapeOf(await read(from))).toEqual(due);
  });
});
