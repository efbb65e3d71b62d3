/** How long the other side may be silent, and how long it then has to answer. */
export interface HeartbeatPace {
  readonly silenceMs: number;
  readonly answerMs: number;
}

export interface HeartbeatOptions {
  /** Called at every look: a process that waits for speech has to know sooner than an idle one. */
  readonly pace: () => HeartbeatPace;
  readonly ping: () => void;
  /** Once: the ping was answered by nothing at all. */
  readonly onUnresponsive: () => void;
}

/**
 * Notices that the other side has gone without a word: asks after a silence, and gives up when nothing comes then.
 * Whatever comes is an answer, since a pong may wait behind audio on a slow line.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #heardAtMs = performance.now();
  #askedAtMs: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.look();
  }

  /** Something has come. The timer is left to find that out by itself, since this happens often. */
  heard(): void {
    this.#heardAtMs = performance.now();
    if (this.#askedAtMs === undefined) return;
    this.#askedAtMs = undefined;
    this.look();
  }

  /** The pace may have changed. */
  look(): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    const { silenceMs, answerMs } = this.#options.pace();
    const nowMs = performance.now();
    if (this.#askedAtMs === undefined && nowMs - this.#heardAtMs >= silenceMs) {
      this.#askedAtMs = nowMs;
      this.#options.ping();
    }
    const dueMs = this.#askedAtMs === undefined ? this.#heardAtMs + silenceMs : this.#askedAtMs + answerMs;
    if (this.#askedAtMs === undefined || nowMs < dueMs) {
      // One more than what is left: timers may fire a fraction early.
      this.#timer = setTimeout(() => this.look(), dueMs - nowMs + 1);
      return;
    }
    // A turn later: what has come while this side was busy is read before.
    this.#timer = setTimeout(() => this.#giveUp(), 0);
  }

  #giveUp(): void {
    this.close();
    this.#options.onUnresponsive();
  }

  /** Safe to call twice. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
