import type { BroadcastObserver } from "@tts-labs/core/broadcast/broadcast";

/** Why a listener left: by itself, with its session, or sent away. */
export type ListenerEnd = "left" | "session-ended" | "slow" | "refused" | "draining";

/** What metrics want to know of listeners. */
export interface ListenObserver extends BroadcastObserver {
  /** Change of the number of listeners. */
  listeners(delta: number): void;
  listenerEnded(how: ListenerEnd): void;
  /** A frame was published, so many milliseconds after it was due. */
  framePublished(lateMs: number): void;
  /** Samples of a session never reached this edge. */
  samplesMissed(samples: number): void;
}
