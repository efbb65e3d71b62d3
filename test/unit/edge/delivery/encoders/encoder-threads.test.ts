import { EncoderThreads } from "@tts-labs/edge/delivery/encoders/encoder-threads";
import { parseOutputFormat } from "@tts-labs/edge/delivery/encoders/output-format";
import { afterEach, expect, test } from "vitest";

const HZ = 24_000;
const format = parseOutputFormat("pcm_8000", HZ);
const pcm = new Uint8Array(2 * 960);

let threads: EncoderThreads | undefined;
afterEach(() => threads?.close());

function start(maxEncoders?: number) {
  const reached: string[] = [];
  const observer = {
    budgetReached: (name: string, action: string) => void reached.push(`${name} ${action}`),
  };
  threads = new EncoderThreads(observer, maxEncoders);
  return { threads, reached };
}

function openOne(all: EncoderThreads, of = format) {
  const pieces: Buffer[] = [];
  const failures: string[] = [];
  const encoder = all.open(of, HZ, {
    onEncoded: (more) => void pieces.push(Buffer.concat(more)),
    onFailed: (error) => void failures.push(error.code),
  });
  return { encoder, pieces, failures };
}

test("speech is encoded in another thread, and each question is answered in order", async () => {
  const { threads: all } = start();
  const { encoder, pieces } = openOne(all);
  encoder.encode(pcm);
  encoder.encode(pcm);
  encoder.finish();
  expect(pcm.byteLength).toBe(1_920);
  await expect.poll(() => pieces.length).toBe(3);
  expect(Buffer.concat(pieces).byteLength).toBe(2 * 640);
  encoder.close();
  expect(all.count).toBe(0);
});

test("as many encoders may be open as are allowed; the next one is refused with a time to come back", () => {
  const { threads: all, reached } = start(2);
  const first = openOne(all);
  openOne(all);
  expect(() => openOne(all)).toThrow(/As much speech is being encoded as may be/);
  expect(reached).toEqual(["encoders refused"]);
  first.encoder.close();
  openOne(all);
});

test("without the bound there is no end to them (negative twin)", () => {
  const { threads: all } = start(Number.POSITIVE_INFINITY);
  for (let i = 0; i < 600; i++) openOne(all);
  expect(all.count).toBe(600);
});

test("an encoder that can't be opened fails by itself; others of its thread go on", async () => {
  const { threads: all } = start();
  const bad = openOne(all, { ...format, sampleRateHz: 0 });
  const good = openOne(all);
  bad.encoder.encode(pcm);
  good.encoder.encode(pcm);
  await expect.poll(() => [bad.failures, good.pieces.length]).toEqual([["internal"], 1]);
});

test("what is being encoded when the edge closes fails, and nothing is opened after it", async () => {
  const { threads: all } = start();
  const { failures } = openOne(all);
  await all.close();
  expect(failures).toEqual(["draining"]);
  expect(() => openOne(all)).toThrow();
});
