import { GatewayError } from "@tts-labs/protocol/errors";

export interface WorkerWatchLimits {
  /** Longest wait for the first sign of a worker. */
  readonly pickupTimeoutMs: number;
  /** Longest silence of a worker that has the utterance. */
  readonly stallTimeoutMs: number;
}

export interface WorkerWatchOptions extends WorkerWatchLimits {
  /** `performance.now()` when the utterance was opened. */
  readonly openedAtMs: number;
  /** `performance.now()` when the client last gave text: a worker may be silent while it waits for more. */
  readonly lastTextAtMs: () => number;
  /** Whether a worker has the utterance. */
  readonly isTaken: () => Promise<boolean>;
  /** Whether it was left by its worker, for want of text. */
  readonly isParked?: () => Promise<boolean>;
}

/**
 * Ends the wait for a worker's next entry: `worker.unavailable` when none has taken the utterance in time, or
 * when the one that did has said nothing for too long. While Redis can't be asked, only the second counts.
 */
export class WorkerWatch {
  readonly #options: WorkerWatchOptions;
  readonly #onLate: (error: GatewayError) => void;
  readonly #beganAtMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: WorkerWatchOptions, onLate: (error: GatewayError) => void) {
    this.#options = options;
    this.#onLate = onLate;
  }

  start(worker: "expected" | "known"): void {
    const { openedAtMs, pickupTimeoutMs } = this.#options;
    if (worker === "known") this.#awaitSound();
    else this.#after(openedAtMs + pickupTimeoutMs, () => void this.#onPickupLate());
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #onPickupLate(): Promise<void> {
    const isTaken = await this.#options.isTaken().catch(() => true);
    if (this.#stopped) return;
    if (isTaken) this.#awaitSound();
    else this.#onLate(new GatewayError("worker.unavailable"));
  }

  #awaitSound(): void {
    const dueAtMs = this.#silenceEndsAtMs();
    this.#after(dueAtMs, () => {
      if (this.#silenceEndsAtMs() > dueAtMs) this.#awaitSound();
      else void this.#onSilent();
    });
  }

  async #onSilent(): Promise<void> {
    const isParked = await this.#options.isParked?.().catch(() => false);
    if (this.#stopped) return;
    this.#onLate(
      isParked === true
        ? new GatewayError("session.text_timeout")
        : new GatewayError("worker.unavailable", "The worker fell silent in mid-utterance."),
    );
  }

  #silenceEndsAtMs(): number {
    return Math.max(this.#beganAtMs, this.#options.lastTextAtMs()) + this.#options.stallTimeoutMs;
  }

  #after(atMs: number, act: () => void): void {
    this.#timer = setTimeout(act, Math.max(0, atMs - performance.now()));
  }
}
