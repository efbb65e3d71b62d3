import type { UtteranceEnd } from "@tts-labs/core/session/utterance-end";
import type { Frame } from "@tts-labs/edge/delivery/frame";
import { FrameCutter } from "@tts-labs/edge/delivery/frame-cutter";
import { Outbound } from "@tts-labs/edge/delivery/outbound";
import type { Overflow } from "@tts-labs/edge/delivery/outbound-options";
import { Pacer } from "@tts-labs/edge/delivery/pacing";
import type { Sink } from "@tts-labs/edge/delivery/sink";
import type { SpeechEvent } from "@tts-labs/edge/delivery/speech-event";
import { type DeliveryTally, newTally } from "@tts-labs/edge/delivery/tally";
import { GatewayError } from "@tts-labs/protocol/errors";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

class MemorySink implements Sink {
  /** Frames and messages it takes before it says that it is full. */
  takes = Number.POSITIVE_INFINITY;
  batches = 0;
  readonly sent: string[] = [];

  get writable(): boolean {
    return this.takes > 0;
  }
  batch(send: () => void): void {
    this.batches++;
    send();
  }
  sendFrame(frame: Frame, of: DeliveryTally): void {
    this.takes--;
    this.sent.push(`${of.number}:${frame.firstSample / 10}${frame.last ? "!" : ""}`);
  }
  tell(event: SpeechEvent): void {
    this.takes--;
    const detail = event.kind === "dropped" ? ` ${event.frames}/${event.samples}` : "";
    this.sent.push(`${event.kind}${detail}`);
  }
  /** What a dialect sends past the lane. */
  readonly pong = (): void => {
    this.takes--;
    this.sent.push("pong");
  };
}

let sink: MemorySink;
let overflows: GatewayError[];
let queued: number;
let dropped: number;
const never = new AbortController().signal;

function open(overflow: Overflow = "wait", pacer?: Pacer): Outbound {
  return new Outbound({
    sink,
    maxFrames: 20,
    overflow,
    ...(pacer === undefined ? {} : { pacer }),
    observer: {
      framesSent: () => {},
      slowClientTold: () => {},
      framesDropped: (frames) => {
        dropped += frames;
      },
      queuedFrames: (delta) => {
        queued += delta;
      },
    },
    onOverflow: (error) => overflows.push(error),
  });
}

/** `count` frames of 10 samples each. */
function framesOf(count: number): Frame[] {
  const cutter = new FrameCutter({ samples: 10 });
  const frames = [...cutter.push(new Uint8Array(count * 20), 1)];
  const last = cutter.finish();
  return last === undefined ? frames : [...frames, last];
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));
const WORDS: SpeechEvent = { kind: "words", words: [] };
const FAILED = (): UtteranceEnd => ({ kind: "failed", error: new GatewayError("provider.silent") });

async function fill(outbound: Outbound, frames: readonly Frame[], of: DeliveryTally): Promise<void> {
  for (const frame of frames) {
    await outbound.room(1, never);
    outbound.frame(frame, of);
  }
}

beforeEach(() => {
  sink = new MemorySink();
  overflows = [];
  queued = 0;
  dropped = 0;
});

