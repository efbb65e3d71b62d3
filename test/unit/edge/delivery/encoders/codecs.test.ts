import { openCodec } from "@tts-labs/edge/delivery/encoders/codecs/open-codec";
import {
  findOutputFormat,
  OUTPUT_FORMATS,
  type OutputFormat,
  parseOutputFormat,
} from "@tts-labs/edge/delivery/encoders/output-format";
import { expect, test } from "vitest";
import { decodeAudio, largestStep, loudnessOf } from "../../../../../testkit/speech/decode-audio.ts";

const PROVIDER_HZ = 24_000;
/** A tone that lasts no whole number of frames, packets or blocks. */
const SAMPLES = 3 * PROVIDER_HZ + 777;
const AMPLITUDE = 0.4;
const TONE_HZ = 440;
const tone = Int16Array.from({ length: SAMPLES }, (_, i) =>
  Math.round(AMPLITUDE * 32_767 * Math.sin((2 * Math.PI * TONE_HZ * i) / PROVIDER_HZ)),
);

async function encode(format: OutputFormat, runSamples: (run: number) => number): Promise<Buffer> {
  const codec = await openCodec(format, PROVIDER_HZ);
  const pieces: Uint8Array[] = [];
  for (let at = 0, run = 0; at < tone.length; run++) {
    const samples = tone.slice(at, at + runSamples(run));
    pieces.push(...codec.encode(samples));
    at += samples.length;
  }
  pieces.push(...codec.finish());
  codec.close();
  return Buffer.concat(pieces);
}

const inFrames = () => 960;
const inUnevenRuns = (run: number) => 1 + ((run * 7_919) % 3_000);

const formatOf = (name: string): OutputFormat => parseOutputFormat(name, PROVIDER_HZ);

test.each(OUTPUT_FORMATS)(
  "%s is read by a decoder of another's, as long and as loud as the speech",
  async (name) => {
    const format = formatOf(name);
    const decoded = await decodeAudio(await encode(format, inFrames), format);
    // At 32 kbit/s LAME chooses the lower rate itself, and says so in each frame.
    expect(decoded.sampleRateHz).toBe(name === "mp3_44100_32" ? 22_050 : format.sampleRateHz);
    const durationMs = (decoded.samples.length * 1_000) / decoded.sampleRateHz;
    expect(Math.abs(durationMs - (SAMPLES * 1_000) / PROVIDER_HZ)).toBeLessThan(50);
    // What codecs pad with silence is left out of the mean.
    const heard = decoded.samples.subarray(0, Math.floor((SAMPLES * decoded.sampleRateHz) / PROVIDER_HZ));
    const loudness = loudnessOf(heard) / (AMPLITUDE / Math.SQRT2);
    expect(loudness).toBeGreaterThan(0.9);
    expect(loudness).toBeLessThan(1.1);
  },
);

test.each(OUTPUT_FORMATS)("%s has no seam where one run of samples follows another", async (name) => {
  const format = formatOf(name);
  const even = await decodeAudio(await encode(format, inFrames), format);
  const uneven = await decodeAudio(await encode(format, inUnevenRuns), format);
  expect(uneven.samples.length).toBe(even.samples.length);
  expect(Buffer.from(uneven.samples.buffer).equals(Buffer.from(even.samples.buffer))).toBe(true);
  // A click is a step far beyond the tone's own slope.
  const slope = (2 * Math.PI * TONE_HZ * AMPLITUDE) / PROVIDER_HZ;
  const inner = even.samples.subarray(0, Math.floor(0.97 * even.samples.length));
  expect(largestStep({ ...even, samples: inner })).toBeLessThan(1.5 * slope);
});

test("a codec that begins anew with each run clicks, so the tests above would hear it (negative twin)", async () => {
  const format = formatOf("pcm_16000");
  const parts: Uint8Array[] = [];
  for (let at = 0; at < tone.length; at += 960) {
    const codec = await openCodec(format, PROVIDER_HZ);
    parts.push(...codec.encode(tone.slice(at, at + 960)), ...codec.finish());
    codec.close();
  }
  const decoded = await decodeAudio(Buffer.concat(parts), format);
  const slope = (2 * Math.PI * TONE_HZ * AMPLITUDE) / PROVIDER_HZ;
  expect(largestStep(decoded)).toBeGreaterThan(1.5 * slope);
});

test.each(["pcm_8000", "wav_48000", "ulaw_8000", "opus", "mp3", "flac"])(
  "%s of no speech at all is an empty clip",
  async (name) => {
    const format = formatOf(name);
    const codec = await openCodec(format, PROVIDER_HZ);
    const bytes = Buffer.concat(codec.finish());
    codec.close();
    expect(bytes.byteLength).toBeLessThan(1_000);
  },
);

test("an aliased tone above half the new rate is not heard", async () => {
  const format = formatOf("pcm_8000");
  const codec = await openCodec(format, PROVIDER_HZ);
  const high = Int16Array.from({ length: PROVIDER_HZ }, (_, i) =>
    Math.round(12_000 * Math.sin((2 * Math.PI * 6_000 * i) / PROVIDER_HZ)),
  );
  const bytes = Buffer.concat([...codec.encode(high), ...codec.finish()]);
  codec.close();
  const { samples } = await decodeAudio(bytes, format);
  expect(loudnessOf(samples.subarray(200, -200))).toBeLessThan(0.001);
});

test("a format that there is not is refused with those that there are", () => {
  expect(findOutputFormat("aac", PROVIDER_HZ)).toBeUndefined();
  expect(() => formatOf("aac")).toThrow(
    /There is no format "aac"; there are pcm, wav, mulaw, .*mp3_44100_128/,
  );
});
