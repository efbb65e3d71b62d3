import { ConfirmedSink } from "@tts-labs/edge/delivery/confirmed-sink";
import type { Frame } from "@tts-labs/edge/delivery/frame";
import { describe, expect, test } from "vitest";

const FRAME_SAMPLES = 500;
const FRAME_BYTES = FRAME_SAMPLES * 2;

const frame = (number: number): Frame => ({
  ...{ firstSample: number * FRAME_SAMPLES, samples: FRAME_SAMPLES, last: false, splice: false },
  message: new Uint8Array(FRAME_BYTES),
});

function open(maxFrames: number) {
  const asked: string[] = [];
  const socket = {
    writable: true,
    batch: (send: () => void) => send(),
    sendFrame: () => {},
    sendMessage: () => {},
    ask: (payload: string) => void asked.push(payload),
  };
  const sink = new ConfirmedSink(socket, maxFrames * FRAME_BYTES);
  const fill = () => {
    let frames = 0;
    for (; sink.writable; frames++) sink.sendFrame(frame(frames));
    return frames;
  };
  return { sink, socket, asked, fill };
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

  test("is no more writable than its socket", () => {
    const { sink, socket } = open(4);
    socket.writable = false;
    expect(sink.writable).toBe(false);
  });
});
