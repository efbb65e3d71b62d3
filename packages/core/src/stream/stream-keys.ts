import type { Keys } from "../redis/keys.ts";
import { slotOf } from "../redis/slot.ts";
import type { StreamRef } from "./stream.ts";

/**
 * The keys of one stream, all in one slot:
 *
 * | part | type | holds |
 * |---|---|---|
 * | `meta` | hash | `life`, `fence`, `token` of the last claim, `rank` of the highest, `owner`, `max`, `base`; `s:<fence>` seals; `trimmed`, `trimmedBytes`; `waiter`; `endSeq`, `endResult` |
 * | `readers` | hash | by name: `<released seq> <released bytes> <seen at> <token>` |
 * | `sleepers` | set | whom to ring after an append |
 * | `owner` | string | fence of the owner, for as long as it is known to live |
 * | `entries:<fence>` | stream | one incarnation's entries; id = `<seq>-<bytes of all entries up to and including it>` |
 */
export class StreamKeys {
  readonly meta: string;
  readonly readers: string;
  readonly sleepers: string;
  readonly owner: string;
  readonly slot: number;
  readonly #entries: string;

  constructor(keys: Keys, stream: StreamRef) {
    this.meta = keys.stream(stream, "meta");
    this.readers = keys.stream(stream, "readers");
    this.sleepers = keys.stream(stream, "sleepers");
    this.owner = keys.stream(stream, "owner");
    this.#entries = keys.stream(stream, "entries");
    this.slot = slotOf(this.meta);
  }

  entries(fence: number): string {
    return `${this.#entries}:${fence}`;
  }

  /** Those of `count` incarnations, from `fence` on. */
  entriesFrom(fence: number, count: number): string[] {
    return Array.from({ length: count }, (_, index) => this.entries(fence + index));
  }

  /** Those of every incarnation up to `fence`. */
  allEntries(fence: number): string[] {
    return Array.from({ length: fence }, (_, index) => this.entries(index + 1));
  }
}

/** A place in a stream as its entry ids tell it. */
export interface Place {
  readonly seq: number;
  /** Bytes of all entries up to and including this one: both sides know from an id alone what lies between. */
  readonly bytes: number;
}

export const encodePlace = (seq: number, bytes: number): string => `${seq}-${bytes}`;

export function parsePlace(id: string): Place {
  const dash = id.indexOf("-");
  const seq = Number(id.slice(0, dash));
  // The base of a new stream is called 0-1, since 0-0 is no id.
  return { seq, bytes: seq === 0 ? 0 : Number(id.slice(dash + 1)) };
}
