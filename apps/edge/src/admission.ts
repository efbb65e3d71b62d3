import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { GatewayError } from "@tts-labs/protocol/errors";

/** What is looked at, as of the last round. */
export interface LoadSignals {
  /** Mean delay of this process' event loop. */
  readonly loopLagMs: number;
  /** How long the utterance has waited that a worker will take next. */
  readonly queueWaitMs: number;
  /** Utterances that no worker has taken yet. */
  readonly waitingUtterances: number;
}

/** Reached: no new sessions. 0 switches a signal off. */
export interface AdmissionLimits {
  readonly admissionMaxLagMs: number;
  readonly admissionMaxQueueWaitMs: number;
  readonly admissionMaxWaiting: number;
}

export type RefusalReason = "event-loop" | "queue-wait" | "queue-length";

export type AdmissionState =
  | { readonly kind: "open"; readonly loadedRounds: number }
  | { readonly kind: "refusing"; readonly reason: RefusalReason; readonly calmRounds: number };

/** A single bad moment, a garbage collection say, is none: two rounds in a row are. */
const LOADED_ROUNDS = 2;
/** Below half of every limit for so many rounds: open again. */
const CALM_ROUNDS = 4;

const FREE: AdmissionState = { kind: "open", loadedRounds: 0 };

/** The state after one more round of looking. */
export function nextAdmissionState(
  state: AdmissionState,
  signals: LoadSignals,
  limits: AdmissionLimits,
): AdmissionState {
  const reason = loadOf(signals, limits, 1);
  if (state.kind === "open") {
    if (reason === undefined) return FREE;
    const loadedRounds = state.loadedRounds + 1;
    if (loadedRounds < LOADED_ROUNDS) return { kind: "open", loadedRounds };
    return { kind: "refusing", reason, calmRounds: 0 };
  }
  if (reason !== undefined) return { kind: "refusing", reason, calmRounds: 0 };
  if (loadOf(signals, limits, 0.5) !== undefined) return { ...state, calmRounds: 0 };
  const calmRounds = state.calmRounds + 1;
  return calmRounds < CALM_ROUNDS ? { ...state, calmRounds } : FREE;
}

/** Which signal is at `share` of its limit, or above. */
function loadOf(signals: LoadSignals, limits: AdmissionLimits, share: number): RefusalReason | undefined {
  const isAt = (value: number, limit: number) => limit > 0 && value >= limit * share;
  if (isAt(signals.loopLagMs, limits.admissionMaxLagMs)) return "event-loop";
  if (isAt(signals.queueWaitMs, limits.admissionMaxQueueWaitMs)) return "queue-wait";
  return isAt(signals.waitingUtterances, limits.admissionMaxWaiting) ? "queue-length" : undefined;
}

export interface AdmissionObserver {
  /** `undefined`: open. */
  admissionChanged(reason: RefusalReason | undefined): void;
  admissionRefused(reason: RefusalReason): void;
}

export interface AdmissionRoles {
  readonly limits: AdmissionLimits;
  /** @throws GatewayError `storage.*` */
  readonly queueDepth: () => Promise<{ readonly waiting: number; readonly oldestWaitMs: number }>;
  readonly observer: AdmissionObserver;
  /** Stands in for the event loop in tests. */
  readonly loopLagMs?: () => number;
  readonly everyMs?: number;
}

const ROUND_MS = 500;
const LAG_RESOLUTION_MS = 10;
/** Those refused are asked back between these, so that they don't come as one. */
const RETRY_AFTER_MS = [1_000, 3_000] as const;

/**
 * Whether there is room for one more session. Refusing early, with a hint when to come back, keeps the
 * promise to those who already speak: nothing of theirs asks here, not their next utterance nor their resuming.
 *
 * Two things say that there is too much: this process is late, or the workers are. A round looks at both twice a
 * second; what the queue says while Redis is away counts as nothing, since then storage has its own errors.
 */
export class Admission {
  readonly #roles: AdmissionRoles;
  readonly #delays: IntervalHistogram | undefined;
  readonly #timer: NodeJS.Timeout;
  #state: AdmissionState = FREE;
  #queue = { waiting: 0, oldestWaitMs: 0 };
  #asking = false;

  constructor(roles: AdmissionRoles) {
    this.#roles = roles;
    if (roles.loopLagMs === undefined) {
      this.#delays = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
      this.#delays.enable();
    }
    this.#timer = setInterval(() => this.#look(), roles.everyMs ?? ROUND_MS);
    this.#timer.unref();
  }

  /** @throws GatewayError `capacity.overloaded` with the time after which to try again */
  assertRoom(): void {
    if (this.#state.kind === "open") return;
    const { reason } = this.#state;
    this.#roles.observer.admissionRefused(reason);
    const [shortestMs, longestMs] = RETRY_AFTER_MS;
    throw new GatewayError("capacity.overloaded", undefined, {
      facts: { reason },
      retryAfterMs: Math.round(shortestMs + Math.random() * (longestMs - shortestMs)),
    });
  }

  /** Safe to call twice. */
  close(): void {
    clearInterval(this.#timer);
    this.#delays?.disable();
  }

  #look(): void {
    const { limits, observer } = this.#roles;
    void this.#ask();
    const before = this.#state;
    this.#state = nextAdmissionState(
      before,
      {
        loopLagMs: this.#loopLagMs(),
        queueWaitMs: this.#queue.oldestWaitMs,
        waitingUtterances: this.#queue.waiting,
      },
      limits,
    );
    const reason = this.#state.kind === "refusing" ? this.#state.reason : undefined;
    if (reason !== (before.kind === "refusing" ? before.reason : undefined)) {
      observer.admissionChanged(reason);
    }
  }

  #loopLagMs(): number {
    const given = this.#roles.loopLagMs?.();
    if (given !== undefined || this.#delays === undefined) return given ?? 0;
    const meanMs = this.#delays.mean / 1e6;
    this.#delays.reset();
    return Number.isNaN(meanMs) ? 0 : Math.max(0, meanMs - LAG_RESOLUTION_MS);
  }

  /** Bounded by the queue's own time limit; one question at a time. */
  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.#queue = await this.#roles.queueDepth();
    } catch {
      this.#queue = { waiting: 0, oldestWaitMs: 0 };
    } finally {
      this.#asking = false;
    }
  }
}
