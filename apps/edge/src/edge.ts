import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { BroadcastObserver, BroadcastStore } from "@tts-labs/core/broadcast/broadcast";
import type { AudioCache, CacheObserver } from "@tts-labs/core/cache/audio-cache";
import type { Flights } from "@tts-labs/core/cache/flights";
import type { UtteranceQueue } from "@tts-labs/core/queue/utterance-job";
import type { IdempotencyStore } from "@tts-labs/core/session/idempotency-store";
import type { LiveRegistry } from "@tts-labs/core/session/live-registry";
import type { Voice } from "@tts-labs/core/session/redis-voice-list";
import type { SessionStore } from "@tts-labs/core/session/session-store";
import type { StreamStore } from "@tts-labs/core/stream/stream";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { AccessStore } from "./access/open-access.ts";
import type { BudgetLimits } from "./budget/edge-budget.ts";
import type { PageRoutes } from "./http/page-routes.ts";
import type { WantedRoutes } from "./services.ts";
import type { Keeps } from "./shared-speech/speech-cache.ts";

export interface Edge {
  readonly nodeId: string;
  readonly url: string;
  /** Address for operators: live view, metrics, info. */
  readonly opsUrl: string;
  readonly port: number;
  /** What it holds now; all zero when no client is there. */
  counts(): { readonly sessions: number; readonly utterances: number; readonly backgroundWork: number };
  /** Makes the edge unready; it takes no new sessions, and those there are go on. */
  drain(): void;
  /**
   * Not ready, then no new connections; clients are told to move, spread out, and followed by a close once they have
   * left, at the limit, or when hurried. May be called twice.
   */
  leave(hurry?: AbortSignal): Promise<void>;
  /** Stops listening, sends every client away with `draining` (4001), lets go of everything. May be called twice. */
  close(): Promise<void>;
}

/** What an edge stands on: Redis in production, memory in tests. The caller that provides it closes it. */
export interface EdgeGround {
  readonly streams: StreamStore;
  readonly queue: UtteranceQueue;
  readonly registry: LiveRegistry;
  readonly routes: WantedRoutes;
  readonly sessions: SessionStore;
  readonly idempotency: IdempotencyStore;
  /** What sessions speak, for their listeners; opened once. */
  readonly broadcasts: (observer: BroadcastObserver) => Promise<BroadcastStore>;
  /** As workers have put them; `undefined` where none has lately. */
  readonly voices: () => Promise<readonly Voice[] | undefined>;
  /** Why nothing can be stored, enqueued or heard just now. */
  readonly storageTrouble: () => Promise<GatewayError | undefined>;
  readonly page: PageRoutes;
  /** Where API keys are. Absent: everybody may use the edge. */
  readonly access?: AccessStore;
  /** Absent where nothing is to be cached. */
  readonly cache?: {
    readonly flights: Flights;
    readonly audio: (observer: CacheObserver, memory: ByteBudget) => AudioCache;
  };
  /** What may be kept in it; absent: complete speech. */
  readonly keeps?: Keeps;
  /** What connections may cost; absent: `DEFAULT_LIMITS`. */
  readonly limits?: BudgetLimits;
  /** True: listeners that do not take what they are given are left alone, as tests do to show what that costs. */
  readonly keepsSlowListeners?: boolean;
  /** See `SessionServices`. */
  readonly asksAtOnce?: boolean;
}

export interface EdgeSeams
  extends Pick<EdgeGround, "keeps" | "limits" | "asksAtOnce" | "keepsSlowListeners"> {
  /** What stands between the edge and its streams. */
  readonly overStreams?: (streams: StreamStore) => StreamStore;
  /** False: a stream that Redis has forgotten is taken for a silent one. Default: it ends its utterance at once. */
  readonly noticesLoss?: boolean;
}
