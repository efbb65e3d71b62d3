/** A gate at which tests hold a fake worker: open, closed, or open for a number of passes. */
export class Gate {
  #passesLeft = Number.POSITIVE_INFINITY;
  #waiting: (() => void)[] = [];

  passed(): Promise<void> {
    if (this.#passesLeft > 0) {
      this.#passesLeft--;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#passesLeft = 0;
  }

  limitTo(passes: number): void {
    this.#passesLeft = passes;
  }

  open(): void {
    this.#passesLeft = Number.POSITIVE_INFINITY;
    for (const pass of this.#waiting.splice(0)) pass();
  }
}
