import { createMp3Encoder, type WasmMediaEncoder } from "wasm-media-encoders";
import type { OutputFormat } from "../output-format.ts";
import { type Codec, copyOf } from "./codec.ts";
import { toInfoFrame } from "./mp3-info-frame.ts";

type Encoder = WasmMediaEncoder<"audio/mpeg">;
type Bitrate = 32 | 48 | 64 | 96 | 128 | 192;

/** Encoders kept for the next utterances of a thread: one takes milliseconds to make, and a megabyte. */
const MAX_IDLE = 8;
const idle: Encoder[] = [];

export async function openMp3({ sampleRateHz, bitrateKbps }: OutputFormat): Promise<Codec> {
  const encoder = idle.pop() ?? (await createMp3Encoder());
  encoder.configure({ channels: 1, sampleRate: sampleRateHz, bitrate: (bitrateKbps ?? 64) as Bitrate });
  let hasBegun = false;
  const told = (bytes: Uint8Array): Uint8Array<ArrayBuffer>[] => {
    if (bytes.byteLength === 0) return [];
    const own = copyOf(bytes);
    if (hasBegun) return [own];
    hasBegun = true;
    return [toInfoFrame(own), own];
  };
  return {
    encode: (samples) => told(encoder.encode([Float32Array.from(samples, (it) => it / 32_768)])),
    finish: () => told(encoder.finalize()),
    close: () => {
      if (idle.length < MAX_IDLE) idle.push(encoder);
    },
  };
}