describe("the outbound", () => {
  test("sends all that is ready in one tick as one batch, in order", async () => {
    const outbound = open();
    const of = newTally("utt", 1);
    outbound.caption(WORDS, of);
    for (const frame of framesOf(3)) outbound.frame(frame, of);
    outbound.end(of, FAILED);
    outbound.now(sink.pong);
    await tick();
    expect(sink.sent).toEqual(["pong", "words", "1:0", "1:1", "1:2!", "ended"]);
    expect(sink.batches).toBe(1);
    expect(of).toMatchObject({ sentFrames: 3, sentSamples: 30, droppedFrames: 0 });
  });

  test("holds at most 20 frames for a sink that does not take, and gives every one later", async () => {
    sink.takes = 2;
    const outbound = open();
    const of = newTally("utt", 1);
    const filled = fill(outbound, framesOf(50), of);
    await tick();
    expect(sink.sent.length).toBe(2);
    expect(outbound.queuedFrames).toBe(20);
    expect(queued).toBe(20);
    for (let i = 0; i < 60 && sink.sent.length < 50; i++) {
      sink.takes = 1;
      outbound.resume();
      await tick();
      expect(outbound.queuedFrames).toBeLessThanOrEqual(20);
    }
    await filled;
    expect(sink.sent).toEqual([...Array.from({ length: 49 }, (_, i) => `1:${i}`), "1:49!"]);
    expect(queued).toBe(0);
  });

  test("gives room for a whole entry only when its frames fit beside those that wait", async () => {
    sink.takes = 0;
    const outbound = open();
    const of = newTally("utt", 1);
    for (const frame of framesOf(12)) outbound.frame(frame, of);
    let hasRoom = false;
    const room = outbound.room(9, never).then(() => {
      hasRoom = true;
    });
    await tick();
    expect(hasRoom).toBe(false);
    sink.takes = 1;
    outbound.resume();
    await room;
    expect(outbound.queuedFrames).toBe(11);
  });

  test("drop-oldest drops the oldest frame and its words, counts, and tells before the next frame", async () => {
    sink.takes = 1;
    const outbound = open("drop-oldest");
    const of = newTally("utt", 1);
    const frames = framesOf(31);
    for (const [i, frame] of frames.entries()) {
      await outbound.room(1, never);
      if (i === 3) outbound.caption(WORDS, of);
      outbound.frame(frame, of);
      await tick();
    }
    outbound.end(of, FAILED);
    sink.takes = 100;
    outbound.resume();
    const kept = Array.from({ length: 19 }, (_, i) => `1:${i + 11}`);
    expect(sink.sent).toEqual(["1:0", "dropped 10/100", ...kept, "1:30!", "ended"]);
    expect(of).toMatchObject({ droppedFrames: 10, sentFrames: 21, sentSamples: 210 });
    expect(dropped).toBe(10);
    expect(queued).toBe(0);
  });

  test("a paced lane that is full because of its clock does not drop", async () => {
    const outbound = open("drop-oldest", new Pacer({ sampleRateHz: 24_000, frameSize: { samples: 10 } }));
    const of = newTally("utt", 1);
    await fill(outbound, framesOf(100), of);
    await expect.poll(() => of.sentFrames).toBe(100);
    expect(dropped).toBe(0);
  });

  test("discards what waits of a cancelled utterance, and only that", async () => {
    sink.takes = 1;
    const outbound = open();
    const [one, two] = [newTally("utt1", 1), newTally("utt2", 2)];
    for (const frame of framesOf(3)) outbound.frame(frame, one);
    outbound.end(one, FAILED);
    for (const frame of framesOf(2)) outbound.frame(frame, two);
    await tick();
    outbound.discard(one);
    sink.takes = 100;
    outbound.resume();
    expect(sink.sent).toEqual(["1:0", "2:0", "2:1!"]);
    expect(queued).toBe(0);
  });

  test("a client that never reads messages is cut off at a bound", async () => {
    sink.takes = 0;
    const outbound = open();
    for (let i = 0; i < 256; i++) outbound.now(sink.pong);
    await tick();
    expect(overflows).toEqual([]);
    outbound.now(sink.pong);
    expect(overflows.map((it) => it.code)).toEqual(["capacity.slow_client"]);
  });

  test("who waits for room is let go when the outbound closes, or with the signal's reason", async () => {
    sink.takes = 0;
    const outbound = open();
    const of = newTally("utt", 1);
    for (const frame of framesOf(20)) outbound.frame(frame, of);
    const abort = new AbortController();
    const aborted = outbound.room(1, abort.signal);
    abort.abort(new Error("cancelled"));
    await expect(aborted).rejects.toThrow("cancelled");
    const waiting = outbound.room(1, never);
    outbound.close();
    outbound.close();
    await waiting;
    expect(queued).toBe(0);
  });
});

describe("a paced outbound", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("sends in real time after a lead of at most 20 frames", async () => {
    const outbound = open("wait", new Pacer({ sampleRateHz: 1_000, frameSize: { samples: 10 } }));
    const of = newTally("utt", 1);
    const filled = fill(outbound, framesOf(80), of);
    await tick();
    expect(of.sentFrames).toBeGreaterThan(3);
    expect(of.sentFrames).toBeLessThanOrEqual(20);
    for (let ms = 0; ms < 800; ms += 5) {
      vi.advanceTimersByTime(5);
      await tick();
      const playedFrames = (ms + 5) / 10;
      expect(of.sentFrames).toBeLessThanOrEqual(Math.ceil(playedFrames) + 20);
      expect(of.sentFrames).toBeGreaterThanOrEqual(Math.min(80, Math.floor(playedFrames)));
    }
    await filled;
    expect(of.sentFrames).toBe(80);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("leaves no timer when it closes", async () => {
    const outbound = open("wait", new Pacer({ sampleRateHz: 1_000, frameSize: { samples: 10 } }));
    const of = newTally("utt", 1);
    for (const frame of framesOf(20)) outbound.frame(frame, of);
    await tick();
    outbound.resume();
    outbound.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
