/** Calls `onIdle` once when nothing has restarted it for `ms`; ends with the connection. */
export class IdleTimer {
  readonly #ms: number;
  readonly #onIdle: () => void;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(ms: number, signal: AbortSignal, onIdle: () => void) {
    this.#ms = ms;
    this.#onIdle = onIdle;
    signal.addEventListener("abort", () => this.stop(), { once: true });
    this.resume();
  }

  restart(): void {
    if (!this.#stopped) this.#timer?.refresh();
  }

  /** Until `resume`, nothing is expected. */
  pause(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  resume(): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.stop();
      this.#onIdle();
    }, this.#ms);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
