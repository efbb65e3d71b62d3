import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { Frame } from "@tts-labs/edge/delivery/frame";
import { GatheredSink } from "@tts-labs/edge/dialects/synthesize/gathered-sink";
import { ResponseSink } from "@tts-labs/edge/dialects/synthesize/response-sink";
import { describe, expect, test } from "vitest";
import { COMPLETED } from "../../../../testkit/clients/completed-speech.ts";
import { FakeExchange } from "../../../../testkit/fleet/fake-exchange.ts";

const FRAME_SAMPLES = 1_000;
const FRAME_BYTES = 2 * FRAME_SAMPLES;

function frameAt(index: number): Frame {
  const pcm = new Uint8Array(FRAME_BYTES).fill(index % 251);
  const firstSample = index * FRAME_SAMPLES;
  return { firstSample, samples: FRAME_SAMPLES, seq: index, last: false, splice: false, pcm };
}

const pcmOfFrames = (count: number) => Buffer.concat(Array.from({ length: count }, (_, i) => frameAt(i).pcm));

function openJson(budget: ByteBudget) {
  const fake = new FakeExchange();
  const counts = { refused: 0, done: 0 };
  const sink = new GatheredSink({
    exchange: fake.exchange,
    format: "json",
    sampleRateHz: 24_000,
    maxBytes: 16 * 1024 * 1024,
    budget,
    onRefused: () => counts.refused++,
    onDone: () => counts.done++,
  });
  const gather = (frames: number) => {
    for (let i = 0; i < frames; i++) sink.sendFrame(frameAt(i));
  };
  return { fake, sink, counts, gather };
}

const nextTurn = () => new Promise(setImmediate);
const audioOf = (body: string) => Buffer.from((JSON.parse(body) as { audio: string }).audio, "base64");

describe("an answer in JSON", () => {
  test.each([0, 1, 7, 100, 1_000])("of %i frames arrives whole, as it is read", async (frames) => {
    const budget = new ByteBudget(1e9);
    const { fake, sink, counts, gather } = openJson(budget);
    gather(frames);
    fake.takes = false;
    sink.tell(COMPLETED);
    while (!fake.isEnded) fake.drain(false);
    await nextTurn();
    expect(audioOf(fake.body).equals(pcmOfFrames(frames))).toBe(true);
    expect(counts).toEqual({ refused: 0, done: 1 });
    expect(budget.takenBytes).toBe(0);
  });

  test("counts until its client has taken it, and writes no further than one piece ahead", () => {
    const budget = new ByteBudget(1e9);
    const { fake, sink, gather } = openJson(budget);
    gather(1_000);
    expect(budget.takenBytes).toBe(1_000 * FRAME_BYTES);
    fake.takes = false;
    sink.tell(COMPLETED);
    expect(fake.body.length).toBeLessThan(70_000);
    expect(budget.takenBytes).toBe(1_000 * FRAME_BYTES);
    fake.drain(false);
    expect(budget.takenBytes).toBeLessThan(1_000 * FRAME_BYTES);
  });

  test("gives everything back when its client goes, gathering or half read", () => {
    const budget = new ByteBudget(1e9);
    const gathering = openJson(budget);
    gathering.gather(10);
    gathering.fake.leave();
    expect(budget.takenBytes).toBe(0);
    const answering = openJson(budget);
    answering.gather(1_000);
    answering.fake.takes = false;
    answering.sink.tell(COMPLETED);
    answering.fake.leave();
    expect(budget.takenBytes).toBe(0);
  });

  test("that finds no room beside all others gets 503 and the advice to ask for WAV; the others go on", () => {
    const budget = new ByteBudget(150 * FRAME_BYTES);
    const first = openJson(budget);
    first.gather(100);
    const second = openJson(budget);
    second.gather(100);
    expect(second.fake.errors).toEqual([expect.stringMatching(/^capacity\.overloaded: .*audio\/wav/)]);
    expect(second.counts).toEqual({ refused: 1, done: 1 });
    expect(budget.takenBytes).toBe(100 * FRAME_BYTES);
    first.sink.tell(COMPLETED);
    expect(audioOf(first.fake.body).equals(pcmOfFrames(100))).toBe(true);
  });

  test("without a bound on the sum all of them are gathered (negative twin)", () => {
    const budget = new ByteBudget(Number.POSITIVE_INFINITY);
    const many = Array.from({ length: 20 }, () => openJson(budget));
    for (const { gather } of many) gather(100);
    expect(many.flatMap(({ fake }) => fake.errors)).toEqual([]);
    expect(budget.takenBytes).toBe(2_000 * FRAME_BYTES);
  });
});

function openWav(unread: ByteBudget) {
  const fake = new FakeExchange();
  const counts = { unread: 0, done: 0 };
  const sink = new ResponseSink({
    exchange: fake.exchange,
    format: { headers: () => ({}), preamble: () => new Uint8Array(0) },
    onWritable: () => {},
    unread,
    onUnread: () => counts.unread++,
    onDone: () => counts.done++,
  });
  return { fake, sink, counts };
}

describe("a streamed response", () => {
  test("counts what its client has not taken, and ends only once it has", () => {
    const unread = new ByteBudget(1e9);
    const { fake, sink, counts } = openWav(unread);
    fake.takes = false;
    sink.batch(() => sink.sendFrame(frameAt(0)));
    expect(unread.takenBytes).toBe(FRAME_BYTES);
    sink.tell(COMPLETED);
    expect([fake.isEnded, counts.done]).toEqual([false, 0]);
    fake.drain(true);
    expect([fake.isEnded, counts.done, unread.takenBytes]).toEqual([true, 1, 0]);
  });

  test("is cut where what no client has taken is as much as it may be; those that read go on", () => {
    const unread = new ByteBudget(FRAME_BYTES);
    const first = openWav(unread);
    first.fake.takes = false;
    first.sink.batch(() => first.sink.sendFrame(frameAt(0)));
    const second = openWav(unread);
    second.fake.takes = false;
    second.sink.batch(() => second.sink.sendFrame(frameAt(0)));
    expect(second.fake.errors).toEqual(["aborted"]);
    expect(second.counts.unread).toBe(1);
    const reading = openWav(unread);
    reading.sink.batch(() => reading.sink.sendFrame(frameAt(0)));
    expect(reading.fake.errors).toEqual([]);
    first.fake.leave();
    expect(unread.takenBytes).toBe(0);
  });
});
