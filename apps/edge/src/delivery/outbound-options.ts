import type { GatewayError } from "@tts-labs/protocol/errors";
import type { Pacer } from "./pacing.ts";
import type { Sink } from "./sink.ts";
import type { SlowClientLimits } from "./slow-client.ts";

export type Overflow = "wait" | "drop-oldest";

export interface OutboundObserver {
  framesSent(frames: number, bytes: number): void;
  framesDropped(frames: number): void;
  /** A client that takes nothing was told that it will be cut off. */
  slowClientTold(): void;
  /** Change of the number of frames that wait. */
  queuedFrames(delta: number): void;
}

export interface OutboundOptions {
  readonly sink: Sink;
  /** Frames that may wait here beyond what the sink has taken. */
  readonly maxFrames: number;
  readonly overflow: Overflow;
  /** Given: frames leave in real time. Absent: as fast as the sink takes them. */
  readonly pacer?: Pacer;
  /** How long a sink may stand still while something waits for it; absent where it never does. */
  readonly slowClient?: SlowClientLimits;
  readonly observer: OutboundObserver;
  /** A bound on messages or on time was reached: the client does not read. */
  readonly onOverflow: (error: GatewayError) => void;
}
