import type { Codec } from "./codec.ts";

/** G.711: 16 bits become 8 by a table, computed once for each law. */
const MULAW_BIAS = 0x84;
const MULAW_CLIP = 32_635;
const SAMPLE_VALUES = 65_536;

function toMulaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), MULAW_CLIP) + MULAW_BIAS;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude) - 7);
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

function toAlaw(sample: number): number {
  const sign = sample < 0 ? 0 : 0x80;
  const magnitude = (sample < 0 ? -sample - 1 : sample) >> 3;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude | 1) - 4);
  const mantissa = exponent === 0 ? magnitude >> 1 : magnitude >> exponent;
  return ((sign | (exponent << 4) | (mantissa & 0x0f)) ^ 0x55) & 0xff;
}

/** Indexed by the sample's 16 bits taken as unsigned. */
const tableOf = (encode: (sample: number) => number): Uint8Array =>
  Uint8Array.from({ length: SAMPLE_VALUES }, (_, bits) => encode((bits << 16) >> 16));

const TABLES = { mulaw: tableOf(toMulaw), alaw: tableOf(toAlaw) };

export function openG711(law: "mulaw" | "alaw"): Codec {
  const table = TABLES[law];
  return {
    encode: (samples) => {
      const bytes = new Uint8Array(samples.length);
      for (let i = 0; i < samples.length; i++) bytes[i] = table[(samples[i] ?? 0) & 0xffff] ?? 0;
      return [bytes];
    },
    finish: () => [],
    close: () => {},
  };
}
