import type { LatencyParts } from "@tts-labs/core/session/entries";
import type { LatencyPart } from "../edge-observer.ts";

export interface FirstAudio {
  /** Opening of the utterance to its first frame; null where there was none. */
  readonly totalMs: number | null;
  /** Parts of it, adding up to the total where the worker told its own. */
  readonly parts: Readonly<Partial<Record<LatencyPart, number>>>;
}

/**
 * All times `performance.now()` of this process; `worker` are durations, measured by its own clock but for `queue`,
 * which lies between two. So the others are believed first, `queue` gets what they leave at most, and the rest is ours:
 * no part is below 0, and together they are the total.
 */
export function toFirstAudio(times: {
  readonly openedAtMs: number;
  readonly turnAtMs: number;
  readonly firstSentAtMs: number | undefined;
  readonly worker: LatencyParts | undefined;
}): FirstAudio {
  const { openedAtMs, turnAtMs, firstSentAtMs, worker } = times;
  if (firstSentAtMs === undefined) return { totalMs: null, parts: worker ?? {} };
  const totalMs = firstSentAtMs - openedAtMs;
  if (worker === undefined) return { totalMs, parts: {} };
  let left = Math.max(0, totalMs);
  const take = (ms: number): number => {
    const taken = Math.min(Math.max(0, ms), left);
    left -= taken;
    return taken;
  };
  const provider = take(worker.provider);
  const connect = take(worker.connect);
  const slot = take(worker.slot);
  const queue = take(worker.queue);
  const readyAtMs = openedAtMs + queue + slot + connect + provider;
  const turn = take(turnAtMs - readyAtMs);
  return { totalMs, parts: { queue, slot, connect, provider, turn, delivery: left } };
}
