/** G.711: one byte per sample, both tables computed once. */
const ULAW_BIAS = 0x84;
const ULAW_CLIP = 32_635;

function toUlaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), ULAW_CLIP) + ULAW_BIAS;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude) - 7);
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

function toAlaw(sample: number): number {
  const sign = sample < 0 ? 0 : 0x80;
  const magnitude = Math.min(sample < 0 ? -sample - 1 : sample, 32_767) >> 3;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude | 1) - 4);
  const mantissa = exponent === 0 ? magnitude >> 1 : magnitude >> exponent;
  return ((sign | (exponent << 4) | (mantissa & 0x0f)) ^ 0x55) & 0xff;
}

function tableOf(encode: (sample: number) => number): Uint8Array {
  return Uint8Array.from({ length: 65_536 }, (_, index) => encode(index - 32_768));
}

const tables = { ulaw: tableOf(toUlaw), alaw: tableOf(toAlaw) };

export function encodeTelephony(samples: Int16Array, law: "ulaw" | "alaw"): Buffer {
  const table = tables[law];
  const bytes = Buffer.allocUnsafe(samples.length);
  for (let i = 0; i < samples.length; i++) bytes[i] = table[(samples[i] ?? 0) + 32_768] ?? 0;
  return bytes;
}
