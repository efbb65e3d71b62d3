import type { UsageLedger } from "@tts-labs/core/access/usage-ledger";
import type { Logger } from "@tts-labs/core/logger";
import type { UtteranceQueue } from "@tts-labs/core/queue/utterance-job";
import type { LiveRegistry } from "@tts-labs/core/session/live-registry";
import type { SessionStore } from "@tts-labs/core/session/session-store";
import type { StreamStore } from "@tts-labs/core/stream/stream";
import type { SpeechDefaults, SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { TenantLimiter } from "./access/tenant-limiter.ts";
import type { BackgroundWork } from "./background-work.ts";
import type { UnsettledUtterances } from "./budget/unsettled-utterances.ts";
import type { EdgeObserver } from "./edge-observer.ts";
import type { SpeechCache } from "./shared-speech/speech-cache.ts";

/** The list of routes that will be wanted soon, for workers to find. */
export interface WantedRoutes {
  /**
   * Asks for it, and waits until a worker has a connection ready.
   * @returns milliseconds that connecting took
   * @throws GatewayError `worker.unavailable` after `limitMs`, `capacity.overloaded`, what the worker was refused with,
   *   `storage.*`, or the signal's reason
   */
  warm(speech: SpeechOptions, limitMs: number, signal: AbortSignal): Promise<number>;
}

/** What sessions work with; built once, by `main.ts` or a test. */
export interface SessionServices {
  readonly nodeId: string;
  readonly streams: StreamStore;
  readonly queue: UtteranceQueue;
  readonly registry: LiveRegistry;
  readonly routes: WantedRoutes;
  /** The store in which sessions outlive their connections and ids are held, on all edges. */
  readonly sessions: SessionStore;
  /** Absent where nothing is to be cached. */
  readonly speechCache?: SpeechCache;
  /** True: a worker is asked before there is anything to speak, as tests do to show what that costs. */
  readonly asksAtOnce?: boolean;
  /** Holds tenants to their limits. */
  readonly limiter: TenantLimiter;
  /** Absent where there are no tenants. */
  readonly ledger?: Pick<UsageLedger, "note" | "close">;
  readonly observer: EdgeObserver;
  readonly background: BackgroundWork;
  readonly unsettled: UnsettledUtterances;
  readonly logger: Logger;
}

export interface SessionSettings {
  readonly defaults: SpeechDefaults;
  /** Longest wait for a worker to take an utterance. */
  readonly pickupTimeoutMs: number;
  /** Longest silence of a worker that has one. */
  readonly stallTimeoutMs: number;
  /** Longest opening of an utterance in Redis. */
  readonly openTimeoutMs: number;
  /** Life of a stream's keys while it is in use. */
  readonly streamTtlMs: number;
  /** Life of a record in the live view that is not refreshed. */
  readonly liveTtlMs: number;
  /** How long a session whose connection was lost may be resumed; 0: it ends with its connection. */
  readonly resumeWindowMs: number;
  /** Audio kept in Redis behind what was given to a client's socket. */
  readonly replayBytes: number;
  /** Utterances of a session begun beyond the one that is delivered. */
  readonly utterancesAhead: number;
  /** Sentences begun beyond the one that is read, where an utterance is made sentence by sentence. */
  readonly sentencesAhead: number;
}
