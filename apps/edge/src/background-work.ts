import type { Logger } from "@tts-labs/core/logger";

/**
 * Small pieces of work that nobody waits for (records removed, streams let go), so that no promise is left
 * alone: failures are logged, and a closing edge can wait for what is still under way. Each piece is bounded
 * by the time limits of the storage it uses; their number by that of the utterances.
 */
export class BackgroundWork {
  readonly #logger: Logger;
  readonly #pending = new Set<Promise<void>>();

  constructor(logger: Logger) {
    this.#logger = logger;
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
      .finally(() => this.#pending.delete(settled));
    this.#pending.add(settled);
  }

  /** Resolves when nothing is under way; the caller brings the time limit. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }
}
