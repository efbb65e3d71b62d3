import { VARIABLE_NAMES } from "./variable-names.ts";

export interface UnknownVariable {
  readonly name: string;
  /** The variable that was meant, as far as one can guess. */
  readonly nearest: string | undefined;
}

/** Prefixes that are ours alone: what begins so was meant for us. */
const OURS = /^(?:TTS|WORKER|PROVIDER|EDGE|SIMULATOR)_/;
/** Longer names are no misspelling of ours, and comparing costs the product of two lengths. */
const MAX_CHARACTERS = 64;
/** Letters that may differ for one name to be taken for another. */
const MAX_DISTANCE = 3;

/** Variables of `env` that look like ours and that no program reads. */
export function unknownVariables(env: NodeJS.ProcessEnv): readonly UnknownVariable[] {
  const known = new Set(VARIABLE_NAMES.flatMap((name) => [name, `${name}_FILE`]));
  return Object.keys(env)
    .filter((name) => OURS.test(name) && !known.has(name))
    .sort()
    .map((name) => ({ name, nearest: nearestOf(name) }));
}

function nearestOf(name: string): string | undefined {
  if (name.length > MAX_CHARACTERS) return undefined;
  const [best] = VARIABLE_NAMES.map((known) => ({ known, distance: distanceOf(name, known) })).sort(
    (a, b) => a.distance - b.distance,
  );
  return best !== undefined && best.distance <= MAX_DISTANCE ? best.known : undefined;
}

/** Letters to insert, delete or exchange to make `a` from `b` (Levenshtein). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const exchanged = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(exchanged, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
