import { once } from "node:events";
import { GatewayError } from "@tts-labs/protocol/errors";
import { Queue } from "bullmq";
import type { Logger } from "../logger.ts";
import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { logQuietly } from "../redis/quiet-errors.ts";
import { ownClock, type SharedClock } from "../redis/shared-clock.ts";
import { toStorageError } from "../redis/storage-error.ts";
import { assertHashTag, QUEUE_NAME, STANDING_KEYS_TTL_MS, standingKeys } from "./queue-name.ts";
import type { UtteranceJob, UtteranceQueue } from "./utterance-job.ts";

/** Longest an answer of Redis is awaited, a reconnect included. */
const COMMAND_LIMIT_MS = 2_000;
/** How often a queue in use sees to it that its standing keys have a TTL. */
const TTL_EVERY_MS = 3_600_000;
/** BullMQ writes an event for each step of a job; they are not read here. */
const MAX_EVENTS = 1_000;

export interface UtteranceQueueOptions {
  /** For commands or for queues; stays the caller's. */
  readonly redis: RedisConnection;
  readonly keys: Keys;
  readonly logger: Logger;
  /** Default: this process is alone. */
  readonly clock?: SharedClock;
}

/**
 * The edge's side of the queue. A job's id is its utterance and the fence its run will have, so that it is
 * enqueued once however many edges try. @throws GatewayError `config.invalid`
 */
export function openUtteranceQueue(options: UtteranceQueueOptions): UtteranceQueue {
  assertHashTag(options.keys.queuePrefix);
  return new BullmqUtteranceQueue(options);
}

const jobId = (utteranceId: string, fence: number): string => `${utteranceId}-${fence}`;

const jobIds = (utteranceId: string, upToFence: number): string[] =>
  Array.from({ length: upToFence }, (_, i) => jobId(utteranceId, i + 1));

class BullmqUtteranceQueue implements UtteranceQueue {
  readonly #options: UtteranceQueueOptions;
  readonly #queue: Queue<UtteranceJob>;
  #ttlSetAtMs = Number.NEGATIVE_INFINITY;
  #reconnecting: Promise<unknown> | undefined;

  constructor(options: UtteranceQueueOptions) {
    this.#options = options;
    this.#queue = new Queue<UtteranceJob>(QUEUE_NAME, {
      connection: options.redis,
      prefix: options.keys.queuePrefix,
      streams: { events: { maxLen: MAX_EVENTS } },
      defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
    });
    this.#queue.on("error", logQuietly(options.logger, "queue failed", { part: "producer" }));
  }

  async add(job: UtteranceJob, fence = 1): Promise<void> {
    const { clock = ownClock } = this.#options;
    const stored = { ...job, enqueuedAtMs: clock.toShared(job.enqueuedAtMs) };
    const options = { jobId: jobId(job.utteranceId, fence), timestamp: Math.round(clock.now()) };
    await this.#inTime(() => this.#queue.add("utterance", stored, options));
    await this.#keepTtl();
  }

  async isQueued(utteranceId: string, upToFence: number): Promise<boolean> {
    const { redis } = this.#options;
    const names = jobIds(utteranceId, upToFence).map((id) => this.#queue.toKey(id));
    return (await this.#inTime(() => redis.exists(...names))) > 0;
  }

  async withdraw(utteranceId: string, upToFence = 1): Promise<void> {
    await this.#inTime(() => Promise.all(jobIds(utteranceId, upToFence).map((id) => this.#queue.remove(id))));
  }

  async depth(): Promise<{ readonly waiting: number; readonly active: number }> {
    const { waiting = 0, active = 0 } = await this.#inTime(() =>
      this.#queue.getJobCounts("waiting", "active"),
    );
    return { waiting, active };
  }

  async oldestWaitMs(): Promise<number> {
    const [oldest] = await this.#inTime(() => this.#queue.getJobs(["waiting"], 0, 0, true));
    const { clock = ownClock } = this.#options;
    return oldest === undefined ? 0 : Math.max(0, clock.now() - oldest.timestamp);
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }

  /** This does not delay `add`: after a failure the next one tries again. */
  async #keepTtl(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#ttlSetAtMs < TTL_EVERY_MS) return;
    this.#ttlSetAtMs = nowMs;
    try {
      const { redis, keys } = this.#options;
      await Promise.all(standingKeys(keys).map((key) => redis.pexpire(key, STANDING_KEYS_TTL_MS)));
    } catch (err) {
      this.#ttlSetAtMs = Number.NEGATIVE_INFINITY;
      this.#options.logger.debug({ err }, "queue keys left without TTL for now");
    }
  }

  async #inTime<T>(command: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new GatewayError("storage.timeout")), COMMAND_LIMIT_MS);
    });
    try {
      return await Promise.race([this.#connected().then(command), limit]);
    } catch (error) {
      throw toStorageError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Commands that were given up must not wait in ioredis' own queue, without bound, to be done much later. */
  async #connected(): Promise<void> {
    const { redis } = this.#options;
    if (redis.status === "ready") return;
    this.#reconnecting ??= once(redis, "ready").finally(() => {
      this.#reconnecting = undefined;
    });
    await this.#reconnecting;
  }
}
