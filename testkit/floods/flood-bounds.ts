import type { Witnessed } from "./flood-witness.ts";

/** What others may notice of a flood on a machine with nothing else to do; `npm run bench -- floods` judges to that. */
const TRUE_LATE_MS = 100;
const TRUE_FIRST_AUDIO_RATIO = 2;
/** A test's edge shares its process with worker and listeners, and its machine with other tests. */
const NOISE = 5;

export interface FloodBounds {
  readonly lateMs: number;
  readonly firstAudioMs: number;
}

/** What others may notice here, by what they notice without a flood. */
export const toFloodBounds = ({ lateMs, firstAudioMs }: Witnessed): FloodBounds => ({
  lateMs: Math.max(0, lateMs) + NOISE * TRUE_LATE_MS,
  firstAudioMs: NOISE * TRUE_FIRST_AUDIO_RATIO * Math.max(50, ...firstAudioMs),
});
