import type { Alignment } from "@tts-labs/core/audio/alignment";
import { type Speech, toAlignment } from "../speech/compose.ts";
import type { Piece } from "./pieces.ts";

/** The two alignments of a message, in whole milliseconds; null where no character begins in it. */
export interface MessageAlignments {
  readonly alignment: Alignment | null;
  readonly normalized: Alignment | null;
}

type Characters = Pick<Speech, "chars" | "starts">;

/** The added space that begins a normalised alignment takes this share of the first character's time. */
const LEADING_SPACE_SHARE = 0.25;

const isSpace = (char: string): boolean => /\s/u.test(char);

/**
 * What was spoken, as the service tells it: a space first, white space single, no leading white space
 * besides. The engine does not tell how it reads numbers, so they stay as written (docs/simulator.md).
 */
export function normalise({ chars, starts, samples }: Speech): Characters {
  const normal: { char: string; start: number }[] = [];
  for (const [i, char] of chars.entries()) {
    if (isSpace(char) && (normal.length === 0 || normal.at(-1)?.char === " ")) continue;
    normal.push({ char: isSpace(char) ? " " : char, start: starts[i] ?? 0 });
  }
  const first = normal[0];
  if (first === undefined) return { chars: [], starts: [] };
  const firstEnd = normal[1]?.start ?? samples.length;
  const begin = Math.round(first.start + (firstEnd - first.start) * LEADING_SPACE_SHARE);
  return {
    chars: [" ", ...normal.map(({ char }) => char)],
    starts: [0, begin, ...normal.slice(1).map(({ start }) => start)],
  };
}

/** What was spoken without the white space at its head, which `alignment` leaves out (docs/elevenlabs.md 1.4). */
export function withoutLeadingSpace<T extends Characters>(speech: T): T {
  const first = speech.chars.findIndex((char) => !isSpace(char));
  const from = first < 0 ? speech.chars.length : first;
  return { ...speech, chars: speech.chars.slice(from), starts: speech.starts.slice(from) };
}

/**
 * The alignments of each piece: all with the first, or, with `sync`, each piece the characters that begin in
 * it. Times are the generation's own in both cases (how the real service counts with `sync` is not recorded).
 */
export function alignPieces(
  speech: Speech,
  pieces: readonly Piece[],
  sync: boolean,
): (MessageAlignments | undefined)[] {
  const plain = withoutLeadingSpace(speech);
  const normal = normalise(speech);
  const end = speech.samples.length + 1;
  let from = 0;
  return pieces.map(({ timedEnd }, i) => {
    const until = i === pieces.length - 1 ? end : timedEnd;
    const range: readonly [number, number] = sync ? [from, until] : [0, end];
    from = Math.max(from, timedEnd);
    if (!sync && i > 0) return undefined;
    return {
      alignment: within(speech, plain, range),
      normalized: within(speech, normal, range),
    };
  });
}

function within(
  speech: Speech,
  characters: Characters,
  [from, until]: readonly [number, number],
): Alignment | null {
  const { chars, startMs, durationMs } = toAlignment({ ...speech, ...characters });
  const inside = (_: unknown, i: number) => {
    const start = characters.starts[i] ?? 0;
    return start >= from && start < until;
  };
  const chosen = chars.filter(inside);
  if (chosen.length === 0) return null;
  return { chars: chosen, startMs: startMs.filter(inside), durationMs: durationMs.filter(inside) };
}

/** JSON with the keys in the order of the wire. */
export function alignmentText(alignment: Alignment | null, oddSpelling: boolean): string {
  if (alignment === null) return "null";
  const { chars, startMs, durationMs } = alignment;
  const [durationsKey, startsKey] = oddSpelling
    ? ["charsDurationsMs", "charsStartTimesMs"]
    : ["charDurationsMs", "charStartTimesMs"];
  return JSON.stringify({ [durationsKey]: durationMs, [startsKey]: startMs, chars });
}
