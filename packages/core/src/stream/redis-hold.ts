import { randomBytes } from "node:crypto";
import { GatewayError } from "@tts-labs/protocol/errors";
import { retryStorage } from "../redis/retry.ts";
import type { ReadEntry } from "./redis-replies.ts";
import { type RedisStreams, scripts } from "./redis-streams.ts";
import { MAX_READERS_PER_STREAM } from "./settings.ts";
import type { ReaderOptions } from "./stream.ts";
import type { Place, StreamKeys } from "./stream-keys.ts";

/** Bytes of a resumed reader's place, until Redis has told them. */
const UNKNOWN_BYTES = -1;
/** What a reader has released is told once it is this part of the writer's bound… */
const REPORTED_SHARE = 1 / 4;
/** …or something is forgotten and the last report is so old, in milliseconds: it leaves Redis within a second. */
const REPORT_EVERY_MS = 600;

/**
 * A reader's place among those of its stream: what it has been given and not yet released keeps the writer
 * back, as long as it shows that it lives. Told to Redis rarely: once a quarter of the bound is released, when
 * the writer waits, not long after anything was forgotten, and as a heartbeat.
 */
export class RedisHold {
  readonly #streams: RedisStreams;
  readonly #keys: StreamKeys;
  readonly #options: ReaderOptions;
  /** The reader's name among the sleepers. */
  readonly #member: string;
  /** Tells this reader from an earlier or later one of the same name. */
  readonly #token = randomBytes(6).toString("base64url");
  readonly #replayBytes: number;
  #state: "detached" | "attached" | "replaced" | "closed" = "detached";
  #attaching: Promise<void> | undefined;
  #fence = 1;
  #maxBytes = Number.POSITIVE_INFINITY;
  #released: Place;
  #reported: Place;
  /** `endBytes` of the entries after the released one, in order. Bounded by the writer's bound. */
  #givenEnds: number[] = [];
  #reporting = false;
  #reportAgain = false;
  #reportedAtMs = 0;
  /** Something was forgotten and is not yet told. */
  #hasForgotten = false;

  constructor(streams: RedisStreams, keys: StreamKeys, options: ReaderOptions, member: string) {
    const seq = typeof options.from === "object" ? options.from.seq : 0;
    this.#replayBytes = options.replayBytes ?? 0;
    this.#streams = streams;
    this.#keys = keys;
    this.#options = options;
    this.#member = member;
    this.#released = { seq, bytes: seq === 0 ? 0 : UNKNOWN_BYTES };
    this.#reported = this.#released;
  }

  /** Begins after `seq`; before the place is taken. */
  startAfter(seq: number): void {
    if (this.#state !== "detached") return;
    this.#released = { seq, bytes: seq === 0 ? 0 : UNKNOWN_BYTES };
    this.#reported = this.#released;
  }

  /** Takes the place, once, however often it is asked for. @throws GatewayError `capacity.overloaded`, `storage.*` */
  async attach(fence: number): Promise<void> {
    this.#fence = fence;
    if (this.#state !== "detached") return;
    this.#attaching ??= this.#attach().finally(() => {
      this.#attaching = undefined;
    });
    await this.#attaching;
  }

