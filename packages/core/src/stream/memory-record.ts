import { GatewayError } from "@tts-labs/protocol/errors";
import { newEpoch } from "../ids.ts";
import type { Epoch } from "./epoch.ts";
import type { Sleeper } from "./sleeper.ts";
import type { ClaimOptions, ReadResult, StreamEnd, StreamEntry } from "./stream.ts";

/** An entry with its place in bytes: those of all entries up to and including it. */
export interface StoredEntry extends StreamEntry {
  readonly endBytes: number;
}

/** What a reader holds: nothing after `seq` may be trimmed while it is open. */
export interface ReaderHold {
  seq: number;
  readonly sleeper: Sleeper;
}

interface Incarnation {
  /** Its entries begin after this one. */
  readonly base: number;
  /** Its last entry, once a higher fence exists. */
  seal: number | undefined;
}

/** One stream in memory. The rules of the contract without any waiting; what the Lua scripts are to Redis. */
export class MemoryRecord {
  readonly life = newEpoch();
  readonly holds = new Map<string, ReaderHold>();
  /** The writer that waits for room. */
  waiter: Sleeper | undefined;
  end: StreamEnd | undefined;
  /** See `StreamWriter.park`. */
  parkedAfter: number | undefined;
  /** See `Removal`; `undefined` while it is to stay. */
  leaving: "last-reader" | "soon" | undefined;
  owner = "";
  /** `performance.now()` until which the owner counts as alive. */
  ownerAliveUntilMs = 0;
  maxBytes = Number.POSITIVE_INFINITY;
  /** The highest of those who have claimed. */
  rank = 0;
  /** Everything up to here has been released by all readers, and is gone. */
  trimmed: { readonly seq: number; readonly endBytes: number } = { seq: 0, endBytes: 0 };
  /** By fence - 1. */
  readonly #incarnations: Incarnation[] = [];
  #entries: StoredEntry[] = [];
  /** The last of those released. */
  #lastReleased: StoredEntry | undefined;

  get exists(): boolean {
    return this.#incarnations.length > 0;
  }

  get fence(): number {
    return this.#incarnations.length;
  }

  get tail(): { readonly seq: number; readonly endBytes: number } {
    const last = this.#entries.at(-1);
    const base = this.#incarnations.at(-1)?.base ?? 0;
    if (last !== undefined && last.seq >= base) return last;
    return { seq: Math.max(this.trimmed.seq, base), endBytes: last?.endBytes ?? this.trimmed.endBytes };
  }

  /** The last entry stored, also where it has been released. */
  get last(): StoredEntry | undefined {
    return this.#entries.at(-1) ?? this.#lastReleased;
  }

  get storedBytes(): number {
    return this.tail.endBytes - this.trimmed.endBytes;
  }

  /** @throws GatewayError `lease.lost` where a claim of a higher rank came first */
  claim(options: ClaimOptions): number {
    if (options.rank !== undefined && options.rank < this.rank) throw new GatewayError("lease.lost");
    this.rank = options.rank ?? this.rank;
    const base = options.afterSeq ?? this.tail.seq;
    for (const incarnation of this.#incarnations) {
      incarnation.seal = Math.min(incarnation.seal ?? base, base);
    }
    this.#entries = this.#entries.filter((entry) => entry.seq <= base);
    if ((this.#lastReleased?.seq ?? 0) > base) this.#lastReleased = undefined;
    if (this.trimmed.seq > base) this.trimmed = { seq: base, endBytes: this.trimmed.endBytes };
    this.#incarnations.push({ base, seal: undefined });
    this.owner = options.owner;
    this.ownerAliveUntilMs = 0;
    this.maxBytes = options.maxBytes;
    this.end = undefined;
    this.leaving = undefined;
    this.parkedAfter = undefined;
    this.ringReaders();
    // The stale writer may be waiting for room.
    this.waiter?.ring();
    return this.fence;
  }

  append(entries: readonly StoredEntry[]): void {
    this.#entries.push(...entries);
    this.ringReaders();
  }

  /** Bytes that not all readers have released; without a reader, all that are stored. */
  get unreleasedBytes(): number {
    this.#trim();
    return this.storedBytes;
  }

  release(hold: ReaderHold, seq: number): void {
    if (seq <= hold.seq) return;
    hold.seq = seq;
    this.#trim();
    this.waiter?.ring();
  }

  /** The last entry that lies at least `bytes`, but no more than half of the bound, behind `seq`. */
  behind(seq: number, bytes: number): number {
    const end = this.#entries.find((entry) => entry.seq === seq)?.endBytes ?? 0;
    const heldFrom = end - Math.min(bytes, this.maxBytes / 2);
    return this.#entries.findLast((it) => it.seq <= seq && it.endBytes <= heldFrom)?.seq ?? 0;
  }

  ringReaders(): void {
    for (const hold of this.holds.values()) hold.sleeper.ring();
  }

  /** Why a reader of this incarnation that holds everything up to `seq` can't go on, if so. */
  refuse(epoch: Epoch, seq: number): Extract<ReadResult, { kind: "lost" }>["reason"] | undefined {
    const incarnation = this.#incarnations[epoch.fence - 1];
    if (epoch.life !== this.life || incarnation === undefined) return "epoch";
    if (seq > (incarnation.seal ?? this.tail.seq)) return "beyond-tail";
    // The entry is not held back, or was never stored: an owner may claim after an entry that was lost.
    const next = this.#entries.find((entry) => entry.seq > seq)?.seq ?? this.tail.seq + 1;
    return next > seq + 1 ? "trimmed" : undefined;
  }

  /**
   * What follows `seq`, in incarnation `fence` or the first after it that has something; at most `max` entries of one.
   */
  after(
    fence: number,
    seq: number,
    max: number,
  ): { readonly fence: number; readonly entries: readonly StoredEntry[] } {
    let found = fence;
    while (found < this.fence && seq >= this.sealOf(found)) found += 1;
    const seal = this.sealOf(found);
    const following = this.#entries.filter((entry) => entry.seq > seq && entry.seq <= seal);
    return { fence: found, entries: following.slice(0, max) };
  }

  /** Last entry of an incarnation that a later one has sealed. */
  sealOf(fence: number): number {
    return this.#incarnations[fence - 1]?.seal ?? Number.POSITIVE_INFINITY;
  }

  #trim(): void {
    if (this.holds.size === 0) return;
    const released = Math.min(...[...this.holds.values()].map((hold) => hold.seq));
    const count = this.#entries.findLastIndex((entry) => entry.seq <= released) + 1;
    const last = this.#entries[count - 1];
    if (last === undefined) return;
    this.trimmed = { seq: last.seq, endBytes: last.endBytes };
    this.#lastReleased = last;
    this.#entries.splice(0, count);
  }
}
