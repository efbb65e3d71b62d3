/** Keys whose uses wait to be told at once; beyond it they are told early. */
const MAX_WAITING_KEYS = 1_024;
/** How long uses are gathered: eviction need not know at once. */
const GATHER_MS = 200;

/** Gathers uses, so that a phrase asked for a thousand times a second costs five commands, not a thousand. */
export class UseCounter {
  readonly #tell: (uses: ReadonlyMap<string, number>) => Promise<void>;
  #uses = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #telling: Promise<void> = Promise.resolve();

  /** @param tell never throws */
  constructor(tell: (uses: ReadonlyMap<string, number>) => Promise<void>) {
    this.#tell = tell;
  }

  count(key: string): void {
    this.#uses.set(key, (this.#uses.get(key) ?? 0) + 1);
    if (this.#uses.size >= MAX_WAITING_KEYS) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), GATHER_MS);
  }

  /** All that was counted has been told when it returns. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#uses.size > 0) {
      const uses = this.#uses;
      this.#uses = new Map();
      this.#telling = this.#telling.then(() => this.#tell(uses));
    }
    return this.#telling;
  }
}
