import type { TenantLimit } from "@tts-labs/core/access/tenant";
import type { Dialect } from "@tts-labs/core/session/live-registry";
import type { CacheUse } from "@tts-labs/core/session/utterance-end";
import type { ErrorCode } from "@tts-labs/protocol/errors";
import type { AdmissionObserver } from "./admission.ts";
import type { BudgetObserver } from "./budget/budget-observer.ts";
import type { OutboundObserver } from "./delivery/outbound-options.ts";

/** Parts of the time to the first frame; `turn` is the wait for earlier utterances of the session. */
export type LatencyPart = "queue" | "slot" | "connect" | "provider" | "turn" | "delivery";

/** Where the first of an utterance's speech came from: made for it, kept from before, or being made for another. */
export type SpeechOrigin = "synthesized" | "cached" | "joined";

/** How an utterance ended, as logs and metrics tell it. */
export interface UtteranceSummary {
  readonly utteranceId: string;
  readonly sessionId: string;
  readonly requestId: string;
  readonly outcome: "completed" | "cancelled" | "failed";
  /** Absent where it completed. */
  readonly code?: ErrorCode;
  readonly characters: number;
  readonly samples: number;
  readonly frames: number;
  readonly droppedFrames: number;
  readonly firstAudioMs: number | null;
  readonly latencyMs: Readonly<Partial<Record<LatencyPart, number>>>;
  /** Absent where nothing of it was heard, or not over this connection from its beginning. */
  readonly source?: SpeechOrigin;
  readonly cache: CacheUse;
  /** Opening to end. */
  readonly elapsedMs: number;
}

/** What metrics want to know. Every label is one of a closed set. */
export interface EdgeObserver extends OutboundObserver, AdmissionObserver, BudgetObserver {
  connectionOpened(): void;
  connectionClosed(): void;
  sessionOpened(dialect: Dialect): void;
  sessionClosed(dialect: Dialect): void;
  utteranceOpened(): void;
  /** It goes on elsewhere, or waits in Redis for its client. */
  utteranceLeft(): void;
  /** An utterance is delivered now, having waited so long behind the earlier ones of its session. */
  tookTurn(waitedMs: number): void;
  /** Change of the number of sessions that wait for their clients. */
  sessionDetached(delta: number): void;
  /** A client came back: `resumed`, or why not. */
  resumeEnded(outcome: "resumed" | ErrorCode): void;
  utteranceEnded(summary: UtteranceSummary): void;
  /** A sentence that was made by itself was read to its end. */
  sentenceRead(cache: CacheUse): void;
  /** Number of further sentences that wait as text: as many as may be begun ahead have been. */
  sentencesHeldBack(count: number): void;
  /** An utterance that no worker made was given to the workers again. */
  jobEnqueuedAgain(): void;
  /** A tenant asked for more than one of its limits lets through. */
  tenantRefused(limit: TenantLimit): void;
  /** A route that a client wished warm: `warm`, or why not. */
  prewarmed(outcome: "warm" | ErrorCode): void;
  /** An error was told to a client. */
  errorTold(code: ErrorCode): void;
}
