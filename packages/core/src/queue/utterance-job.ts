import type { SpeechOptions } from "@tts-labs/protocol/speech-options";

/** "This utterance wants a worker": ids and the route, never text or audio. */
export interface UtteranceJob {
  readonly utteranceId: string;
  readonly sessionId: string;
  /** Handed back to the client and found in the logs of every process on the way. */
  readonly requestId: string;
  readonly speech: SpeechOptions;
  /** Whose turn it takes when slots are few; absent where there are no tenants. */
  readonly turn?: { readonly tenant: string; readonly weight: number };
  /** By `Date.now()` of the process that has the job in its hands; the queue translates between them. */
  readonly enqueuedAtMs: number;
}

/** The edge's side. */
export interface UtteranceQueue {
  /**
   * @param fence that its run will have; 1 by default. Once per utterance and fence. @throws GatewayError `storage.*`
   */
  add(job: UtteranceJob, fence?: number): Promise<void>;
  /** Whether it waits, or a worker has it, under any fence up to this one. @throws GatewayError `storage.*` */
  isQueued(utteranceId: string, upToFence: number): Promise<boolean>;
  /** Nobody needs it any more: nothing stays of a job that no worker has taken. @throws GatewayError `storage.*` */
  withdraw(utteranceId: string, upToFence?: number): Promise<void>;
  depth(): Promise<{ readonly waiting: number; readonly active: number }>;
  /** How long the job has waited that will be taken next; 0 where none waits. */
  oldestWaitMs(): Promise<number>;
  close(): Promise<void>;
}

/**
 * The worker's side: runs `run` for each job, at most `concurrency` at once; `signal` fires when the lease is lost,
 * or with `draining` when the process is out of time. A run that rejects with `draining` gives its job back, to be
 * taken at once by another worker; a run tells every other outcome by itself.
 */
export type RunUtteranceJob = (job: UtteranceJob, signal: AbortSignal) => Promise<void>;
