import type { Frame } from "@tts-labs/edge/delivery/frame";
import { newTally } from "@tts-labs/edge/delivery/tally";
import { ConfirmedSink } from "@tts-labs/edge/dialects/native/confirmed-sink";
import { describe, expect, test } from "vitest";

const FRAME_SAMPLES = 500;
const FRAME_BYTES = FRAME_SAMPLES * 2;

const frame = (number: number): Frame => ({
  firstSample: number * FRAME_SAMPLES,
  samples: FRAME_SAMPLES,
  last: false,
  splice: false,
  seq: number + 1,
  pcm: new Uint8Array(FRAME_BYTES),
});

function open(maxFrames: number) {
  const asked: string[] = [];
  const socket = {
    writable: true,
    batch: (send: () => void) => send(),
    sendFrame: () => {},
    tell: () => {},
    ask: (payload: string) => void asked.push(payload),
  };
  const sink = new ConfirmedSink(socket, maxFrames * FRAME_BYTES);
  const confirmed: number[] = [];
  const tally = { ...newTally("utt_1", 1), onConfirmed: (seq: number) => void confirmed.push(seq) };
  let sent = 0;
  const fill = () => {
    const before = sent;
    for (; sink.writable; sent++) sink.sendFrame(frame(sent), tally);
    return sent - before;
  };
  return { sink, socket, asked, fill, confirmed };
}

describe("the sink of a client that confirms", () => {
  test("takes no more than the bound beyond what was confirmed, and as much again after each pong", () => {
    const { sink, asked, fill } = open(8);
    expect(fill()).toBe(8);
    expect(asked).toHaveLength(4);
    expect(sink.onPong(asked[0] ?? "")).toBe(true);
    expect(fill()).toBe(2);
    expect(sink.onPong(asked.at(-1) ?? "")).toBe(true);
    expect(fill()).toBe(8);
  });

  test("believes no pong that it has not asked for, comes twice, or tells more than was sent", () => {
    const { sink, asked, fill } = open(4);
    fill();
    const [first = ""] = asked;
    expect(["", "1", "b", "bx", "b-1", "b1e9", "b999999"].map((it) => sink.onPong(it))).not.toContain(true);
    expect(sink.writable).toBe(false);
    expect([sink.onPong(first), sink.onPong(first)]).toEqual([true, false]);
  });

  test("tells which stream entries the client has: all before that of the last frame it has", () => {
    const { sink, asked, fill, confirmed } = open(8);
    fill();
    expect(confirmed).toEqual([]);
    sink.onPong(asked[1] ?? "");
    expect(confirmed).toEqual([1, 3]);
    sink.onPong(asked[3] ?? "");
    expect(confirmed).toEqual([1, 3, 5, 7]);
  });

  test("says that an end has arrived once the pong of a ping behind it comes, not one of before", () => {
    const { sink, asked, fill } = open(8);
    fill();
    let arrived = 0;
    sink.whenConfirmed(() => arrived++);
    const [, , , before = "", behind = ""] = asked;
    sink.onPong(before);
    expect(arrived).toBe(0);
    sink.onPong(behind);
    expect(arrived).toBe(1);
  });

  test("holds nothing for ever for a client that answers no ping", () => {
    const { sink } = open(8);
    let arrived = 0;
    for (let end = 0; end < 100; end++) sink.whenConfirmed(() => arrived++);
    expect(arrived).toBe(36);
  });

  test("is no more writable than its socket", () => {
    const { sink, socket } = open(4);
    socket.writable = false;
    expect(sink.writable).toBe(false);
  });
});
