import type { OutputFormat } from "@tts-labs/edge/delivery/encoders/output-format";
import { FLACDecoder } from "@wasm-audio-decoders/flac";
import { MPEGDecoder } from "mpg123-decoder";
import { OggOpusDecoder } from "ogg-opus-decoder";

/** Samples that LAME puts in front, which its header tells players to leave out, and mpg123's delay. */
const MP3_DELAY_SAMPLES = 576 + 529;
const WAV_HEADER_BYTES = 44;

export interface DecodedAudio {
  readonly sampleRateHz: number;
  /** Between -1 and 1. */
  readonly samples: Float32Array;
}

/** What a client hears: decoders that others wrote read the bytes. */
export async function decodeAudio(bytes: Uint8Array, format: OutputFormat): Promise<DecodedAudio> {
  const { sampleRateHz } = format;
  switch (format.codec) {
    case "pcm":
      return { sampleRateHz, samples: fromPcm(bytes) };
    case "wav":
      return { sampleRateHz: rateOfWav(bytes), samples: fromPcm(bytes.subarray(WAV_HEADER_BYTES)) };
    case "mulaw":
      return { sampleRateHz, samples: Float32Array.from(bytes, fromMulaw) };
    case "alaw":
      return { sampleRateHz, samples: Float32Array.from(bytes, fromAlaw) };
    case "mp3": {
      const decoded = await decodeWith(new MPEGDecoder(), (it) => it.decode(bytes));
      return { ...decoded, samples: decoded.samples.subarray(MP3_DELAY_SAMPLES) };
    }
    case "opus":
      return decodeWith(new OggOpusDecoder(), (it) => it.decodeFile(bytes));
    case "flac": {
      const decoded = await decodeWith(new FLACDecoder(), (it) => it.decodeFile(bytes));
      // This decoder takes 32,767 for full scale, the others 32,768.
      return {
        sampleRateHz: decoded.sampleRateHz,
        samples: decoded.samples.map((it) => (it * 32_767) / 32_768),
      };
    }
    default:
      throw new Error(`nothing here decodes ${format.codec}`);
  }
}

interface Decoded {
  readonly channelData: readonly Float32Array[];
  readonly sampleRate: number;
}

async function decodeWith<D extends { readonly ready: Promise<void>; free(): void }>(
  decoder: D,
  decode: (decoder: D) => Decoded | Promise<Decoded>,
): Promise<DecodedAudio> {
  await decoder.ready;
  const { channelData, sampleRate } = await decode(decoder);
  decoder.free();
  return { sampleRateHz: sampleRate, samples: channelData[0] ?? new Float32Array(0) };
}

function fromPcm(bytes: Uint8Array): Float32Array {
  const whole = new Uint8Array(bytes.subarray(0, bytes.byteLength - (bytes.byteLength % 2)));
  return Float32Array.from(new Int16Array(whole.buffer), (it) => it / 32_768);
}

const rateOfWav = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, WAV_HEADER_BYTES).getUint32(24, true);

/** As ITU-T G.711 has it, in 14 bits. */
function fromMulaw(byte: number): number {
  const bits = ~byte & 0xff;
  const magnitude = ((((bits & 0x0f) << 1) + 33) << ((bits >> 4) & 7)) - 33;
  return (bits & 0x80 ? -magnitude : magnitude) / 8_192;
}

/** As ITU-T G.711 has it, in 13 bits. */
function fromAlaw(byte: number): number {
  const bits = byte ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = ((bits & 0x0f) << 1) + 1;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 32) << (exponent - 1);
  return (bits & 0x80 ? magnitude : -magnitude) / 4_096;
}

/** Root of the mean square. */
export function loudnessOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length));
}

/** The largest step from one sample to the next, as a share of full scale in 1/24,000 s. */
export function largestStep({ samples, sampleRateHz }: DecodedAudio): number {
  let largest = 0;
  for (let i = 1; i < samples.length; i++) {
    largest = Math.max(largest, Math.abs((samples[i] ?? 0) - (samples[i - 1] ?? 0)));
  }
  return largest * (sampleRateHz / 24_000);
}
