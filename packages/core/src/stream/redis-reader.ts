import { GatewayError } from "@tts-labs/protocol/errors";
import { retryStorage } from "../redis/retry.ts";
import type { Command, Reply } from "../redis/tick-batch.ts";
import { abortable } from "./abortable.ts";
import { type Epoch, encodeEpoch, parseEpoch } from "./epoch.ts";
import { RedisHold } from "./redis-hold.ts";
import {
  META_FIELDS,
  parseEntries,
  parseMeta,
  parseOldest,
  parseTail,
  replyAt,
  type StreamMeta,
} from "./redis-replies.ts";
import type { OpenEnd, RedisStreams } from "./redis-streams.ts";
import { MAX_ENTRIES_PER_READ } from "./settings.ts";
import { Sleeper } from "./sleeper.ts";
import type { ReaderOptions, ReadResult, StreamPosition, StreamReader } from "./stream.ts";
import type { StreamKeys } from "./stream-keys.ts";

/** What one look tells the reader to do; a result, or to look again at once, or to sleep. */
type Finding = ReadResult | "again" | "sleep";

/** Another reader may trim between finding the oldest entry and taking a place; from then on none can. */
const MAX_SEEKS = 3;

const lost = (reason: Extract<ReadResult, { kind: "lost" }>["reason"]): ReadResult => ({
  kind: "lost",
  reason,
});

/**
 * Reads a stream from Redis.
 *
 * A look is one pipeline: *first* the reader enters itself among the sleepers, *then* it asks for entries,
 * then for the state of the stream. Whatever is appended after the first step rings it, whatever was
 * appended before is found by the second; no wake-up is lost between. A look that finds fewer entries than
 * it asked for therefore leaves the reader both caught up and entered: the next `read` goes to sleep without
 * asking Redis again. One append costs one bell and one look.
 */
export class RedisReader implements StreamReader, OpenEnd {
  readonly #streams: RedisStreams;
  readonly #keys: StreamKeys;
  readonly #options: ReaderOptions;
  readonly #sleeper = new Sleeper();
  readonly #member: string;
  readonly #hold: RedisHold;
  /** The incarnation it reads; `undefined` until it meets the stream. */
  #epoch: Epoch | undefined;
  /** The last entry given out. */
  #seq: number;
  #position: StreamPosition | undefined;
  /** The position it was opened with has not yet been held against the stream's tail. */
  #unproven: boolean;
  /** Looks for the oldest entry held before it reads; times it may still do so. */
  #seeks: number;
  #caughtUp = false;
  /** An end beyond what was found: once it may have come between two steps of a look, twice it is a loss. */
  #endAhead = false;
  #reading = false;
  #closing: Promise<void> | undefined;

  constructor(streams: RedisStreams, keys: StreamKeys, options: ReaderOptions) {
    this.#streams = streams;
    this.#keys = keys;
    this.#options = options;
    const from = typeof options.from === "object" ? options.from : undefined;
    this.#seq = from?.seq ?? 0;
    this.#position = from;
    this.#unproven = from !== undefined;
    this.#seeks = options.from === "oldest" ? MAX_SEEKS : 0;
    // What no stream ever called itself is refused as another life's.
    if (from !== undefined) this.#epoch = parseEpoch(from.epoch) ?? { life: "", fence: 1 };
    this.#member = streams.bell.enlist(this);
    this.#hold = new RedisHold(streams, keys, options, this.#member);
    streams.open.add(this);
  }

  get position(): StreamPosition | undefined {
    return this.#position;
  }

