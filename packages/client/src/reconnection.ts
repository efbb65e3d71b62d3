import { reconnectPauseMs } from "./backoff.ts";
import type { Endpoints } from "./endpoints.ts";
import { mayComeBack, SpeechError } from "./speech-error.ts";

/** The connection is away, and this is the next attempt to get another. */
export interface Reconnecting {
  /** From 0. */
  readonly attempt: number;
  readonly inMs: number;
  /** Why the connection, or the last attempt, failed. */
  readonly reason: SpeechError;
  /** After this the session is given up. */
  readonly leftMs: number;
}

export interface ReconnectionOptions {
  readonly endpoints: Endpoints;
  /** How long to go on trying. */
  readonly windowMs: number;
  /** Nobody wants the connection any more. */
  readonly signal: AbortSignal;
  readonly onAttempt: (attempt: Reconnecting) => void;
  /** One attempt, within `leftMs`. @returns whether the connection is still there @throws what it failed of */
  readonly connect: (leftMs: number, reason: SpeechError) => Promise<boolean>;
}

export type ReconnectionEnd =
  | { readonly kind: "connected" | "aborted" }
  | { readonly kind: "refused"; readonly reason: SpeechError }
  | { readonly kind: "too-late"; readonly reason: SpeechError; readonly attempts: number };

/**
 * Looks for another connection: attempts after short, growing, scattered pauses until the window is over, each at the
 * next server where several are known.
 */
export class Reconnection {
  readonly #options: ReconnectionOptions;
  #windowBeganAtMs = performance.now();
  #attempt = 0;
  /** Ends the pause before the next attempt. */
  #wake: () => void = () => {};

  constructor(options: ReconnectionOptions) {
    this.#options = options;
  }

  /** Tries until one is open, the window is over or there is nothing to come back to. Never rejects. */
  async run(why: SpeechError): Promise<ReconnectionEnd> {
    const { endpoints, windowMs, signal, onAttempt, connect } = this.#options;
    let reason = why;
    for (this.#attempt = 0; ; this.#attempt++) {
      endpoints.passOn();
      const attempt = this.#attempt;
      const inMs = Math.max(reconnectPauseMs(attempt, Math.random()), reason.retryAfterMs ?? 0);
      const leftMs = windowMs - (performance.now() - this.#windowBeganAtMs);
      if (inMs > leftMs) return { kind: "too-late", reason, attempts: attempt };
      onAttempt({ attempt, inMs, reason, leftMs });
      await this.#pause(inMs);
      if (signal.aborted) return { kind: "aborted" };
      try {
        if (await connect(leftMs - inMs, reason)) return { kind: "connected" };
      } catch (error) {
        reason = toSpeechError(error);
        if (!mayComeBack(reason)) return { kind: "refused", reason };
      }
    }
  }

  /** The connection that was to be replaced is away from now on. */
  restartWindow(): void {
    this.#windowBeganAtMs = performance.now();
  }

  /** The next attempt comes at once, and is the first of a new count. */
  hurry(): void {
    this.#attempt = -1;
    this.#wake();
  }

  /** The wait ends early when the connection is not wanted, the need is urgent, or the browser has its network back. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#options;
    const network = typeof window === "undefined" ? undefined : window;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        network?.removeEventListener("online", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
      signal.addEventListener("abort", done);
      network?.addEventListener("online", done);
    });
  }
}

export const toSpeechError = (error: unknown): SpeechError =>
  error instanceof SpeechError
    ? error
    : new SpeechError("client.connect_failed", undefined, { cause: error });
