import type { Logger } from "@tts-labs/core/logger";
import type { LatencyParts } from "@tts-labs/core/session/entries";
import type { LiveRegistry } from "@tts-labs/core/session/live-registry";
import type { StreamStore } from "@tts-labs/core/stream/stream";
import type { ErrorCode } from "@tts-labs/protocol/errors";
import type { Fallback } from "../protection/choices.ts";
import type { Slots } from "../protection/slots.ts";
import type { Synthesizer } from "../synthesizer.ts";
import type { AudioWriterObserver } from "./audio/audio-writer.ts";

/** What an operator configures of a run; milliseconds but for the one in bytes. */
export interface RunLimits {
  /** Longest wait for text on an open utterance; then `session.text_timeout`. */
  readonly textTimeoutMs: number;
  /** Time without text, and with nothing owed, after which an utterance gives its place and slot up; 0: never. */
  readonly idleTextMs: number;
  /** Longest wait for a reader; then `stream.reader_gone`. */
  readonly readerTimeoutMs: number;
  readonly audioStreamMaxBytes: number;
  /** Life of the streams' keys while they are written or read. */
  readonly streamTtlMs: number;
  /** How often the record is looked at for a newer owner. */
  readonly leaseCheckMs: number;
  /**
   * Pause before the second socket when the provider has too much to do; longer with each one that comes to nothing.
   */
  readonly overloadPauseMs: number;
  /** Fresh sockets tried after the first while nothing of the utterance has been heard. */
  readonly retriesMax: number;
  /** How often an utterance may be continued at the next word, on another socket or by another worker. */
  readonly continuationsMax: number;
}

/** How a run ended, as a closed set: a label. */
export type RunOutcome = "completed" | "cancelled" | "abandoned" | "handed-over" | "parked" | ErrorCode;

export interface RunObserver extends AudioWriterObserver {
  began(): void;
  firstAudio(latency: LatencyParts): void;
  /** A second socket is tried after this fault. */
  retried(code: ErrorCode): void;
  /** The rest is spoken on another socket; `worker.unavailable`: by another worker. */
  continued(after: ErrorCode): void;
  /** A fallback speaks from here on, since the choice before failed so. */
  substituted(after: ErrorCode): void;
  ended(outcome: RunOutcome): void;
}

/** What a run needs; the same for all runs of a process. */
export interface RunRoles {
  readonly nodeId: string;
  /** The provider's identity by its address, sent with the end of each utterance. */
  readonly provider?: string;
  readonly streams: StreamStore;
  readonly synthesizer: Synthesizer;
  readonly slots: Slots;
  /** In the order in which they are tried; none by default. */
  readonly fallbacks?: readonly Fallback[];
  readonly live: Pick<LiveRegistry, "updateUtterance">;
  readonly limits: RunLimits;
  readonly observer: RunObserver;
  readonly logger: Logger;
}
