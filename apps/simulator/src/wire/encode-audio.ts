import { wavHeader } from "@tts-labs/protocol/audio/wav-header";
import { createMp3Encoder } from "wasm-media-encoders";
import type { AudioFormat } from "./audio-format.ts";
import { encodeTelephony } from "./telephony.ts";

/** Turns runs of samples into bytes of one format. */
export interface AudioEncoder {
  encode(samples: Int16Array): Buffer;
  /** What the encoder still held; empty for all but mp3. */
  finish(): Buffer;
}

const NOTHING = Buffer.alloc(0);

/** Samples as the bytes they are; a view (all machines we run on are little-endian). */
export const toPcmBytes = (samples: Int16Array): Buffer =>
  Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);

/** mp3 encoders carry state from piece to piece, the others none. */
export async function openEncoder(format: AudioFormat): Promise<AudioEncoder> {
  switch (format.codec) {
    case "pcm":
    case "wav":
      return { encode: toPcmBytes, finish: () => NOTHING };
    case "ulaw":
    case "alaw": {
      const law = format.codec;
      return { encode: (samples) => encodeTelephony(samples, law), finish: () => NOTHING };
    }
    case "mp3":
      return openMp3(format);
  }
}

async function openMp3({ sampleRateHz, bitrateKbps }: AudioFormat): Promise<AudioEncoder> {
  const encoder = await createMp3Encoder();
  encoder.configure({
    channels: 1,
    sampleRate: sampleRateHz,
    bitrate: (bitrateKbps ?? 128) as 32 | 48 | 64 | 96 | 128 | 192,
  });
  return {
    // The encoder's output buffer is reused by its next call.
    encode: (samples) =>
      Buffer.from(encoder.encode([Float32Array.from(samples, (sample) => sample / 32_768)])),
    finish: () => Buffer.from(encoder.finalize()),
  };
}

/** A whole file: all samples at once, with a header where the format has one. */
export async function encodeFile(samples: Int16Array, format: AudioFormat): Promise<Buffer> {
  const encoder = await openEncoder(format);
  const body = Buffer.concat([encoder.encode(samples), encoder.finish()]);
  return format.codec === "wav" ? Buffer.concat([wavHeader(format.sampleRateHz, body.length), body]) : body;
}
