import type { LatencyParts } from "@tts-labs/core/session/entries";
import type { LatencyPart } from "./edge-observer.ts";

export interface FirstAudio {
  /** Opening of the utterance to its first frame; null where there was none. */
  readonly totalMs: number | null;
  /** Parts of it, adding up to the total where the worker told its own. */
  readonly parts: Readonly<Partial<Record<LatencyPart, number>>>;
}

/** All times `performance.now()` of this process; `worker` are durations, so that clocks need not agree. */
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
  const { queue, slot, connect, provider } = worker;
  const readyAtMs = openedAtMs + queue + slot + connect + provider;
  const turn = Math.min(Math.max(0, turnAtMs - readyAtMs), totalMs);
  const delivery = Math.max(0, firstSentAtMs - readyAtMs - turn);
  return { totalMs, parts: { queue, slot, connect, provider, turn, delivery } };
}
