import type { Logger } from "../logger.ts";

/**
 * Orderly ending of a process: closers run in reverse of opening, each with its own time limit, all of them
 * even if one fails. `close` may be called twice; the second call waits for the first.
 */
export class Lifecycle {
  readonly #closers: { readonly name: string; readonly limitMs: number; readonly close: () => unknown }[] =
    [];
  readonly #logger: Logger;
  #closing: Promise<void> | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Registers what must be closed, and hands it back. */
  add<T>(name: string, thing: T, close: (thing: T) => unknown, limitMs = 5_000): T {
    this.#closers.push({ name, limitMs, close: () => close(thing) });
    return thing;
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      const { name, limitMs, close } = closer;
      let timer: NodeJS.Timeout | undefined;
      try {
        const limit = new Promise<"late">((resolve) => {
          timer = setTimeout(resolve, limitMs, "late");
        });
        const result = await Promise.race([Promise.resolve().then(close), limit]);
        if (result === "late") this.#logger.warn({ part: name, limitMs }, "part did not close in time");
      } catch (error) {
        this.#logger.warn({ part: name, err: error }, "part failed to close");
      } finally {
        clearTimeout(timer);
      }
    }
  }
}

/** A terminal's Ctrl-C may reach a process twice at once, from the terminal and from its parent: that is one. */
const ONE_SIGNAL_MS = 1_000;

/**
 * Runs `shutDown` once on SIGTERM or SIGINT, then exits. A second signal means "skip to the end": `hurry` is
 * aborted, and what would have been waited for is not. A third one exits on the spot.
 */
export function shutDownOnSignal(
  shutDown: (signal: NodeJS.Signals, hurry: AbortSignal) => Promise<void>,
): void {
  const hurry = new AbortController();
  let lastAtMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (lastAtMs !== undefined) {
      if (Date.now() - lastAtMs <= ONE_SIGNAL_MS) return;
      if (hurry.signal.aborted) process.exit(130);
      lastAtMs = Date.now();
      hurry.abort();
      return;
    }
    lastAtMs = Date.now();
    shutDown(signal, hurry.signal).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}
