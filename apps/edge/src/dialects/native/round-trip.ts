/** Between two measurements; 10 of them cover the last 20 s. */
const EVERY_MS = 2_000;

export interface RoundTripOptions {
  /** Sends a WebSocket ping with this payload. */
  readonly ping: (payload: string) => void;
  readonly onMeasured: (roundTripMs: number) => void;
  readonly everyMs?: number;
}

/**
 * Measures how far away a client is by WebSocket pings of our own, which every client answers by itself, a
 * browser's included, and below any application code. A ping travels behind the audio that is already on its
 * way: what is measured is the wait that a frame sent now would have, queues in the network included, and that
 * is the one that counts. One ping at a time; a pong that was not asked for, or that comes twice, is no answer.
 */
export class RoundTrip {
  readonly #options: RoundTripOptions;
  readonly #timer: NodeJS.Timeout;
  #pings = 0;
  #pingedAtMs: number | undefined;

  constructor(options: RoundTripOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#ping(), options.everyMs ?? EVERY_MS);
    this.#timer.unref();
    this.#ping();
  }

  onPong(payload: string): void {
    if (this.#pingedAtMs === undefined || payload !== String(this.#pings)) return;
    const roundTripMs = performance.now() - this.#pingedAtMs;
    this.#pingedAtMs = undefined;
    this.#options.onMeasured(roundTripMs);
  }

  /** Safe to call twice. */
  close(): void {
    clearInterval(this.#timer);
  }

  #ping(): void {
    if (this.#pingedAtMs !== undefined) return;
    this.#pingedAtMs = performance.now();
    this.#pings++;
    this.#options.ping(String(this.#pings));
  }
}
