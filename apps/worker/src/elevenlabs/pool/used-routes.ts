/**
 * Remembers how often a route was used lately, so that only what is used again is kept warm. Bounded: beyond
 * `maxRoutes` the one longest unused is forgotten, and counts as new when it comes back.
 */
export class UsedRoutes {
  readonly #maxRoutes: number;
  readonly #keepMs: number;
  /** By route key, the longest unused first. */
  readonly #uses = new Map<string, { readonly count: number; readonly atMs: number }>();

  constructor(maxRoutes: number, keepMs: number) {
    this.#maxRoutes = maxRoutes;
    this.#keepMs = keepMs;
  }

  get size(): number {
    return this.#uses.size;
  }

  /**
   * One use more.
   * @returns how often it has been used, each time within `keepMs` of the time before; and whether another route had
   * to be forgotten early
   */
  use(key: string, nowMs: number): { readonly count: number; readonly crowded: boolean } {
    const before = this.#uses.get(key);
    const count = before === undefined || nowMs > before.atMs + this.#keepMs ? 1 : before.count + 1;
    this.#uses.delete(key);
    this.#uses.set(key, { count, atMs: nowMs });
    return { count, crowded: this.#forgetOldest(nowMs) };
  }

  #forgetOldest(nowMs: number): boolean {
    if (this.#uses.size <= this.#maxRoutes) return false;
    const [oldest] = this.#uses;
    if (oldest === undefined) return false;
    const [key, { atMs }] = oldest;
    this.#uses.delete(key);
    return nowMs <= atMs + this.#keepMs;
  }
}
