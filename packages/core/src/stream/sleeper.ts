/**
 * One who sleeps until rung, for at most so long. A ring that comes before the sleep is remembered, so that
 * none is lost between looking and lying down; several count as one.
 *
 * Each sleep has a timer of its own: Node keeps timers of one duration in one list, setting and clearing one
 * costs less than a microsecond.
 */
export class Sleeper {
  #rung = false;
  #wake: ((by: "bell" | "clock") => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.("bell");
  }

  /** Forgets rings so far: what they announced is about to be looked at. */
  forget(): void {
    this.#rung = false;
  }

  /** One call at a time. @throws the signal's reason */
  async sleep(limitMs: number, signal?: AbortSignal): Promise<"bell" | "clock"> {
    signal?.throwIfAborted();
    if (this.#rung) {
      this.#rung = false;
      return "bell";
    }
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<"bell" | "clock">((resolve, reject) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, limitMs, "clock");
        if (signal === undefined) return;
        onAbort = () => reject(signal.reason);
        signal.addEventListener("abort", onAbort, { once: true });
      });
    } finally {
      this.#wake = undefined;
      this.#rung = false;
      clearTimeout(timer);
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
    }
  }
}
