import { GatewayError } from "@tts-labs/protocol/errors";
import { retryStorage } from "../redis/retry.ts";
import type { Command, Reply } from "../redis/tick-batch.ts";
import { abortable } from "./abortable.ts";
import { encodeEpoch, parseEpoch } from "./epoch.ts";
import {
  afterSeek,
  type Finding,
  initialReaderState,
  type Look,
  maySeek,
  mustSeek,
  nextReaderState,
  type ReaderState,
  refusalOf,
} from "./reader-state.ts";
import { RedisHold } from "./redis-hold.ts";
import { META_FIELDS, parseEntries, parseMeta, parseOldest, parseTail, replyAt } from "./redis-replies.ts";
import type { OpenEnd, RedisStreams } from "./redis-streams.ts";
import { MAX_ENTRIES_PER_READ } from "./settings.ts";
import { Sleeper } from "./sleeper.ts";
import type { ReaderOptions, ReadResult, StreamPosition, StreamReader } from "./stream.ts";
import type { StreamKeys } from "./stream-keys.ts";

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
  #state: ReaderState;
  #position: StreamPosition | undefined;
  /** A call of `read` is under way. */
  #isReading = false;
  #closing: Promise<void> | undefined;

  constructor(streams: RedisStreams, keys: StreamKeys, options: ReaderOptions) {
    this.#streams = streams;
    this.#keys = keys;
    this.#options = options;
    const from = typeof options.from === "object" ? options.from : undefined;
    this.#position = from;
    // What no stream ever called itself is refused as another life's.
    const epoch = from && (parseEpoch(from.epoch) ?? { life: "", fence: 1 });
    this.#state = initialReaderState(options.from, epoch);
    this.#member = streams.bell.enlist(this);
    this.#hold = new RedisHold(streams, keys, options, this.#member);
    streams.open.add(this);
  }

  get position(): StreamPosition | undefined {
    return this.#position;
  }

  async read(maxEntries: number, signal?: AbortSignal): Promise<ReadResult> {
    if (this.#isReading) throw new GatewayError("internal", "A reader reads one call at a time.");
    signal?.throwIfAborted();
    this.#isReading = true;
    try {
      return await this.#next(Math.min(maxEntries, MAX_ENTRIES_PER_READ), signal);
    } finally {
      this.#isReading = false;
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
    if (mustSeek(this.#state)) await this.#seekOldest();
    for (;;) {
      this.#assertOpen();
      if (this.#state.next === "sleep") {
        if (woken) observer.readInVain();
        await this.#sleeper.sleep(settings.rereadMs, signal);
        woken = true;
        this.#assertOpen();
        this.#state = { ...this.#state, next: "look" };
      }
      const state = this.#state;
      const looked = retryStorage(settings.storageRetryMs, signal, (failures) =>
        this.#look(state, count, failures),
      );
      const finding = await this.#find(state, await abortable(looked, signal), count);
      if (finding.kind === "lost" && finding.reason === "trimmed" && maySeek(this.#state))
        await this.#seekOldest();
      else if (finding.kind !== "none") return this.#give(finding);
    }
  }

  /** Goes to before the oldest entry held. A stream that does not exist yet will have all of its own. */
  async #seekOldest(): Promise<void> {
    const { batch, settings } = this.#streams;
    const { slot, meta } = this.#keys;
    const reply = await retryStorage(settings.storageRetryMs, undefined, async () =>
      replyAt(await batch.run(slot, [{ name: "hgetall", args: [meta] }]), 0),
    );
    const oldest = parseOldest(reply);
    this.#state = afterSeek(
      this.#state,
      oldest && { epoch: { life: oldest.life, fence: oldest.fence }, seq: oldest.seq },
    );
    if (oldest !== undefined) this.#hold.startAfter(oldest.seq);
  }

  /** Asks Redis; changes nothing here, so that a look given up by its caller does no harm. */
  async #look(
    { epoch, seq, start }: ReaderState,
    count: number,
    failures: number,
  ): Promise<readonly Reply[]> {
    const { batch } = this.#streams;
    const keys = this.#keys;
    const fence = epoch?.fence ?? 1;
    const entries = keys.entries(fence);
    const commands: Command[] = [
      { name: "sadd", args: [keys.sleepers, this.#member] },
      // A set that was emptied is gone, its expiry with it.
      { name: "pexpire", args: [keys.sleepers, this.#options.ttlMs] },
      { name: "xrange", args: [entries, seq + 1, "+", "COUNT", count], binary: true },
      { name: "hmget", args: [keys.meta, ...META_FIELDS, `s:${fence}`] },
    ];
    if (start.kind === "named") commands.push({ name: "xinfo", args: ["STREAM", entries] });
    // Everything announced until now is about to be looked at.
    this.#sleeper.forget();
    const looked = failures === 0 ? batch.run(keys.slot, commands) : batch.runAlone(keys.slot, commands);
    // A reader that begins at the beginning takes its place in the same round trip; what comes of it is seen in
    // `#find`.
    if (epoch === undefined) this.#attach(fence).catch(() => undefined);
    const replies = await looked;
    for (const index of [0, 2, 3]) replyAt(replies, index);
    return replies;
  }

  async #find(state: ReaderState, replies: readonly Reply[], count: number): Promise<Finding> {
    const { noticesLoss } = this.#streams;
    const meta = parseMeta(replyAt(replies, 3));
    if (meta === undefined) return this.#findNoStream(state);
    const tailSeq = parseTail(replies[4])?.seq;
    const look: Look = { meta, found: parseEntries(replyAt(replies, 2)), tailSeq, count };
    const refusal = refusalOf(state, look);
    if (refusal !== undefined && noticesLoss) return { kind: "lost", reason: refusal };
    const fence = state.epoch?.fence ?? 1;
    await this.#attach(fence);
    this.#hold.met(meta.maxBytes, meta.writerWaits);
    const step = nextReaderState(state, look);
    this.#state = step.state;
    if (step.finding.kind === "entries") this.#hold.gave(step.finding.entries, fence);
    return step.finding;
  }

  async #findNoStream(state: ReaderState): Promise<Finding> {
    if (state.epoch !== undefined && this.#streams.noticesLoss) {
      // The look has entered it once more, for what will never be there again.
      const removed = { name: "srem", args: [this.#keys.sleepers, this.#member] };
      void this.#streams.batch.run(this.#keys.slot, [removed]).catch(() => undefined);
      return { kind: "lost", reason: "gone" };
    }
    await this.#attach(1);
    this.#state = { ...state, next: "sleep" };
    return { kind: "none" };
  }

  #give(finding: Exclude<Finding, { kind: "none" }>): ReadResult {
    if (finding.kind === "lost") this.#streams.observer.lost(finding.reason);
    if (finding.kind !== "entries") return finding;
    const epoch = encodeEpoch(finding.epoch.life, finding.epoch.fence);
    this.#position = { epoch, seq: this.#state.seq };
    return { kind: "entries", epoch, entries: finding.entries };
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
