export interface SlowClientLimits {
  /** A client that takes nothing for so long, while something waits for it, is told. */
  readonly noticeAfterMs: number;
  /** After so long it is cut off. */
  readonly cutAfterMs: number;
}

export interface SlowClientOptions extends SlowClientLimits {
  /** Tells the client how long it has, past all that waits. */
  readonly onNotice: (waitedMs: number, leftMs: number) => void;
  readonly onCut: () => void;
}

/**
 * Watches one sink that does not take what waits for it. What a slow client holds is bounded all the time, in
 * frames here and in bytes at its socket; this bounds it in time. Every byte it takes begins the count anew: a
 * client that is slow but goes on is waited for, one that stands still is told once, and then cut off, to come back and
 * resume.
 *
 * Its only timer runs while a client stands still.
 */
export class SlowClientWatch {
  readonly #options: SlowClientOptions;
  #timer: NodeJS.Timeout | undefined;
  #sinceMs: number | undefined;
  #told = false;

  constructor(options: SlowClientOptions) {
    this.#options = options;
  }

  /** The sink takes no more, and something waits for it. May be called any number of times. */
  stands(): void {
    if (this.#sinceMs !== undefined) return;
    this.#sinceMs = performance.now();
    this.#wait();
  }

  /** The sink has taken something, or nothing waits for it any more. */
  moves(): void {
    if (this.#sinceMs === undefined) return;
    this.#sinceMs = undefined;
    this.#told = false;
    clearTimeout(this.#timer);
  }

  close(): void {
    this.#sinceMs = undefined;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    if (this.#sinceMs === undefined) return;
    const { noticeAfterMs, cutAfterMs, onNotice, onCut } = this.#options;
    const waitedMs = performance.now() - this.#sinceMs;
    if (waitedMs >= cutAfterMs) {
      this.close();
      onCut();
      return;
    }
    if (waitedMs >= noticeAfterMs && !this.#told) {
      this.#told = true;
      onNotice(waitedMs, cutAfterMs - waitedMs);
    }
    const nextAtMs = this.#told || noticeAfterMs >= cutAfterMs ? cutAfterMs : noticeAfterMs;
    // Rounded up, since timers may fire a fraction early.
    this.#timer = setTimeout(() => this.#wait(), Math.ceil(nextAtMs - waitedMs) + 1);
  }
}
