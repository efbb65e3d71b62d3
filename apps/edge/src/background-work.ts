import type { Logger } from "@tts-labs/core/logger";

/**
 * Small pieces of work that are not waited for (records removed, streams let go), so that no promise is left
 * alone: failures are logged, and a closing edge can wait for what is still under way. Each piece is bounded
 * by the time limits of the storage it uses; their number by the budget of unsettled utterances (`budget/`), for which
 * each utterance has a scope of its own.
 */
export class BackgroundWork {
  readonly #logger: Logger;
  readonly #outer: BackgroundWork | undefined;
  readonly #pending = new Set<Promise<void>>();

  constructor(logger: Logger, outer?: BackgroundWork) {
    this.#logger = logger;
    this.#outer = outer;
  }

  get pending(): number {
    return this.#pending.size;
  }

  add(what: string, work: Promise<unknown>): void {
    const settled: Promise<void> = work
      .then(
        () => undefined,
        (error: unknown) => this.#logger.warn({ what, err: error }, "background work failed"),
      )
      .finally(() => this.#drop(settled));
    this.#keep(settled);
  }

  /** Work that can be waited for by itself; it counts here as well. */
  scope(): BackgroundWork {
    return new BackgroundWork(this.#logger, this);
  }

  /** Resolves when nothing is under way; the caller brings the time limit. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  #keep(settled: Promise<void>): void {
    this.#pending.add(settled);
    if (this.#outer !== undefined) this.#outer.#keep(settled);
  }

  #drop(settled: Promise<void>): void {
    this.#pending.delete(settled);
    if (this.#outer !== undefined) this.#outer.#drop(settled);
  }
}
