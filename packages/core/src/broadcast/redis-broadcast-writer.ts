import { setTimeout as sleep } from "node:timers/promises";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { Logger } from "../logger.ts";
import type { Bell } from "../redis/bell.ts";
import type { RedisConnection } from "../redis/client.ts";
import { Script } from "../redis/script.ts";
import { toStorageError } from "../redis/storage-error.ts";
import {
  BROADCAST_MAX_BYTES,
  type BroadcastObserver,
  type BroadcastWriter,
  type Heard,
} from "./broadcast.ts";
import type { BroadcastKeys } from "./broadcast-keys.ts";

const append = new Script("broadcast-append");

/** What may wait for Redis; beyond it the oldest entries are dropped. */
const MAX_WAITING_BYTES = 2 * 1024 * 1024;
/** Entries of one append. */
const MAX_ENTRIES = 64;
/** Numbers of cancelled utterances that are told; a session has at most eight unfinished ones. */
const MAX_CANCELLED = 16;
const RETRY_AFTER_MS = 200;
const CLOSE_LIMIT_MS = 1_000;

export interface WriterOptions {
  readonly redis: RedisConnection;
  readonly bell: Bell;
  readonly logger: Logger;
  readonly keys: BroadcastKeys;
  readonly epoch: number;
  readonly ttlMs: number;
  readonly observer: BroadcastObserver;
}

interface Numbered {
  readonly number: number;
  readonly entry: Heard;
}

/** Sends what has gathered while the append before was under way. */
export class RedisBroadcastWriter implements BroadcastWriter {
  readonly #options: WriterOptions;
  #waiting: Numbered[] = [];
  #waitingBytes = 0;
  #lastNumber = 0;
  readonly #cancelled: number[] = [];
  #sending: Promise<void> | undefined;
  #isOver = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  push(entry: Heard): void {
    if (this.#isOver) return;
    this.#lastNumber++;
    if (entry.kind === "cancelled") this.#cancelled.push(entry.utterance);
    if (this.#cancelled.length > MAX_CANCELLED) this.#cancelled.shift();
    this.#waiting.push({ number: this.#lastNumber, entry });
    this.#waitingBytes += entry.body.length;
    let dropped = 0;
    while (this.#waitingBytes > MAX_WAITING_BYTES) {
      this.#waitingBytes -= this.#waiting.shift()?.entry.body.length ?? 0;
      dropped++;
    }
    if (dropped > 0) this.#options.observer.entriesDropped(dropped);
    this.#sending ??= this.#send();
  }

  async close(): Promise<void> {
    await Promise.race([this.#sending, sleep(CLOSE_LIMIT_MS, undefined, { ref: false })]);
    this.#isOver = true;
  }

  /** Never rejects. All that is pushed in one turn of the event loop goes together. */
  async #send(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0 && !this.#isOver) {
      const batch = this.#nextBatch();
      try {
        await this.#append(batch);
        this.#settle(batch);
      } catch (cause) {
        const error: GatewayError = toStorageError(cause);
        this.#options.logger.debug({ err: error }, "a broadcast could not be written");
        // What Redis refuses it will refuse again.
        if (error.code.startsWith("storage.")) await sleep(RETRY_AFTER_MS);
        else this.#isOver = true;
      }
    }
    this.#sending = undefined;
  }

  /** Their numbers follow each other. */
  #nextBatch(): readonly Numbered[] {
    const first = this.#waiting[0]?.number ?? 0;
    const isNext = ({ number }: Numbered, index: number) => number === first + index;
    return this.#waiting.slice(0, MAX_ENTRIES).filter(isNext);
  }

  /** Some of them may have been dropped meanwhile. */
  #settle(batch: readonly Numbered[]): void {
    const last = batch.at(-1)?.number ?? 0;
    while ((this.#waiting[0]?.number ?? Number.POSITIVE_INFINITY) <= last) {
      this.#waitingBytes -= this.#waiting.shift()?.entry.body.length ?? 0;
    }
  }

  async #append(batch: readonly Numbered[]): Promise<void> {
    const { redis, keys, epoch, ttlMs, bell } = this.#options;
    const entries = batch.flatMap(({ entry }) => {
      const { firstSample, samples } = entry.kind === "frame" ? entry : NO_SAMPLES;
      return [entry.kind, entry.utterance, firstSample, samples, toBuffer(entry.body)];
    });
    const head = [epoch, batch[0]?.number ?? 0, ttlMs, BROADCAST_MAX_BYTES, this.#cancelled.join(",")];
    const [status, ...ears] = await append.run(
      redis,
      [keys.about, keys.log, keys.ears],
      [...head, ...entries],
    );
    if (status === "ok") bell.ringNow(ears);
    else this.#isOver = true;
  }
}

const NO_SAMPLES = { firstSample: 0, samples: 0 };

const toBuffer = (body: string | Uint8Array): Buffer =>
  typeof body === "string" ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
