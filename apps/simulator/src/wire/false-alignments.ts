import type { Alignment } from "@tts-labs/core/audio/alignment";
import type { Fault } from "../faults/faults.ts";
import type { MessageAlignments } from "./alignments.ts";

/** Characters of an alignment that is out of all proportion: about 7 MB of JSON, under a client's usual 16 MiB. */
const HUGE_CHARACTERS = 400_000;
/** Every so many letters one is missing. */
const GAP_EVERY = 5;
/** Characters that are told as one. */
const MERGED_CHARACTERS = 6;
const DEFAULT_OFF_MS = 120;

type PerMessage = readonly (MessageAlignments | undefined)[];

/** What the alignment faults make of a generation's true alignments, one entry per message. */
export function falsify(messages: PerMessage, fault: Fault | undefined): PerMessage {
  const each = (change: (alignment: Alignment) => Alignment): PerMessage =>
    messages.map((message) => message && mapBoth(message, change));
  switch (fault?.name) {
    case "alignment-null":
      return messages.map(() => undefined);
    case "alignment-long":
      return each((alignment) => moveEnd(alignment, fault.byMs ?? DEFAULT_OFF_MS));
    case "alignment-short":
      return each((alignment) => moveEnd(alignment, -(fault.byMs ?? DEFAULT_OFF_MS)));
    case "alignment-gaps":
      return each(withGaps);
    case "alignment-merged":
      return each(merged);
    case "alignment-huge":
      return messages.map((message, i) => (i === 0 && message ? mapBoth(message, huge) : message));
    case "alignment-twice":
      return toldTwice(messages);
    default:
      return messages;
  }
}

function mapBoth(message: MessageAlignments, change: (alignment: Alignment) => Alignment): MessageAlignments {
  const { alignment, normalized } = message;
  return {
    alignment: alignment && change(alignment),
    normalized: normalized && change(normalized),
  };
}

/** The last character ends later or earlier; where it is too short for that, those before it do, too. */
function moveEnd({ chars, startMs, durationMs }: Alignment, byMs: number): Alignment {
  const last = chars.length - 1;
  const endMs = Math.max(0, (startMs[last] ?? 0) + (durationMs[last] ?? 0) + byMs);
  const starts = startMs.map((start) => Math.min(start, endMs));
  return {
    chars,
    startMs: starts,
    durationMs: starts.map((start, i) => (i === last ? endMs : (starts[i + 1] ?? endMs)) - start),
  };
}

function withGaps({ chars, startMs, durationMs }: Alignment): Alignment {
  const isTold = (_: unknown, i: number) => i % GAP_EVERY !== GAP_EVERY - 1 || chars[i]?.trim() === "";
  return {
    chars: chars.filter(isTold),
    startMs: startMs.filter(isTold),
    durationMs: durationMs.filter(isTold),
  };
}

function merged({ chars, startMs, durationMs }: Alignment): Alignment {
  const firsts = chars.flatMap((_, i) => (i % MERGED_CHARACTERS === 0 ? [i] : []));
  const sum = (from: number) =>
    durationMs.slice(from, from + MERGED_CHARACTERS).reduce((total, ms) => total + ms, 0);
  return {
    chars: firsts.map((from) => chars.slice(from, from + MERGED_CHARACTERS).join("")),
    startMs: firsts.map((from) => startMs[from] ?? 0),
    durationMs: firsts.map(sum),
  };
}

function huge({ chars, startMs, durationMs }: Alignment): Alignment {
  const endMs = (startMs.at(-1) ?? 0) + (durationMs.at(-1) ?? 0);
  const more = Array.from({ length: HUGE_CHARACTERS }, () => "x");
  return {
    chars: [...chars, ...more],
    startMs: [...startMs, ...more.map(() => endMs)],
    durationMs: [...durationMs, ...more.map(() => 0)],
  };
}

/**
 * As with pronunciation dictionaries: `alignment` comes in part first, then once more from its beginning, while
 * `normalizedAlignment` goes on where it was.
 */
function toldTwice(messages: PerMessage): PerMessage {
  const all = join(messages.map((message) => message?.alignment ?? null));
  const normal = join(messages.map((message) => message?.normalized ?? null));
  const [first, second] = [halfOf(all, 0), all];
  const [normalFirst, normalSecond] = [halfOf(normal, 0), halfOf(normal, 1)];
  return messages.map((_, i) => {
    if (i === 0) return { alignment: first, normalized: normalFirst };
    return i === 1 ? { alignment: second, normalized: normalSecond } : undefined;
  });
}

function join(parts: readonly (Alignment | null)[]): Alignment | null {
  const told = parts.filter((part) => part !== null);
  return told.length === 0
    ? null
    : {
        chars: told.flatMap(({ chars }) => chars),
        startMs: told.flatMap(({ startMs }) => startMs),
        durationMs: told.flatMap(({ durationMs }) => durationMs),
      };
}

function halfOf(alignment: Alignment | null, half: 0 | 1): Alignment | null {
  if (alignment === null) return null;
  const middle = Math.ceil(alignment.chars.length / 2);
  const [from, until] = half === 0 ? [0, middle] : [middle, alignment.chars.length];
  return {
    chars: alignment.chars.slice(from, until),
    startMs: alignment.startMs.slice(from, until),
    durationMs: alignment.durationMs.slice(from, until),
  };
}