  async #attach(): Promise<void> {
    const [status, bytes] = await this.#tell("attach");
    if (status === "full") {
      throw new GatewayError("capacity.overloaded", "The stream has as many readers as it may have.");
    }
    if (this.#state === "detached") this.#state = "attached";
    if (this.#released.bytes === UNKNOWN_BYTES)
      this.#released = { seq: this.#released.seq, bytes: Number(bytes) };
    this.#reported = this.#released;
  }

  /** Notes what has been given out, and what the writer's bound and wishes are. */
  gave(entries: readonly ReadEntry[], fence: number): void {
    this.#fence = fence;
    for (const entry of entries) this.#givenEnds.push(entry.endBytes);
  }

  met(maxBytes: number, writerWaits: boolean): void {
    this.#maxBytes = maxBytes;
    if (writerWaits && this.#released.seq > this.#reported.seq) this.report();
  }

  /** Up to `seq`, but for what a reader of this name may come back for. */
  release(seq: number): void {
    const index = Math.min(seq - this.#released.seq, this.#givenEnds.length) - 1;
    const heldFrom = (this.#givenEnds[index] ?? 0) - Math.min(this.#replayBytes, this.#maxBytes / 2);
    const kept = this.#givenEnds.findIndex((endBytes, at) => at > index || endBytes > heldFrom);
    this.#releaseUpTo(this.#released.seq + (kept < 0 ? this.#givenEnds.length : kept));
  }

  /** Nobody comes back for what lies up to `seq`. */
  forget(seq: number): void {
    this.#hasForgotten ||= seq > this.#reported.seq;
    this.#releaseUpTo(seq);
    this.#reportForgotten();
  }

  #releaseUpTo(seq: number): void {
    const count = Math.min(seq - this.#released.seq, this.#givenEnds.length);
    const bytes = this.#givenEnds[count - 1];
    if (count <= 0 || bytes === undefined) return;
    this.#givenEnds = this.#givenEnds.slice(count);
    this.#released = { seq: this.#released.seq + count, bytes };
    if (bytes - this.#reported.bytes >= this.#maxBytes * REPORTED_SHARE) this.report();
  }

  beat(): void {
    if (performance.now() - this.#reportedAtMs >= this.#streams.settings.heartbeatMs) this.report();
    else this.#reportForgotten();
  }

  #reportForgotten(): void {
    const isDue = performance.now() - this.#reportedAtMs >= REPORT_EVERY_MS;
    if (isDue && this.#hasForgotten && this.#released.seq > this.#reported.seq) this.report();
  }

  /** In the background, one at a time. A report that fails is made up for by the next heartbeat. */
  report(): void {
    if (this.#state !== "attached") return;
    if (this.#reporting) {
      this.#reportAgain = true;
      return;
    }
    this.#reporting = true;
    this.#tell("advance")
      .then(([status]) => {
        if (status === "replaced" && this.#state === "attached") this.#state = "replaced";
      })
      .catch((error: unknown) => {
        this.#streams.logger.debug({ err: error }, "a reader's place could not be told");
      })
      .finally(() => {
        this.#reporting = false;
        if (!this.#reportAgain) return;
        this.#reportAgain = false;
        this.report();
      });
  }

  /** Gives the place up; after a failure it is given up by silence. */
  async detach(): Promise<void> {
    const before = this.#state;
    this.#state = "closed";
    if (before === "closed" || before === "replaced") return;
    try {
      await retryStorage(this.#streams.settings.rereadMs, undefined, () => this.#tell("detach"));
    } catch (error) {
      this.#streams.logger.debug({ err: error }, "a reader could not be taken off its stream");
    }
  }

  async #tell(mode: "attach" | "advance" | "detach"): Promise<readonly string[]> {
    const { redis, settings, bell } = this.#streams;
    const released = this.#released;
    this.#reportedAtMs = performance.now();
    const keys = this.#keys;
    const [status = "", bytes = "0", waiter = ""] = await scripts.advance.run(
      redis,
      [
        ...[keys.meta, keys.readers, keys.sleepers],
        ...[keys.entries(this.#fence), keys.entries(Math.max(this.#fence - 1, 1))],
        ...(mode === "detach" ? [keys.owner, ...keys.allEntries(this.#fence)] : []),
      ],
      [
        ...[mode, this.#options.readerId, this.#token, released.seq, released.bytes],
        ...[settings.readerStaleMs, this.#options.ttlMs, MAX_READERS_PER_STREAM, this.#member],
      ],
    );
    if (mode === "advance") {
      this.#reported = released;
      this.#hasForgotten = false;
    }
    if (waiter !== "") bell.ring([waiter]);
    return [status, bytes];
  }
}
