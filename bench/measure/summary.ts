/** Milliseconds, sorted out. Percentiles are measured values, not interpolated ones. */
export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** @throws RangeError when there is nothing to summarize: a bench without samples has no result */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
    if (value === undefined) throw new RangeError("no samples to summarize");
    return round(value);
  };
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

/** To a hundredth of a millisecond: finer than anything we can tell apart. */
export const round = (ms: number): number => Math.round(ms * 100) / 100;
