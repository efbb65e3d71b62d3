import type { Epoch } from "./epoch.ts";
import type { ReadEntry, StreamMeta } from "./redis-replies.ts";
import type { ReaderOptions, ReadResult, StreamEnd } from "./stream.ts";

/** Another reader may trim between finding the oldest entry and taking a place; from then on none can. */
const MAX_SEEKS = 3;

/** Where a reader of a Redis stream stands between two looks. */
export interface ReaderState {
  /** The incarnation it reads; `undefined` until it meets the stream. */
  readonly epoch: Epoch | undefined;
  /** The last entry given out. */
  readonly seq: number;
  readonly start: Start;
  /**
   * `look` asks Redis, `sleep` waits for the bell first. `confirm-end` looks once more after an end beyond what was
   * found: once it may have come between two steps of a look, twice it is a loss.
   */
  readonly next: "look" | "sleep" | "confirm-end";
}

/** How the place to begin at was come by. */
export type Start =
  /** The oldest entry held is looked for, `left` times at most, until one was read. */
  | { readonly kind: "oldest"; readonly left: number }
  /** A client named the position, and no look has held it against the stream's tail yet. */
  | { readonly kind: "named" }
  /** At the beginning, or proven since. */
  | { readonly kind: "proven" };

/** What one look has brought of a stream that exists. */
export interface Look {
  readonly meta: StreamMeta;
  readonly found: readonly ReadEntry[];
  /** Number of the last entry stored in the incarnation; asked for while the position is unproven. */
  readonly tailSeq: number | undefined;
  /** Entries that were asked for. */
  readonly count: number;
}

export type LossReason = Extract<ReadResult, { kind: "lost" }>["reason"];

/** What one look tells the reader to do. */
export type Finding =
  | { readonly kind: "entries"; readonly epoch: Epoch; readonly entries: readonly ReadEntry[] }
  | { readonly kind: "ended"; readonly end: StreamEnd }
  | { readonly kind: "lost"; readonly reason: LossReason }
  /** Nothing yet. */
  | { readonly kind: "none" };

export interface Step {
  readonly state: ReaderState;
  readonly finding: Finding;
}

const PROVEN: Start = { kind: "proven" };

/** @param epoch of the position that `from` names */
export function initialReaderState(from: ReaderOptions["from"], epoch: Epoch | undefined): ReaderState {
  if (from === "oldest")
    return { epoch: undefined, seq: 0, start: { kind: "oldest", left: MAX_SEEKS }, next: "look" };
  if (from === undefined) return { epoch: undefined, seq: 0, start: PROVEN, next: "look" };
  return { epoch, seq: from.seq, start: { kind: "named" }, next: "look" };
}

/** True before the first look of a reader that begins at the oldest entry. */
export const mustSeek = ({ start }: ReaderState): boolean =>
  start.kind === "oldest" && start.left === MAX_SEEKS;

/** True where what was trimmed meanwhile is no loss: the reader may look for the oldest entry again. */
export const maySeek = ({ start }: ReaderState): boolean => start.kind === "oldest" && start.left > 0;

/** One more search for the oldest entry. @param oldest the place before it; `undefined` where there is no stream */
export function afterSeek(
  state: ReaderState,
  oldest: { readonly epoch: Epoch; readonly seq: number } | undefined,
): ReaderState {
  const { start } = state;
  const left = start.kind === "oldest" ? start.left - 1 : 0;
  const counted: ReaderState = { ...state, start: { kind: "oldest", left } };
  return oldest === undefined ? counted : { ...counted, epoch: oldest.epoch, seq: oldest.seq };
}

/** Why the reader can't go on where it is, if so. */
export function refusalOf(state: ReaderState, { meta, tailSeq }: Look): LossReason | undefined {
  const epoch = state.epoch ?? { life: meta.life, fence: 1 };
  if (epoch.life !== meta.life || epoch.fence > meta.fence) return "epoch";
  const last = meta.seal ?? (state.start.kind === "named" ? tailSeq : undefined) ?? state.seq;
  return state.seq > last ? "beyond-tail" : undefined;
}

/** The state after a look that nothing refuses, and what was found by it. */
export function nextReaderState(state: ReaderState, look: Look): Step {
  const { meta, found } = look;
  const epoch = state.epoch ?? { life: meta.life, fence: 1 };
  const start: Start = state.start.kind === "named" ? PROVEN : state.start;
  const met: ReaderState = { epoch, seq: state.seq, start, next: state.next };
  // Beyond the seal is a stale owner's; what was released counts as gone, though the last of it is kept.
  const { trimmedSeq, seal = Number.POSITIVE_INFINITY } = meta;
  const whole = found.filter((entry) => entry.seq > trimmedSeq && entry.seq <= seal);
  const gap = whole.findIndex((entry, index) => entry.seq !== state.seq + 1 + index);
  const entries = gap < 0 ? whole : whole.slice(0, gap);
  const last = entries.at(-1);
  if (last !== undefined) {
    const hasEnded = meta.seal !== undefined || meta.end !== undefined;
    const hasAll = !hasEnded && entries.length === found.length && found.length < look.count;
    return {
      state: { epoch, seq: last.seq, start: PROVEN, next: hasAll ? "sleep" : "look" },
      finding: { kind: "entries", epoch, entries },
    };
  }
  if (gap === 0 || state.seq < trimmedSeq) return lost(met, "trimmed");
  return withoutEntry(met, epoch, meta);
}

function withoutEntry(state: ReaderState, epoch: Epoch, { seal, end }: StreamMeta): Step {
  if (seal !== undefined) {
    // Sealed beyond what is there: an owner went on after entries that Redis has lost.
    if (state.seq < seal) return lost(state, "trimmed");
    return none({ ...state, epoch: { life: epoch.life, fence: epoch.fence + 1 }, next: "look" });
  }
  if (end === undefined) return none({ ...state, next: "sleep" });
  if (end.lastSeq === state.seq) return { state, finding: { kind: "ended", end } };
  if (end.lastSeq < state.seq) return lost(state, "beyond-tail");
  return state.next === "confirm-end" ? lost(state, "trimmed") : none({ ...state, next: "confirm-end" });
}

const none = (state: ReaderState): Step => ({ state, finding: { kind: "none" } });

const lost = (state: ReaderState, reason: LossReason): Step => ({
  state: { ...state, next: "look" },
  finding: { kind: "lost", reason },
});
