import { type Speech, toAlignment } from "../speech/compose.ts";

/** The two alignments of a message, as JSON text. */
export interface AlignmentTexts {
  readonly alignment: string;
  readonly normalized: string;
}

type Characters = Pick<Speech, "chars" | "starts">;

/** The added space that begins a normalised alignment takes this share of the first character's time. */
const LEADING_SPACE_SHARE = 0.25;

/**
 * What was spoken, as the service tells it: a space first, white space single, no leading white space
 * besides. The engine does not tell how it reads numbers, so they stay as written (docs/simulator.md).
 */
export function normalise({ chars, starts, samples }: Speech): Characters {
  const normal: { char: string; start: number }[] = [];
  for (const [i, char] of chars.entries()) {
    const isSpace = /\s/u.test(char);
    if (isSpace && (normal.length === 0 || normal.at(-1)?.char === " ")) continue;
    normal.push({ char: isSpace ? " " : char, start: starts[i] ?? 0 });
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

/**
 * The alignments of each piece: all with the first, or, with `sync`, each piece the characters that begin in
 * it. Times are the generation's own in both cases.
 */
export function alignmentTexts(
  speech: Speech,
  ends: readonly number[],
  options: { readonly sync: boolean; readonly oddSpelling: boolean },
): (AlignmentTexts | undefined)[] {
  const plain: Characters = speech;
  const normal = normalise(speech);
  const total = speech.samples.length;
  return ends.map((end, i) => {
    const from = ends[i - 1] ?? 0;
    const until = i === ends.length - 1 ? total + 1 : end;
    const range: readonly [number, number] = options.sync ? [from, until] : [0, total + 1];
    if (!options.sync && i > 0) return undefined;
    return {
      alignment: toText(speech, plain, range, options.oddSpelling),
      normalized: toText(speech, normal, range, options.oddSpelling),
    };
  });
}

/** Keys in the order of the wire; null where no character begins in the range. */
function toText(
  speech: Speech,
  characters: Characters,
  [from, until]: readonly [number, number],
  oddSpelling: boolean,
): string {
  const { chars, startMs, durationMs } = toAlignment({ ...speech, ...characters });
  const inside = (_: unknown, i: number) => {
    const start = characters.starts[i] ?? 0;
    return start >= from && start < until;
  };
  const chosen = chars.filter(inside);
  if (chosen.length === 0) return "null";
  const [durationsKey, startsKey] = oddSpelling
    ? ["charsDurationsMs", "charsStartTimesMs"]
    : ["charDurationsMs", "charStartTimesMs"];
  return JSON.stringify({
    [durationsKey]: durationMs.filter(inside),
    [startsKey]: startMs.filter(inside),
    chars: chosen,
  });
}
