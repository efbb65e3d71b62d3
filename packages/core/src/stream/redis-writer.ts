import { GatewayError } from "../errors.ts";
import { retryStorage } from "../redis/retry.ts";
import { toStorageError } from "../redis/storage-error.ts";
import type { Command, Reply } from "../redis/tick-batch.ts";
import { sizeOf } from "./entry-size.ts";
import { encodeEpoch } from "./epoch.ts";
import { parseTail, replyAt } from "./redis-replies.ts";
import { RedisRoom } from "./redis-room.ts";
import { type OpenEnd, type RedisStreams, scripts } from "./redis-streams.ts";
import { MAX_READERS_PER_STREAM } from "./settings.ts";
import type { ClaimOptions, EntryData, StreamWriter } from "./stream.ts";
import { encodePlace, type Place, type StreamKeys } from "./stream-keys.ts";

/** What a claim found. */
export interface Claimed {
  readonly life: string;
  readonly fence: number;
  /** The last entry of those before. */
  readonly base: Place;
  /** How far all readers had released. */
  readonly released: Place;
}

/**
 * Writes a stream to Redis.
 *
 * An append is one pipeline: the entries under explicit, dense numbers, then the sleepers to be rung. When an
 * answer is lost, the same numbers are sent again: Redis refuses a number that is not above its last one, and
 * if the last one is ours, they had arrived. One entry refused for another reason (no memory, say) and a later one
 * accepted would leave a gap that can't be filled any more: `stream.lost`, and a new claim goes on before it.
 *
 * An append that could not be resolved within `storageRetryMs` leaves the writer in doubt about what is stored.
 * It then refuses all further work; a new claim finds out.
 */
export class RedisWriter implements StreamWriter, OpenEnd {
  readonly epoch: string;
  readonly fence: number;
  readonly #streams: RedisStreams;
  readonly #keys: StreamKeys;
  readonly #options: ClaimOptions;
  readonly #room: RedisRoom;
  readonly #entriesKey: string;
  #last: Place;
  #busy = false;
  #broken: GatewayError | undefined;
  #refreshedAtMs = performance.now();

  constructor(streams: RedisStreams, keys: StreamKeys, options: ClaimOptions, claimed: Claimed) {
    this.#streams = streams;
    this.#keys = keys;
    this.#options = options;
    this.fence = claimed.fence;
    this.epoch = encodeEpoch(claimed.life, claimed.fence);
    this.#last = claimed.base;
    this.#entriesKey = keys.entries(claimed.fence);
    this.#room = new RedisRoom(streams, keys, options.maxBytes, claimed);
    streams.open.add(this);
  }

  get lastSeq(): number {
    return this.#last.seq;
  }

  get freeBytes(): number {
    return this.#room.freeBytes(this.#last);
  }

