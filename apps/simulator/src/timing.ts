import type { Model } from "./voice/models.ts";

/** In ms, before `timeScale`, unless said otherwise; config.ts tells what each is. */
export interface TimingSettings {
  readonly timeScale: number;
  readonly seed: number;
  readonly upgradeMs: number;
  readonly upgradeSpreadMs: number;
  readonly upgradeTailPercent: number;
  readonly firstAudioMs: number;
  readonly firstAudioSpreadMs: number;
  readonly regionMs: number;
  /** Times real time. */
  readonly generationSpeed: number;
  readonly generationGapMs: number;
  readonly closeDelayMs: number;
  readonly voiceCheckMs: number;
  readonly queueWaitMs: number;
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * How long things take on one connection: docs/elevenlabs.md 8.2, with jitter that depends on the seed
 * and the connection's number alone. All values in ms, scaled.
 */
export class Timing {
  readonly #settings: TimingSettings;
  readonly #random: () => number;

  constructor(settings: TimingSettings, connection: number) {
    this.#settings = settings;
    this.#random = randomNumbers(Math.imul(settings.seed, 0x85ebca6b) ^ Math.imul(connection, 0xc2b2ae35));
  }

  upgradeMs(): number {
    const { upgradeMs, upgradeSpreadMs, upgradeTailPercent, regionMs } = this.#settings;
    const tail = this.#random() * 100 < upgradeTailPercent ? 1_000 + 3_000 * this.#random() : 0;
    return this.#scaled(tail > 0 ? tail : upgradeMs + regionMs + this.#spread(upgradeSpreadMs));
  }

  firstAudioMs(model: Model): number {
    const { firstAudioMs, firstAudioSpreadMs, regionMs } = this.#settings;
    return this.#scaled(firstAudioMs + model.extraLatencyMs + regionMs + this.#spread(firstAudioSpreadMs));
  }

  /** From the first audio of a generation until `audioMs` more of it are made. */
  generationMs(audioMs: number): number {
    return this.#scaled(audioMs / this.#settings.generationSpeed);
  }

  generationGapMs(): number {
    return this.#scaled(this.#settings.generationGapMs);
  }

  closeDelayMs(): number {
    return this.#scaled(this.#settings.closeDelayMs + this.#spread(5));
  }

  voiceCheckMs(): number {
    return this.#scaled(this.#settings.voiceCheckMs);
  }

  queueWaitMs(): number {
    return this.#scaled(this.#settings.queueWaitMs);
  }

  #spread(ms: number): number {
    return (this.#random() * 2 - 1) * ms;
  }

  #scaled(ms: number): number {
    return Math.max(0, ms * this.#settings.timeScale);
  }
}

/** Whether `ms` passed before `signal` was aborted. Waits of nothing do not wait at all. */
export function passed(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  if (ms <= 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve(true);
    }, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}

/** Like `passed`, until the clock of `performance.now()` reads `atMs`. */
export const reached = (atMs: number, signal: AbortSignal): Promise<boolean> =>
  passed(atMs - performance.now(), signal);
