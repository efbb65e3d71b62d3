import { sizeOf } from "./entry-size.ts";
import type { EntryData } from "./stream.ts";

interface Kept {
  readonly seq: number;
  readonly entry: EntryData;
  readonly bytes: number;
  readonly storedAtMs: number;
}

/** A replica is behind by milliseconds, a file written every second by little more than that. */
const KEPT_MS = 2_000;
const MAX_KEPT_BYTES = 256 * 1024;

/**
 * What a writer has stored of late, should Redis lose what it acknowledged: at most 256 KiB, and of those only
 * what is younger than two seconds each time something is stored after it. It ages by what is stored, not by the
 * clock, so that an outage does not eat it.
 */
export class KeptEntries {
  readonly #kept: Kept[] = [];
  #bytes = 0;

  /** `entries` were stored, the last of them under `lastSeq`. */
  stored(entries: readonly EntryData[], lastSeq: number, nowMs: number): void {
    for (let first = this.#kept[0]; first !== undefined; first = this.#kept[0]) {
      if (nowMs - first.storedAtMs <= KEPT_MS) break;
      this.#drop();
    }
    for (const [index, entry] of entries.entries()) {
      const bytes = sizeOf(entry);
      this.#kept.push({ seq: lastSeq - entries.length + 1 + index, entry, bytes, storedAtMs: nowMs });
      this.#bytes += bytes;
    }
    while (this.#bytes > MAX_KEPT_BYTES) this.#drop();
  }

  /** All entries after `seq`, in order; `undefined` where some of them are not kept. */
  after(seq: number): readonly EntryData[] | undefined {
    const index = this.#kept.findIndex((it) => it.seq === seq + 1);
    return index < 0 ? undefined : this.#kept.slice(index).map((it) => it.entry);
  }

  #drop(): void {
    this.#bytes -= this.#kept.shift()?.bytes ?? 0;
  }
}
