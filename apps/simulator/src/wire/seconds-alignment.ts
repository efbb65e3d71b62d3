import type { Speech } from "../speech/compose.ts";
import { normalise } from "./alignments.ts";

type Range = readonly [from: number, until: number];

/**
 * Alignments as the HTTP routes tell them: seconds, start and end, no space appended
 * (docs/elevenlabs.md 3.1). With a range, the characters that begin in it, null where there are none.
 */
export function alignSeconds(
  speech: Speech,
  range?: Range,
): { alignment: object | null; normalized_alignment: object | null } {
  return {
    alignment: toSeconds(speech, speech, range),
    normalized_alignment: toSeconds(speech, normalise(speech), range),
  };
}

function toSeconds(
  { samples, sampleRateHz }: Speech,
  { chars, starts }: Pick<Speech, "chars" | "starts">,
  [from, until]: Range = [0, samples.length + 1],
): object | null {
  const last = until >= samples.length;
  const chosen = starts
    .map((start, i) => ({ char: chars[i] ?? "", start, end: starts[i + 1] ?? samples.length }))
    .filter(({ start }) => start >= from && (start < until || last));
  if (chosen.length === 0) return null;
  const toSeconds = (sample: number) => Math.round((sample * 1000) / sampleRateHz) / 1000;
  return {
    characters: chosen.map(({ char }) => char),
    character_start_times_seconds: chosen.map(({ start }) => toSeconds(start)),
    character_end_times_seconds: chosen.map(({ end }) => toSeconds(end)),
  };
}
