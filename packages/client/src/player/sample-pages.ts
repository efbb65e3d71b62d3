const PAGE_SAMPLES = 24_000;

/**
 * Samples waiting to be played, in pages that are filled and emptied in turn. Appending never copies what is
 * there already and emptied pages are used again, so that neither a burst of minutes nor its playing makes the
 * audio thread late. Memory grows with what waits, up to `maxSamples`.
 */
export class SamplePages {
  readonly #maxSamples: number;
  readonly #pages: Int16Array[] = [];
  readonly #spare: Int16Array[] = [];
  /** In the first page. */
  #readAt = 0;
  /** In the last page. */
  #writeAt = PAGE_SAMPLES;
  #length = 0;

  constructor(maxSamples: number) {
    this.#maxSamples = maxSamples;
  }

  get length(): number {
    return this.#length;
  }

  /** Takes all of `samples` or, when they would go beyond the bound, none. */
  append(samples: Int16Array): boolean {
    if (this.#length + samples.length > this.#maxSamples) return false;
    let from = 0;
    while (from < samples.length) {
      if (this.#writeAt === PAGE_SAMPLES) {
        this.#pages.push(this.#spare.pop() ?? new Int16Array(PAGE_SAMPLES));
        this.#writeAt = 0;
      }
      const count = Math.min(samples.length - from, PAGE_SAMPLES - this.#writeAt);
      this.#pages.at(-1)?.set(samples.subarray(from, from + count), this.#writeAt);
      this.#writeAt += count;
      from += count;
    }
    this.#length += samples.length;
    return true;
  }

  /** Fills `out` as far as there are samples, scaled to -1 … 1; how many it took. */
  read(out: Float32Array): number {
    const count = Math.min(out.length, this.#length);
    for (let i = 0; i < count; i++) {
      out[i] = (this.#pages[0]?.[this.#readAt++] ?? 0) / 32_768;
      if (this.#readAt === PAGE_SAMPLES) this.#releasePage();
    }
    this.#length -= count;
    return count;
  }

  /** Forgets the newest samples, so that at most `length` stay. */
  truncate(length: number): void {
    if (length >= this.#length) return;
    if (length <= 0) {
      this.clear();
      return;
    }
    const end = this.#readAt + length;
    const pages = Math.ceil(end / PAGE_SAMPLES);
    for (const page of this.#pages.splice(pages)) this.#sparePage(page);
    this.#writeAt = end - (pages - 1) * PAGE_SAMPLES;
    this.#length = length;
  }

  clear(): void {
    while (this.#pages.length > 0) this.#releasePage();
    this.#writeAt = PAGE_SAMPLES;
    this.#length = 0;
  }

  #releasePage(): void {
    const page = this.#pages.shift();
    if (page !== undefined) this.#sparePage(page);
    this.#readAt = 0;
  }

  /** Half a minute of spare pages; the rest is garbage. */
  #sparePage(page: Int16Array): void {
    if (this.#spare.length < 30) this.#spare.push(page);
  }
}
