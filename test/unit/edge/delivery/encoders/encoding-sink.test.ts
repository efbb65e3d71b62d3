import type { Encoder, EncoderCalls, Encoders } from "@tts-labs/edge/delivery/encoders/encoder-threads";
import { EncodingSink } from "@tts-labs/edge/delivery/encoders/encoding-sink";
import { parseOutputFormat } from "@tts-labs/edge/delivery/encoders/output-format";
import type { Frame } from "@tts-labs/edge/delivery/frame";
import { Outbound } from "@tts-labs/edge/delivery/outbound";
import type { SpeechEvent } from "@tts-labs/edge/delivery/speech-event";
import { type DeliveryTally, newTally } from "@tts-labs/edge/delivery/tally";
import { GatewayError } from "@tts-labs/protocol/errors";
import { expect, test } from "vitest";
import { COMPLETED } from "../../../../../testkit/clients/completed-speech.ts";

const FRAME_SAMPLES = 100;

/** Answers when the test says so. Its pieces are the frames' first bytes; the rest at the end is `end`. */
class HandEncoders implements Encoders {
  readonly asked: (() => void)[] = [];
  open_ = 0;
  calls: EncoderCalls | undefined;

  open(_format: unknown, _fromHz: number, calls: EncoderCalls): Encoder {
    this.open_++;
    this.calls = calls;
    let isOpen = true;
    const answer = (piece: string) =>
      this.asked.push(() => {
        if (isOpen) calls.onEncoded([new Uint8Array(Buffer.from(piece))]);
      });
    return {
      encode: (pcm) => answer(`${pcm[0]}x${pcm.byteLength}`),
      finish: () => answer("end"),
      close: () => {
        if (isOpen) this.open_--;
        isOpen = false;
      },
    };
  }

  answer(count = Number.POSITIVE_INFINITY): void {
    for (const act of this.asked.splice(0, count)) act();
  }
}

function frame(index: number, options: Partial<Frame> = {}): Frame {
  const pcm = new Uint8Array(2 * FRAME_SAMPLES).fill(index);
  const firstSample = index * FRAME_SAMPLES;
  return { firstSample, samples: FRAME_SAMPLES, seq: index, last: false, splice: false, pcm, ...options };
}

function open(name = "mp3") {
  const encoders = new HandEncoders();
  const heard: string[] = [];
  const failures: string[] = [];
  const inner = {
    writable: true,
    batch: (send: () => void) => send(),
    sendEncoded: (piece: Uint8Array, of: DeliveryTally, upTo: number) =>
      void heard.push(`${of.utteranceId} ${name === "pcm" ? piece.byteLength : Buffer.from(piece)} <${upTo}`),
    tell: (event: SpeechEvent, of: DeliveryTally) => void heard.push(`${of.utteranceId} ${event.kind}`),
  };
  const sink = new EncodingSink({
    sink: inner,
    format: parseOutputFormat(name, 24_000),
    fromHz: 24_000,
    encoders,
    onWritable: () => heard.push("writable"),
    onFailed: (error) => failures.push(error.code),
  });
  const told = () => heard.filter((it) => it !== "writable");
  return { sink, encoders, heard, told, inner, failures };
}

const WORDS: SpeechEvent = { kind: "words", words: [] };
const one = newTally("one", 1);
const two = newTally("two", 2);

test("what is told behind a frame comes behind what was made of it, and the end behind the encoder's rest", () => {
  const { sink, encoders, told } = open();
  sink.tell(WORDS, one);
  sink.sendFrame(frame(0), one);
  sink.tell(WORDS, one);
  sink.sendFrame(frame(1), one);
  sink.tell(COMPLETED, one);
  expect(told()).toEqual(["one words"]);
  encoders.answer(1);
  expect(told()).toEqual(["one words", "one 0x200 <100", "one words"]);
  encoders.answer();
  expect(told().slice(3)).toEqual(["one 1x200 <200", "one end <200", "one ended"]);
  expect(encoders.open_).toBe(0);
});

test("the next utterance begins once the one before is out", () => {
  const { sink, encoders, told } = open();
  sink.sendFrame(frame(0), one);
  sink.tell(COMPLETED, one);
  expect(sink.writable).toBe(false);
  encoders.answer();
  expect(sink.writable).toBe(true);
  sink.sendFrame(frame(0), two);
  sink.tell(COMPLETED, two);
  encoders.answer();
  expect(told().at(-1)).toBe("two ended");
});

test("16 frames may be on their way to the encoder; then the speech waits, and goes on as they come back", () => {
  const { sink, encoders, heard } = open();
  let sent = 0;
  for (; sink.writable && sent < 100; sent++) sink.sendFrame(frame(sent), one);
  expect(sent).toBe(16);
  encoders.answer(1);
  expect(heard.at(-1)).toBe("writable");
  expect(sink.writable).toBe(true);
});

test("a client that takes nothing makes the speech wait", () => {
  const { sink, inner } = open();
  inner.writable = false;
  expect(sink.writable).toBe(false);
});

test("behind a splice only what is new is encoded, where the old speech ends", () => {
  const { sink, encoders, told } = open();
  sink.sendFrame(frame(0), one);
  sink.sendFrame(frame(1), one);
  sink.sendFrame(frame(1, { firstSample: 150, splice: true }), one);
  encoders.answer();
  expect(told().at(-1)).toBe("one 1x100 <250");
});

test("nothing of an utterance that was thrown away comes out, also of what the encoder has", async () => {
  const { sink, encoders, told } = open();
  const observer = { framesSent() {}, framesDropped() {}, slowClientTold() {}, queuedFrames() {} };
  const outbound = new Outbound({ sink, observer, maxFrames: 20, overflow: "wait", onOverflow: () => {} });
  outbound.frame(frame(0), one);
  await Promise.resolve();
  outbound.discard(one);
  encoders.answer();
  expect(told()).toEqual([]);
  expect([sink.writable, encoders.open_]).toEqual([true, 0]);
});

test("without the discard it would (negative twin)", async () => {
  const { sink, encoders, told } = open();
  sink.sendFrame(frame(0), one);
  encoders.answer();
  expect(told()).toEqual(["one 0x200 <100"]);
});

test("an encoder that fails ends the connection, once", () => {
  const { sink, encoders, failures, told } = open();
  sink.sendFrame(frame(0), one);
  encoders.calls?.onFailed(new GatewayError("internal"));
  sink.sendFrame(frame(1), one);
  expect(failures).toEqual(["internal"]);
  expect([sink.writable, told()]).toEqual([false, []]);
});

test("a sink that is closed lets its encoder go", () => {
  const { sink, encoders, told } = open();
  sink.sendFrame(frame(0), one);
  sink.close();
  sink.close();
  encoders.answer();
  expect([encoders.open_, told(), sink.writable]).toEqual([0, [], false]);
});

test("the provider's own samples pass within the call, and ask for no encoder", () => {
  const { sink, encoders, told } = open("pcm");
  sink.sendFrame(frame(0), one);
  sink.sendFrame(frame(0, { firstSample: 50, splice: true }), one);
  sink.tell(COMPLETED, one);
  expect(told()).toEqual(["one 200 <100", "one 100 <150", "one ended"]);
  expect(encoders.asked).toEqual([]);
});
