import type { Caller } from "./caller.ts";

/** Most keys remembered; the one that was put first makes room. */
const MAX_KNOWN = 1_000;
/** Longest that one is remembered, should no change be heard of. */
const MAX_AGE_MS = 10_000;
/** Interval at which keys of open sessions are looked up though nothing has changed: they may have expired. */
const CHECK_EVERY_MS = 1_000;

interface Known {
  readonly caller: Caller;
  readonly untilMs: number;
}

/** Callers by the hash of the whole key, so that only a right key is found faster than a wrong one. */
export class KnownCallers {
  readonly #known = new Map<string, Known>();
  #generation = 0;
  #checkedAtMs = performance.now();

  /** Rises when all is forgotten: what was asked before that is not to be remembered after it. */
  get generation(): number {
    return this.#generation;
  }

  get(hash: string): Caller | undefined {
    const known = this.#known.get(hash);
    if (known === undefined) return undefined;
    if (performance.now() < known.untilMs) return known.caller;
    this.#known.delete(hash);
    return undefined;
  }

  put(hash: string, caller: Caller, generation: number, expiresInMs = Number.POSITIVE_INFINITY): void {
    if (generation !== this.#generation) return;
    const [eldest] = this.#known.keys();
    if (this.#known.size >= MAX_KNOWN && eldest !== undefined) this.#known.delete(eldest);
    this.#known.set(hash, { caller, untilMs: performance.now() + Math.min(MAX_AGE_MS, expiresInMs) });
  }

  isDueForCheck(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#checkedAtMs < CHECK_EVERY_MS) return false;
    this.#checkedAtMs = nowMs;
    return true;
  }

  clear(): void {
    this.#known.clear();
    this.#generation++;
  }
}
