/**
 * Bytes of memory that several holders share. A holder that may do without asks (`tryTake`); one that has to go on
 * takes all the same, within a bound of its own, and what is then over the bound keeps the others from taking.
 */
export class ByteBudget {
  readonly #maxBytes: number;
  #takenBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  get hasRoom(): boolean {
    return this.#takenBytes < this.#maxBytes;
  }

  /** @returns whether they are the caller's now */
  tryTake(bytes: number): boolean {
    if (this.#takenBytes + bytes > this.#maxBytes) return false;
    this.#takenBytes += bytes;
    return true;
  }

  take(bytes: number): void {
    this.#takenBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#takenBytes -= bytes;
  }
}
