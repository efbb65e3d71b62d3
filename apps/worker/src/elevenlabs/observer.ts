import type { ErrorCode } from "@tts-labs/protocol/errors";
import type { SocketPhase } from "./connection-state.ts";
import type { AlignmentRefusal } from "./intake/provider-alignment.ts";
import type { IgnoredReason } from "./messages.ts";

/** What can be counted about provider sockets; `metrics.ts` fills this role. All labels are closed sets. */
export interface ProviderObserver {
  /** Upgraded: how long it took. */
  connected(connectMs: number): void;
  /** A socket ended in failure, while connecting, idle or speaking. */
  failed(phase: SocketPhase, code: ErrorCode): void;
  /** Trigger → first audio. */
  firstAudio(ms: number): void;
  /** A final message came, but after the grace. */
  lateFinal(ms: number): void;
  ignoredMessage(reason: IgnoredReason): void;
  /** Timings of a message were dropped, in whole or in part. */
  refusedAlignment(reason: AlignmentRefusal): void;
  /** The socket was no longer read (`true`) or is read again, because of a slow consumer. */
  paused(paused: boolean): void;
  /** From the pool, for want of a warm one, or fresh by request. */
  checkedOut(how: "hit" | "miss" | "fresh"): void;
  /** A warm socket left the pool unused. */
  retired(reason: RetiredReason): void;
  /** Warm sockets in all, now. */
  warm(count: number): void;
  /** No socket was opened ahead, or a route in use was forgotten, because the pool is at a bound. */
  full(bound: "routes" | "sockets" | "remembered"): void;
}

export type RetiredReason = "age" | "unhealthy" | "failed" | "evicted" | "unused" | "closing";

const nothing = () => {};

export const silentObserver: ProviderObserver = {
  connected: nothing,
  failed: nothing,
  firstAudio: nothing,
  lateFinal: nothing,
  ignoredMessage: nothing,
  refusedAlignment: nothing,
  paused: nothing,
  checkedOut: nothing,
  retired: nothing,
  warm: nothing,
  full: nothing,
};
