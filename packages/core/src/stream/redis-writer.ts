import { GatewayError } from "@tts-labs/protocol/errors";
import { isCluster } from "../redis/client.ts";
import { retryStorage } from "../redis/retry.ts";
import { toStorageError } from "../redis/storage-error.ts";
import { outcomeOf, toAppendCommands } from "./append-commands.ts";
import { sizeOf } from "./entry-size.ts";
import { encodeEpoch } from "./epoch.ts";
import { RedisRoom } from "./redis-room.ts";
import { type OpenEnd, type RedisStreams, scripts } from "./redis-streams.ts";
import { RedisTail } from "./redis-tail.ts";
import { MAX_READERS_PER_STREAM } from "./settings.ts";
import type { ClaimOptions, EntryData, StreamRef, StreamWriter } from "./stream.ts";
import { encodePlace, type Place, type StreamKeys } from "./stream-keys.ts";

/** What a claim found. */
export interface Claimed {
  readonly life: string;
  readonly fence: number;
  /** The last entry of those before. */
  readonly base: Place;
  /** How far all readers had released. */
  readonly released: Place;
  /** What was stored with it. */
  readonly first: readonly EntryData[];
  /** Those who were rung: they have looked since, and sleep again. */
  readonly sleepers: readonly string[];
  /** Another stream as it is now. */
  readonly other: (
    stream: StreamRef,
  ) => Promise<{ readonly keys: StreamKeys; readonly fence: number } | undefined>;
}

/**
 * Writes a stream to Redis.
 *
 * An append is one pipeline: the entries under explicit, dense numbers, then the sleepers to be rung. A reader that
 * slept when the stream was claimed waits for its first words, and is rung with them, not after an answer. When an
 * answer is lost, the same numbers are sent again: Redis refuses a number that is not above its last one, and
 * if the last one is ours, they had arrived. One entry refused for another reason (no memory, say) and a later one
 * accepted would leave a gap that can't be filled any more: `stream.lost`, and a new claim goes on before it.
 *
 * What Redis has acknowledged and lost is stored again (`RedisTail`).
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
  readonly #tail: RedisTail;
  readonly #other: Claimed["other"];
  #last: Place;
  /** To be rung with the next append. */
  #awaiting: readonly string[];
  #busy = false;
  #broken: GatewayError | undefined;
  #refreshedAtMs = performance.now();

  constructor(streams: RedisStreams, keys: StreamKeys, options: ClaimOptions, claimed: Claimed) {
    this.#streams = streams;
    this.#keys = keys;
    this.#options = options;
    this.#other = claimed.other;
    this.fence = claimed.fence;
    this.epoch = encodeEpoch(claimed.life, claimed.fence);
    // A cluster's bell travels over another connection, and might be heard before there is anything to read.
    this.#awaiting = claimed.first.length > 0 || isCluster(streams.redis) ? [] : claimed.sleepers;
    this.#entriesKey = keys.entries(claimed.fence);
    this.#tail = new RedisTail(streams, keys, claimed.fence);
    this.#last = this.#storedWithClaim(claimed);
    this.#room = new RedisRoom(streams, keys, options.maxBytes, claimed);
    streams.open.add(this);
  }

  get lastSeq(): number {
    return this.#last.seq;
  }

  get freeBytes(): number {
    return this.#room.freeBytes(this.#last);
  }

  #storedWithClaim({ base, first }: Claimed): Place {
    if (first.length === 0) return base;
    const bytes = first.reduce((sum, entry) => sum + sizeOf(entry), 0);
    const last = { seq: base.seq + first.length, bytes: base.bytes + bytes };
    this.#tail.keep(first, last.seq);
    this.#streams.observer.appended(first.length, bytes);
    return last;
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
      this.#tail.keep(entries, this.#last.seq);
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

  async park(head: string, until: StreamRef, readSeq: number): Promise<boolean> {
    this.#assertUsable();
    this.#busy = true;
    try {
      const other = await this.#other(until);
      if (other === undefined) return false;
      const { seq, bytes } = this.#last;
      const [status, ...sleepers] = await scripts.park.run(
        this.#streams.redis,
        [
          ...[this.#keys.meta, this.#entriesKey, this.#keys.sleepers],
          ...[other.keys.meta, other.keys.entries(other.fence)],
        ],
        [this.fence, encodePlace(seq, seq === 0 ? 1 : bytes), head, other.fence, readSeq],
      );
      if (status === "gone") throw new GatewayError("stream.lost");
      if (status === "stale") throw new GatewayError("lease.lost");
      if (status === "more") return false;
      this.#broken ??= new GatewayError("internal", "The writer has left its stream.");
      this.#ring(sleepers);
      return true;
    } finally {
      this.#busy = false;
    }
  }

  async end(result: string): Promise<void> {
    this.#assertUsable();
    const { redis, settings, mends } = this.#streams;
    const keys = [this.#keys.meta, this.#keys.sleepers, this.#entriesKey];
    const [status, ...sleepers] = await retryStorage(settings.storageRetryMs, undefined, async () => {
      const answer = await scripts.end.run(redis, keys, [this.fence, this.#last.seq, result]);
      if (answer[0] !== "behind" || !mends) return answer;
      await this.#tail.mend(this.#last);
      return scripts.end.run(redis, keys, [this.fence, this.#last.seq, result]);
    });
    if (status === "behind") throw new GatewayError("stream.lost");
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
    const { batch, mends, resendAs } = this.#streams;
    const { slot, sleepers } = this.#keys;
    if (mends && (failures > 0 || !this.#tail.isProven)) await this.#tail.mend(this.#last);
    let { seq, bytes } = this.#last;
    if (resendAs === "next-numbers") seq += failures * entries.length;
    const first = seq + 1;
    const commands = toAppendCommands(this.#entriesKey, entries, { seq, bytes });
    seq += entries.length;
    bytes += entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    commands.push({ name: "spop", args: [sleepers, MAX_READERS_PER_STREAM] });
    const rung = this.#awaiting;
    this.#awaiting = [];
    const leaves = rung.length > 0 ? "end-of-tick" : "end-of-turn";
    const answered = failures === 0 ? batch.run(slot, commands, leaves) : batch.runAlone(slot, commands);
    // Over the same connection, and so after the entries.
    if (rung.length > 0) {
      this.#streams.bell.ringNow(rung);
      this.#streams.observer.rang(rung.length);
    }
    const replies = await answered;
    const asleep = (replies.at(-1)?.[1] ?? []) as string[];
    this.#ring(asleep.filter((sleeper) => !rung.includes(sleeper)));
    const outcome = outcomeOf(replies.slice(0, -1));
    if (outcome instanceof Error) throw outcome;
    if (outcome === "refused") await this.#tail.assertIs({ seq, bytes }, first);
    return { seq, bytes };
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

const isRefusal = (error: unknown): boolean =>
  error instanceof GatewayError && (error.code === "lease.lost" || error.code === "stream.lost");
