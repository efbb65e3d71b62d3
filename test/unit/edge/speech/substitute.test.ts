import { type AudioEntry, encodeAudioEntry, type Substitute } from "@tts-labs/core/session/entries";
import { encodeUtteranceResult } from "@tts-labs/core/session/utterance-result";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import { Outbound } from "@tts-labs/edge/delivery/outbound";
import type { Sink } from "@tts-labs/edge/delivery/sink";
import { newTally } from "@tts-labs/edge/delivery/tally";
import type { ClientPosition } from "@tts-labs/edge/speech/reader/audio-reader";
import { deliverUtterance } from "@tts-labs/edge/utterance/delivery";
import { expect, test } from "vitest";

const FRAME_SAMPLES = 100;
const silence = (samples: number): Uint8Array => new Uint8Array(samples * 2);
const voice = (name: string): Substitute => ({ voice: name, model: "m", reason: "provider.circuit_open" });
const HENRY = { substitute: voice("henry") };

/** Two entries of the first choice; the second's half is replaced by what a substitute speaks, and another ends it. */
const ENTRIES: readonly AudioEntry[] = [
  { firstSample: 0, pcm: silence(200) },
  { firstSample: 200, pcm: silence(150) },
  { firstSample: 300, pcm: silence(200), splice: true, ...HENRY },
  { firstSample: 500, pcm: silence(100), ...HENRY },
  { firstSample: 600, pcm: silence(100), splice: true, substitute: { ...voice("emil"), provider: "second" } },
];

/** What a client is sent, in order: frames as their first sample. */
async function deliver(
  options: { entries?: readonly AudioEntry[]; from?: ClientPosition; overflow?: "drop-oldest" } = {},
) {
  const { entries = ENTRIES, from, overflow = "wait" } = options;
  const streams = openMemoryStreams();
  const stream = { tag: "utt", name: "audio" } as const;
  const writer = await streams.claim(stream, { owner: "w", maxBytes: 100_000, ttlMs: 10_000 });
  await writer.append(entries.map(encodeAudioEntry));
  const { firstSample = 0, pcm = silence(0) } = entries.at(-1) ?? {};
  const samples = firstSample + pcm.byteLength / 2;
  await writer.end(encodeUtteranceResult({ outcome: { kind: "completed" }, samples, characters: 9 }));
  const sent: (string | number)[] = [];
  let takes = overflow === "wait";
  const sink: Sink = {
    get writable() {
      return takes;
    },
    batch: (send) => send(),
    sendFrame: ({ firstSample }) => sent.push(firstSample),
    tell: (event) => {
      if (event.kind !== "substituted") sent.push(event.kind);
      else sent.push([event.substitute.voice, event.substitute.provider].join(" ").trim());
    },
  };
  const noted = () => {};
  const outbound = new Outbound({
    sink,
    maxFrames: overflow === "wait" ? 20 : 2,
    overflow,
    onOverflow: noted,
    observer: { framesSent: noted, framesDropped: noted, slowClientTold: noted, queuedFrames: noted },
  });
  const reader = streams.reader(stream, { readerId: "r", ttlMs: 10_000, ...(from && { from: "oldest" }) });
  await deliverUtterance(
    {
      reader: { reader, playedSamples: () => 0, onEntry: noted, ...(from === undefined ? {} : { from }) },
      outbound,
      tally: newTally("utt", 1, from?.sample),
      frameSize: { samples: FRAME_SAMPLES },
      onChunk: noted,
    },
    AbortSignal.timeout(5_000),
  );
  takes = true;
  outbound.resume();
  outbound.close();
  await streams.close();
  return sent;
}

test("who speaks instead is told once, before the first frame of it", async () => {
  expect(await deliver()).toEqual([0, 100, 200, "henry", 300, 400, 500, "emil second", 600]);
});

test("where sentences are spoken one by one, it is told again when the first choice has spoken between", async () => {
  const entries = [HENRY, HENRY, {}, HENRY].map((by, i) => ({
    firstSample: i * 100,
    pcm: silence(100),
    ...by,
  }));
  // The newest frame waits in the cutter: it may turn out to be the last.
  expect(await deliver({ entries })).toEqual(["henry", 0, 100, "henry", 200, 300]);
});

test("a client that comes back within it is told again, one that comes back behind it of the next alone", async () => {
  expect(await deliver({ from: { sample: 450, seq: 3 } })).toEqual([
    "henry",
    450,
    ...[550, "emil second", 600],
  ]);
  expect(await deliver({ from: { sample: 600, seq: 4 } })).toEqual(["emil second", 600]);
});

test("it is told even where the frames it is about were dropped", async () => {
  const sent = await deliver({ overflow: "drop-oldest" });
  expect(sent.filter((it) => typeof it === "string" && it !== "dropped")).toEqual(["henry", "emil second"]);
  expect(sent).toContain("dropped");
});
