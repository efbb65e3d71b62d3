/** Mono 16-bit little-endian PCM, the one form in which audio travels inside the system. */
export const BYTES_PER_SAMPLE = 2;

export const samplesToMs = (samples: number, sampleRateHz: number): number => (samples * 1000) / sampleRateHz;

export const msToSamples = (ms: number, sampleRateHz: number): number =>
  Math.round((ms * sampleRateHz) / 1000);