  async append(entries: readonly EntryData[], signal?: AbortSignal): Promise<number> {
    this.#assertUsable();
    signal?.throwIfAborted();
    const bytes = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    if (entries.length === 0) return this.#last.seq;
    this.#busy = true;
    try {
      if (this.#room.freeBytes(this.#last) < bytes) await this.#room.wait(this.#last, bytes, signal);
      this.#assertOpen();
      this.#last = await this.#store(entries, signal);
    } finally {
      this.#busy = false;
    }
    this.#streams.observer.appended(entries.length, bytes);
    this.#refresh();
    return this.#last.seq;
  }

  async assertCurrent(): Promise<void> {
    const { redis, settings } = this.#streams;
    const [status] = await retryStorage(settings.storageRetryMs, undefined, () =>
      scripts.hold.run(redis, [this.#keys.meta, this.#keys.owner], [this.fence, settings.ownerGoneMs]),
    );
    if (status === "gone") throw new GatewayError("stream.lost");
    if (status === "stale") throw new GatewayError("lease.lost");
  }

  async end(result: string): Promise<void> {
    this.#assertUsable();
    const { redis, settings } = this.#streams;
    const [status, ...sleepers] = await retryStorage(settings.storageRetryMs, undefined, () =>
      scripts.end.run(redis, [this.#keys.meta, this.#keys.sleepers], [this.fence, this.#last.seq, result]),
    );
    if (status === "gone") throw new GatewayError("stream.lost");
    if (status === "stale") throw new GatewayError("lease.lost");
    this.#ring(sleepers);
  }

  close(): void {
    this.#broken ??= new GatewayError("internal", "The writer is closed.");
    this.#streams.open.delete(this);
    this.#room.close(this.#broken);
  }

  ring(): void {
    this.#room.ring();
  }

  beat(): void {}

  async #store(entries: readonly EntryData[], signal: AbortSignal | undefined): Promise<Place> {
    const { settings, observer } = this.#streams;
    let sent = 0;
    try {
      return await retryStorage(settings.storageRetryMs, signal, (failures) => {
        sent += 1;
        if (failures > 0) observer.resent();
        return this.#attempt(entries, failures);
      });
    } catch (error) {
      // Refused is not stored; everything else may be stored or not, unless nothing was sent.
      if (sent > 0) {
        this.#broken ??= isRefusal(error)
          ? toStorageError(error)
          : new GatewayError("storage.unavailable", "An earlier append is in doubt.", { cause: error });
      }
      throw error;
    }
  }

  async #attempt(entries: readonly EntryData[], failures: number): Promise<Place> {
    const { batch, resendAs } = this.#streams;
    const { slot, sleepers } = this.#keys;
    let { seq, bytes } = this.#last;
    if (resendAs === "next-numbers") seq += failures * entries.length;
    const first = seq + 1;
    const commands: Command[] = entries.map((entry) => {
      seq += 1;
      bytes += sizeOf(entry);
      const { buffer, byteOffset, byteLength } = entry.body;
      const body = Buffer.from(buffer, byteOffset, byteLength);
      const place = encodePlace(seq, bytes);
      return { name: "xadd", args: [this.#entriesKey, "NOMKSTREAM", place, "h", entry.head, "b", body] };
    });
    commands.push({ name: "spop", args: [sleepers, MAX_READERS_PER_STREAM] });
    const replies = await (failures === 0 ? batch.run(slot, commands) : batch.runAlone(slot, commands));
    this.#ring((replies.at(-1)?.[1] ?? []) as string[]);
    const outcome = outcomeOf(replies.slice(0, -1));
    if (outcome instanceof Error) throw outcome;
    if (outcome === "refused") await this.#resolve({ seq, bytes }, first);
    return { seq, bytes };
  }

  /** Redis has refused numbers: had the entries arrived before, or is somebody else writing? */
  async #resolve(place: Place, first: number): Promise<void> {
    const replies = await this.#streams.batch.runAlone(this.#keys.slot, [
      { name: "xinfo", args: ["STREAM", this.#entriesKey] },
      { name: "hget", args: [this.#keys.meta, "fence"] },
    ]);
    const fence = replyAt(replies, 1);
    if (fence !== null && fence !== String(this.fence)) throw new GatewayError("lease.lost");
    const tail = parseTail(replies[0]);
    if (tail?.seq === place.seq && tail.bytes === place.bytes) return;
    throw new GatewayError("stream.lost", undefined, {
      facts: { appendedSeq: first, tailSeq: tail?.seq ?? 0 },
    });
  }

  #ring(sleepers: readonly string[]): void {
    if (sleepers.length === 0) return;
    this.#streams.bell.ring(sleepers);
    this.#streams.observer.rang(sleepers.length);
  }

  /** Puts the keys' expiry off, in the background, each third of their life. */
  #refresh(): void {
    const nowMs = performance.now();
    if (nowMs - this.#refreshedAtMs < this.#options.ttlMs / 3) return;
    this.#refreshedAtMs = nowMs;
    const keys = this.#keys;
    scripts.expire
      .run(
        this.#streams.redis,
        [keys.meta, keys.readers, keys.sleepers, ...keys.allEntries(this.fence)],
        [this.fence, this.#options.ttlMs, "extend"],
      )
      .catch((error: unknown) => this.#streams.logger.debug({ err: error }, "a stream was not refreshed"));
  }

  #assertUsable(): void {
    if (this.#busy) throw new GatewayError("internal", "A writer does one thing at a time.");
    this.#assertOpen();
  }

  #assertOpen(): void {
    this.#streams.closed.throwIfAborted();
    if (this.#broken !== undefined) throw this.#broken;
  }
}

/**
 * Of the replies to XADD, one per entry: `refused` where a number was not above the last one, or the error for
 * which to send them all again, or not.
 */
function outcomeOf(replies: readonly Reply[]): "added" | "refused" | Error {
  let outcome: "added" | "refused" | Error = "added";
  for (const [error, id] of replies) {
    if (error?.message.includes("equal or smaller")) {
      if (outcome === "added") outcome = "refused";
    } else if (error !== null) {
      outcome = error;
    } else if (id === null || outcome instanceof Error) {
      return new GatewayError("stream.lost");
    }
  }
  return outcome;
}

const isRefusal = (error: unknown): boolean =>
  error instanceof GatewayError && (error.code === "lease.lost" || error.code === "stream.lost");
