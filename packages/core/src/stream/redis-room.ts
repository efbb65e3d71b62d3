import { GatewayError } from "@tts-labs/protocol/errors";
import { retryStorage } from "../redis/retry.ts";
import { type RedisStreams, scripts } from "./redis-streams.ts";
import { Sleeper } from "./sleeper.ts";
import type { Place, StreamKeys } from "./stream-keys.ts";

/** The part of a writer that minds its bound: knows what readers have released, and waits for them. */
export class RedisRoom {
  readonly #streams: RedisStreams;
  readonly #keys: StreamKeys;
  readonly #maxBytes: number;
  readonly #fence: number;
  readonly #sleeper = new Sleeper();
  readonly #member: string;
  /** Released by all readers, as of the last look. */
  #released: Place;
  #closed: GatewayError | undefined;

  constructor(
    streams: RedisStreams,
    keys: StreamKeys,
    maxBytes: number,
    claimed: { readonly fence: number; readonly released: Place },
  ) {
    this.#streams = streams;
    this.#keys = keys;
    this.#maxBytes = maxBytes;
    this.#fence = claimed.fence;
    this.#released = claimed.released;
    this.#member = streams.bell.enlist(this.#sleeper);
  }

  /** What may be appended after `last` without waiting. */
  freeBytes(last: Place): number {
    if (this.#released.seq >= last.seq) return this.#maxBytes;
    return Math.max(0, this.#maxBytes - (last.bytes - this.#released.bytes));
  }

  /**
   * Until there is room for `bytes` after `last`, or everything is released, where it is more than the bound.
   * @throws GatewayError `stream.reader_gone`, `stream.lost`, `lease.lost`, `storage.*`, or the signal's reason
   */
  async wait(last: Place, bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const { settings, observer, closed } = this.#streams;
    const beganAtMs = performance.now();
    let readerSeenAtMs = beganAtMs;
    let slept = false;
    try {
      for (;;) {
        this.#sleeper.forget();
        const living = await this.#look(last, bytes, signal);
        if (living === "room") return;
        const nowMs = performance.now();
        if (living > 0) readerSeenAtMs = nowMs;
        const leftMs = readerSeenAtMs + settings.readerGoneMs - nowMs;
        if (leftMs <= 0) throw new GatewayError("stream.reader_gone");
        slept = true;
        await this.#sleeper.sleep(Math.min(settings.rereadMs, leftMs), signal);
        closed.throwIfAborted();
        if (this.#closed !== undefined) throw this.#closed;
      }
    } finally {
      if (slept) observer.waitedForRoom(performance.now() - beganAtMs);
    }
  }

  ring(): void {
    this.#sleeper.ring();
  }

  /** Ends a wait with this error. */
  close(error: GatewayError): void {
    this.#closed ??= error;
    this.#streams.bell.dismiss(this.#member);
    this.#sleeper.ring();
  }

  /** How many readers live, where there is no room yet. */
  async #look(last: Place, bytes: number, signal: AbortSignal | undefined): Promise<"room" | number> {
    const { redis, settings, bell, observer } = this.#streams;
    const wanted = last.bytes + bytes - this.#maxBytes;
    const [status, living, seq, released, ...sleepers] = await retryStorage(
      settings.storageRetryMs,
      signal,
      () =>
        scripts.room.run(
          redis,
          [this.#keys.meta, this.#keys.readers, this.#keys.sleepers],
          [this.#fence, last.seq, wanted, settings.readerStaleMs, this.#member],
        ),
    );
    if (status === "gone") throw new GatewayError("stream.lost");
    if (status === "stale") throw new GatewayError("lease.lost");
    this.#released = { seq: Number(seq), bytes: Number(released) };
    if (status === "room") return "room";
    if (sleepers.length > 0) {
      bell.ring(sleepers);
      observer.rang(sleepers.length);
    }
    return Number(living);
  }
}
