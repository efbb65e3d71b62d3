import type { LatencyParts } from "@tts-labs/core/session/entries";

const toTenths = (ms: number): number => Math.max(0, Math.round(ms * 10) / 10);

/** Parts of one run's time; see `LatencyParts`. What failed sockets cost counts as connecting. */
export class RunTiming {
  readonly #beganAtMs = performance.now();
  readonly #queueMs: number;
  #wordsAtMs = this.#beganAtMs;
  #slotAtMs: number | undefined;
  #socketAtMs = this.#beganAtMs;
  #latency: LatencyParts | undefined;

  /** `enqueuedAtMs` by the edge's clock: two machines may disagree, so the wait is never below 0. */
  constructor(enqueuedAtMs: number) {
    this.#queueMs = Date.now() - enqueuedAtMs;
  }

  words(): void {
    this.#wordsAtMs = performance.now();
  }

  /** Called again for another choice's slot, which counts as connecting too. */
  slot(): void {
    this.#slotAtMs ??= performance.now();
  }

  /** Called again for a second socket. */
  socket(): void {
    this.#socketAtMs = performance.now();
  }

  firstAudio(): LatencyParts {
    const slotAtMs = this.#slotAtMs ?? this.#wordsAtMs;
    this.#latency = {
      queue: toTenths(this.#queueMs),
      slot: toTenths(slotAtMs - this.#wordsAtMs),
      connect: toTenths(this.#socketAtMs - slotAtMs),
      provider: toTenths(performance.now() - this.#socketAtMs),
    };
    return this.#latency;
  }

  /** Absent where there was no audio. */
  get latency(): LatencyParts | undefined {
    return this.#latency;
  }

  totalMs(): number {
    return Math.round(performance.now() - this.#beganAtMs);
  }
}
