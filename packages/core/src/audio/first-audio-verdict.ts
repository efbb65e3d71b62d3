/** Time to the first audio that is aimed at; milliseconds. */
export const FIRST_AUDIO_TARGET_MS = 150;
const FAST_MS = 300;

export type FirstAudioVerdict = "excellent" | "fast" | "slow";

/** Under the target, under twice that, or neither. */
export function firstAudioVerdict(firstAudioMs: number): FirstAudioVerdict {
  if (firstAudioMs < FIRST_AUDIO_TARGET_MS) return "excellent";
  return firstAudioMs < FAST_MS ? "fast" : "slow";
}
