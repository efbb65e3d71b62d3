import { monotonicMs } from "@tts-labs/core/async/lazy-timer";
import { type Settleable, settleable } from "@tts-labs/core/async/settleable";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { SingleUseSocket } from "../single-use-socket.ts";

/**
 * How long a socket has to have stood before its route counts as warm: the provider upgrades every request, and
 * refuses a wrong key or voice up to 50 ms after that (docs/elevenlabs.md 1.1).
 */
const STOOD_MS = 100;

/**
 * Tells those who wait for a shelf whether it is warm: once a socket has stood for a moment, or was refused for good.
 * A failure that may pass is kept as the reason for the time when the wait is over.
 */
export class WarmthWatch {
  readonly #waiting = new Set<Settleable<number>>();
  readonly #standing = new Set<NodeJS.Timeout>();
  #lastFailure: GatewayError | undefined;

  /** @param warm what is open already */
  async wait(warm: readonly SingleUseSocket[], signal: AbortSignal): Promise<number> {
    const waiting = settleable<number>();
    const onAbort = () => waiting.reject(this.#lastFailure ?? toGatewayError(signal.reason));
    this.#waiting.add(waiting);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    for (const socket of warm) this.opened(socket);
    try {
      return await waiting.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(waiting);
    }
  }

  /** A socket was opened; whether it stands is looked at only for those who wait. */
  opened(socket: SingleUseSocket): void {
    this.#lastFailure = undefined;
    if (this.#waiting.size === 0) return;
    const openedAtMs = socket.openedAtMs ?? monotonicMs();
    const timer = setTimeout(
      () => {
        this.#standing.delete(timer);
        if (socket.state.kind !== "ended") this.#stands(openedAtMs - socket.connectingSinceMs);
      },
      Math.max(0, openedAtMs + STOOD_MS - monotonicMs()),
    );
    this.#standing.add(timer);
  }

  failed(error: GatewayError): void {
    this.#lastFailure = error;
    if (error.retryable) return;
    for (const it of this.#waiting) it.reject(error);
  }

  /** Its shelf is closed. */
  close(): void {
    for (const timer of this.#standing) clearTimeout(timer);
    const error =
      this.#lastFailure ?? new GatewayError("capacity.overloaded", "The route gave way to another.");
    for (const it of this.#waiting) it.reject(error);
  }

  #stands(connectMs: number): void {
    for (const it of this.#waiting) it.resolve(connectMs);
  }
}
