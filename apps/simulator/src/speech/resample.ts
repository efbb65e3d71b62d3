/** Zero crossings of the sinc on each side: enough that speech loses nothing one can hear. */
const HALF_WIDTH = 12;

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Windowed-sinc filter for one pair of rates: `phases` rows of `taps` weights, each row summing to 1. */
interface Filter {
  readonly up: number;
  readonly down: number;
  readonly taps: number;
  readonly weights: Float32Array;
}

const filters = new Map<string, Filter>();

/** One per pair of rates; the set of rates is closed (formats.ts), so the map is bounded. */
function filterFor(fromHz: number, toHz: number): Filter {
  const key = `${fromHz}:${toHz}`;
  const known = filters.get(key);
  if (known !== undefined) return known;
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const [up, down] = [toHz / divisor, fromHz / divisor];
  const cutoff = Math.min(1, toHz / fromHz) * 0.95;
  const reach = Math.ceil(HALF_WIDTH / cutoff);
  const taps = 2 * reach;
  const weights = new Float32Array(up * taps);
  for (let phase = 0; phase < up; phase++) {
    const row = weights.subarray(phase * taps, (phase + 1) * taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const x = tap - reach + 1 - phase / up;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x * cutoff) / (Math.PI * x * cutoff);
      const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / (reach + 1));
      row[tap] = sinc * window;
      sum += sinc * window;
    }
    for (let tap = 0; tap < taps; tap++) row[tap] = (row[tap] ?? 0) / sum;
  }
  const filter = { up, down, taps, weights };
  filters.set(key, filter);
  return filter;
}

/** `samples` at another rate: exactly `round(length × toHz / fromHz)` of them. */
export function resample(samples: Int16Array, fromHz: number, toHz: number): Int16Array {
  if (fromHz === toHz) return samples;
  const { up, down, taps, weights } = filterFor(fromHz, toHz);
  const result = new Int16Array(Math.round((samples.length * toHz) / fromHz));
  // Silence on both sides, so that the inner loop needs no bounds.
  const padded = new Float32Array(samples.length + 2 * taps);
  padded.set(samples, taps);
  for (let i = 0; i < result.length; i++) {
    const position = i * down;
    const phase = position % up;
    const first = taps + (position - phase) / up - taps / 2 + 1;
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      sum += (padded[first + tap] ?? 0) * (weights[phase * taps + tap] ?? 0);
    }
    result[i] = Math.max(-32_768, Math.min(32_767, Math.round(sum)));
  }
  return result;
}
