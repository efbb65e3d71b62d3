import type { HeardEntry } from "@tts-labs/core/broadcast/broadcast";

/** What was given out lately is held for listeners that come later, or come back: 87 s at 24 kHz. */
const MAX_GIVEN_BYTES = 4 * 1024 * 1024;

/** The entries given out last, numbered from 0 for as long as this edge reads the broadcast. */
export class GivenEntries {
  readonly #entries: HeardEntry[] = [];
  #bytes = 0;
  #from = 0;

  /** Number of the oldest one held. */
  get from(): number {
    return this.#from;
  }

  /** Number of the next one. */
  get end(): number {
    return this.#from + this.#entries.length;
  }

  at(number: number): HeardEntry | undefined {
    return this.#entries[number - this.#from];
  }

  push(entry: HeardEntry): void {
    this.#entries.push(entry);
    this.#bytes += entry.body.byteLength;
    while (this.#bytes > MAX_GIVEN_BYTES) {
      this.#bytes -= this.#entries.shift()?.body.byteLength ?? 0;
      this.#from++;
    }
  }

  /** Number of the first entry of an utterance that is held; `end` where there is none. */
  startOf(utterance: number): number {
    const index = this.#entries.findIndex((it) => it.utterance === utterance);
    return index < 0 ? this.end : this.#from + index;
  }

  /**
   * Number of the entry from which a listener goes on that holds all before `sample` of `utterance`; `undefined` where
   * what follows is no longer held.
   */
  after(utterance: number, sample: number): number | undefined {
    const later = this.#entries.findIndex(
      (it) =>
        it.utterance > utterance ||
        (it.utterance === utterance && it.kind === "frame" && it.firstSample + it.samples > sample),
    );
    const index = later < 0 ? this.#entries.length : later;
    const next = this.#entries[index];
    const isDense = next === undefined || next.utterance !== utterance || next.firstSample <= sample;
    const isHeld = this.#from === 0 || index > 0 || (next?.utterance === utterance && isDense);
    return isHeld && isDense ? this.#from + index : undefined;
  }
}