  async read(maxEntries: number, signal?: AbortSignal): Promise<ReadResult> {
    if (this.#reading) throw new GatewayError("internal", "A reader reads one call at a time.");
    signal?.throwIfAborted();
    this.#reading = true;
    try {
      return await this.#next(Math.min(maxEntries, MAX_ENTRIES_PER_READ), signal);
    } finally {
      this.#reading = false;
    }
  }

  advance(seq: number): void {
    this.#hold.release(seq);
  }

  forget(seq: number): void {
    this.#hold.forget(seq);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  ring(): void {
    this.#sleeper.ring();
  }

  beat(): void {
    this.#hold.beat();
  }

  async #next(count: number, signal: AbortSignal | undefined): Promise<ReadResult> {
    const { settings, observer } = this.#streams;
    let woken = false;
    if (this.#seeks === MAX_SEEKS) await this.#seekOldest();
    for (;;) {
      this.#assertOpen();
      if (this.#caughtUp) {
        if (woken) observer.readInVain();
        await this.#sleeper.sleep(settings.rereadMs, signal);
        woken = true;
        this.#assertOpen();
      }
      this.#caughtUp = false;
      const looked = retryStorage(settings.storageRetryMs, signal, (failures) => this.#look(count, failures));
      const { epoch, replies } = await abortable(looked, signal);
      const finding = await this.#find(epoch, replies, count);
      const isTrimmed =
        typeof finding === "object" && finding.kind === "lost" && finding.reason === "trimmed";
      if (isTrimmed && this.#seeks > 0) await this.#seekOldest();
      else if (finding === "sleep") this.#caughtUp = true;
      else if (finding !== "again") return this.#give(finding);
    }
  }

  /** Goes to before the oldest entry held. A stream that does not exist yet will have all of its own. */
  async #seekOldest(): Promise<void> {
    const { batch, settings } = this.#streams;
    const { slot, meta } = this.#keys;
    this.#seeks -= 1;
    const reply = await retryStorage(settings.storageRetryMs, undefined, async () =>
      replyAt(await batch.run(slot, [{ name: "hgetall", args: [meta] }]), 0),
    );
    const oldest = parseOldest(reply);
    if (oldest === undefined) return;
    this.#epoch = { life: oldest.life, fence: oldest.fence };
    this.#seq = oldest.seq;
    this.#hold.startAfter(oldest.seq);
  }

  /** Asks Redis; changes nothing here, so that a look given up by its caller does no harm. */
  async #look(
    count: number,
    failures: number,
  ): Promise<{ epoch: Epoch | undefined; replies: readonly Reply[] }> {
    const { batch } = this.#streams;
    const keys = this.#keys;
    const epoch = this.#epoch;
    const fence = epoch?.fence ?? 1;
    const entries = keys.entries(fence);
    const commands: Command[] = [
      { name: "sadd", args: [keys.sleepers, this.#member] },
      // A set that was emptied is gone, its expiry with it.
      { name: "pexpire", args: [keys.sleepers, this.#options.ttlMs] },
      { name: "xrange", args: [entries, this.#seq + 1, "+", "COUNT", count], binary: true },
      { name: "hmget", args: [keys.meta, ...META_FIELDS, `s:${fence}`] },
    ];
    if (this.#unproven) commands.push({ name: "xinfo", args: ["STREAM", entries] });
    // Everything announced until now is about to be looked at.
    this.#sleeper.forget();
    const looked = failures === 0 ? batch.run(keys.slot, commands) : batch.runAlone(keys.slot, commands);
    // A reader that begins at the beginning takes its place in the same round trip; what comes of it is seen in
    // `#find`.
    if (epoch === undefined) this.#attach(fence).catch(() => undefined);
    const replies = await looked;
    for (const index of [0, 2, 3]) replyAt(replies, index);
    return { epoch, replies };
  }

  async #find(asked: Epoch | undefined, replies: readonly Reply[], count: number): Promise<Finding> {
    const { noticesLoss } = this.#streams;
    const meta = parseMeta(replyAt(replies, 3));
    if (meta === undefined) {
      if (asked !== undefined && noticesLoss) {
        // The look has entered it once more, for what will never be there again.
        const removed = { name: "srem", args: [this.#keys.sleepers, this.#member] };
        void this.#streams.batch.run(this.#keys.slot, [removed]).catch(() => undefined);
        return lost("gone");
      }
      await this.#attach(1);
      return "sleep";
    }
    const epoch = asked ?? { life: meta.life, fence: 1 };
    const refusal = this.#refusal(epoch, meta, replies);
    if (refusal !== undefined && noticesLoss) return refusal;
    await this.#attach(epoch.fence);
    this.#epoch = epoch;
    this.#unproven = false;
    this.#hold.met(meta.maxBytes, meta.writerWaits);
    const found = parseEntries(replyAt(replies, 2));
    // Beyond the seal is a stale owner's; what was released counts as gone, though the last of it is kept.
    const { trimmedSeq, seal = Number.POSITIVE_INFINITY } = meta;
    const whole = found.filter((entry) => entry.seq > trimmedSeq && entry.seq <= seal);
    const gap = whole.findIndex((entry, index) => entry.seq !== this.#seq + 1 + index);
    const entries = gap < 0 ? whole : whole.slice(0, gap);
    if (entries.length > 0) {
      this.#seeks = 0;
      this.#hold.gave(entries, epoch.fence);
      const ended = meta.seal !== undefined || meta.end !== undefined;
      this.#caughtUp = !ended && entries.length === found.length && found.length < count;
      return { kind: "entries", epoch: encodeEpoch(epoch.life, epoch.fence), entries };
    }
    if (gap === 0 || this.#seq < meta.trimmedSeq) return lost("trimmed");
    return this.#findNoEntry(epoch, meta);
  }

  /** Why the reader can't go on where it is, if so. */
  #refusal(epoch: Epoch, meta: StreamMeta, replies: readonly Reply[]): ReadResult | undefined {
    if (epoch.life !== meta.life || epoch.fence > meta.fence) return lost("epoch");
    const tail = this.#unproven ? parseTail(replies[4])?.seq : undefined;
    const last = meta.seal ?? tail ?? this.#seq;
    return this.#seq > last ? lost("beyond-tail") : undefined;
  }

  #findNoEntry(epoch: Epoch, meta: StreamMeta): Finding {
    if (meta.seal !== undefined) {
      // Sealed beyond what is there: an owner went on after entries that Redis has lost.
      if (this.#seq < meta.seal) return lost("trimmed");
      this.#epoch = { life: epoch.life, fence: epoch.fence + 1 };
      return "again";
    }
    if (meta.end === undefined) return "sleep";
    if (meta.end.lastSeq === this.#seq) return { kind: "ended", end: meta.end };
    if (meta.end.lastSeq < this.#seq) return lost("beyond-tail");
    if (this.#endAhead) return lost("trimmed");
    this.#endAhead = true;
    return "again";
  }

  #give(result: ReadResult): ReadResult {
    this.#endAhead = false;
    if (result.kind === "lost") this.#streams.observer.lost(result.reason);
    const last = result.kind === "entries" ? result.entries.at(-1) : undefined;
    if (result.kind === "entries" && last !== undefined) {
      this.#seq = last.seq;
      this.#position = { epoch: result.epoch, seq: last.seq };
    }
    return result;
  }

  #attach(fence: number): Promise<void> {
    return retryStorage(this.#streams.settings.storageRetryMs, undefined, () => this.#hold.attach(fence));
  }

  #assertOpen(): void {
    this.#streams.closed.throwIfAborted();
    if (this.#closing !== undefined) throw new GatewayError("storage.unavailable", "The reader is closed.");
  }

  async #close(): Promise<void> {
    const { open, bell } = this.#streams;
    open.delete(this);
    bell.dismiss(this.#member);
    this.#sleeper.ring();
    await this.#hold.detach();
  }
}
