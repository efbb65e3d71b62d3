import type { Alignment } from "@tts-labs/core/audio/alignment";

export interface SegmentAlignment extends Alignment {
  /** Characters of the text as sent; otherwise of the text as spoken, numbers expanded. */
  readonly verbatim: boolean;
}

/** Why timings were dropped, in whole or in part; a closed set, counted. */
export const ALIGNMENT_REFUSALS = [
  /** The alignment is not three lists of equal length, of strings and numbers. */
  "malformed",
  /** More characters than the text sent can account for. */
  "too_long",
  /** Negative, not finite, or running backwards. */
  "bad_times",
  /** Later than the audio they came for. */
  "beyond_audio",
  /** The alignment was sent before. */
  "repeated",
] as const;
export type AlignmentRefusal = (typeof ALIGNMENT_REFUSALS)[number];

/** What timings are held against while they are parsed. */
export interface AlignmentDoubt {
  /** Characters that the text sent can still account for. */
  readonly maxCharacters: number;
  /** End of the longest audio that the text sent can account for. */
  readonly maxMs: number;
  readonly refused: (reason: AlignmentRefusal) => void;
}

/** Times and audio of one message were recorded up to 36 ms apart, and reported up to 120 (docs/provider.md). */
export const TIMING_TOLERANCE_MS = 250;

/**
 * Characters and times as a provider sends them, one character an item; `undefined` where there are none, or where
 * they can't be believed, which `doubt` is told. Takes time in proportion to what is believed, not to what was sent:
 * lengths are judged before contents.
 */
export function parseAlignment(
  value: unknown,
  verbatim: boolean,
  doubt: AlignmentDoubt,
): SegmentAlignment | undefined {
  if (value === undefined || value === null) return undefined;
  const lists = toLists(value);
  if (lists?.chars.length === 0) return undefined;
  const found = lists === undefined ? "malformed" : toCharacters(lists, doubt);
  if (typeof found !== "string") return { ...found, verbatim };
  doubt.refused(found);
  return undefined;
}

interface Lists {
  readonly chars: readonly unknown[];
  readonly startMs: readonly unknown[];
  readonly durationMs: readonly unknown[];
}

/** Both spellings of durations and both casings have been seen in the wild (docs/elevenlabs.md 1.4). */
function toLists(value: unknown): Lists | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Record<string, unknown>;
  const chars = fields["chars"] ?? fields["characters"];
  const startMs = fields["charStartTimesMs"] ?? fields["charsStartTimesMs"] ?? fields["char_start_times_ms"];
  const durationMs = fields["charDurationsMs"] ?? fields["charsDurationsMs"] ?? fields["char_durations_ms"];
  if (!Array.isArray(chars) || !Array.isArray(startMs) || !Array.isArray(durationMs)) return undefined;
  const isWhole = chars.length === startMs.length && chars.length === durationMs.length;
  return isWhole ? { chars, startMs, durationMs } : undefined;
}

function toCharacters(lists: Lists, { maxCharacters, maxMs }: AlignmentDoubt): Alignment | AlignmentRefusal {
  if (lists.chars.length > maxCharacters) return "too_long";
  const chars: string[] = [];
  const startMs: number[] = [];
  const durationMs: number[] = [];
  let units = 0;
  let latestMs = 0;
  for (const [i, item] of lists.chars.entries()) {
    const start = lists.startMs[i];
    const duration = lists.durationMs[i];
    if (typeof item !== "string" || typeof start !== "number" || typeof duration !== "number") {
      return "malformed";
    }
    if (!Number.isFinite(start + duration) || start < 0 || duration < 0) return "bad_times";
    if (start + TIMING_TOLERANCE_MS < latestMs) return "bad_times";
    if (start + duration > maxMs + TIMING_TOLERANCE_MS) return "beyond_audio";
    units += item.length;
    if (units > maxCharacters) return "too_long";
    latestMs = Math.max(latestMs, start);
    const letters = [...item];
    for (const [n, letter] of letters.entries()) {
      const [beginMs, endMs] = shareOf(duration, n, letters.length);
      chars.push(letter);
      startMs.push(latestMs + beginMs);
      durationMs.push(endMs - beginMs);
    }
    latestMs = startMs.at(-1) ?? latestMs;
  }
  return { chars, startMs, durationMs };
}

/** An item may hold several letters, which share its time in whole milliseconds. */
const shareOf = (durationMs: number, n: number, of: number): readonly [number, number] =>
  of === 1 ? [0, durationMs] : [Math.round((durationMs * n) / of), Math.round((durationMs * (n + 1)) / of)];
