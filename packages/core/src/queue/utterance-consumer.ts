import { GatewayError } from "@tts-labs/protocol/errors";
import { type Job, WaitingError, Worker } from "bullmq";
import { settleable } from "../async/settleable.ts";
import type { Logger } from "../logger.ts";
import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { MAX_BLOCK_MS } from "../redis/link-guard.ts";
import { logQuietly } from "../redis/quiet-errors.ts";
import { ownClock, type SharedClock } from "../redis/shared-clock.ts";
import { assertHashTag, QUEUE_NAME } from "./queue-name.ts";
import type { RunUtteranceJob, UtteranceJob } from "./utterance-job.ts";

/**
 * BullMQ's lock is the lease, tuned for speech: a worker killed is replaced within 1.2–1.7 s, a freeze of 0.9 s
 * costs nothing (measured; docs/ground.md, BullMQ).
 */
const LOCK_DURATION_MS = 1_500;
const STALLED_INTERVAL_MS = 400;
/** A job may change hands as often as workers die; BullMQ would give it up after the first. */
const MAX_STALLED_COUNT = 1_000;
/** Pause after a failed fetch; at BullMQ's default of 15 s a blip of Redis would be heard. */
const FETCH_RETRY_MS = 500;
/** How long runs may take to wind up once they have been aborted. */
const ABORT_LIMIT_MS = 3_000;
/** The same without Redis, where they can report to no other process. */
const ABORT_LIMIT_AWAY_MS = 500;

export interface UtteranceConsumerOptions {
  /** Opened for queues; stays the caller's. BullMQ makes a second connection like it, for waiting. */
  readonly redis: RedisConnection;
  readonly keys: Keys;
  /** Runs at once, at most. */
  readonly concurrency: number;
  readonly run: RunUtteranceJob;
  readonly logger: Logger;
  /** Default: this process is alone. */
  readonly clock?: SharedClock;
}

export interface UtteranceConsumer {
  /** Jobs are being taken. Waits for Redis for as long as it takes. */
  readonly ready: Promise<void>;
  readonly running: number;
  /**
   * Takes no new jobs; runs go on for up to `limitMs`, or until `hurry` is aborted; the rest are aborted with
   * `draining`, and give their jobs back; then it closes. May be called twice.
   */
  drain(limitMs: number, hurry?: AbortSignal): Promise<void>;
  /** `drain(0)`. */
  close(): Promise<void>;
}

/** The worker's side of the queue. @throws GatewayError `config.invalid` */
export function openUtteranceConsumer(options: UtteranceConsumerOptions): UtteranceConsumer {
  assertHashTag(options.keys.queuePrefix);
  return new BullmqUtteranceConsumer(options);
}

class BullmqUtteranceConsumer implements UtteranceConsumer {
  readonly ready: Promise<void>;
  readonly #options: UtteranceConsumerOptions;
  readonly #worker: Worker<UtteranceJob>;
  /** A job that stalled may come back to this very worker while its older run winds up: two runs then. */
  readonly #runs = new Set<AbortController>();
  #onIdle: () => void = () => {};
  #draining: Promise<void> | undefined;

  constructor(options: UtteranceConsumerOptions) {
    this.#options = options;
    this.#worker = new Worker<UtteranceJob>(
      QUEUE_NAME,
      // BullMQ hands out the abort signal only to a function of three plain parameters.
      (job, token, signal) => this.#process(job, token, signal),
      {
        connection: options.redis,
        prefix: options.keys.queuePrefix,
        concurrency: options.concurrency,
        lockDuration: LOCK_DURATION_MS,
        stalledInterval: STALLED_INTERVAL_MS,
        maxStalledCount: MAX_STALLED_COUNT,
        runRetryDelay: FETCH_RETRY_MS,
        drainDelay: MAX_BLOCK_MS / 1_000,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      },
    );
    this.#worker.on("error", logQuietly(options.logger, "queue failed", { part: "consumer" }));
    // BullMQ says so, and lets the processor go on.
    this.#worker.on("lockRenewalFailed", (jobIds) => {
      for (const jobId of jobIds) this.#worker.cancelJob(jobId, "lock lost");
    });
    this.ready = this.#worker.waitUntilReady().then(() => {});
    this.ready.catch(() => {});
  }

  get running(): number {
    return this.#runs.size;
  }

  drain(limitMs: number, hurry?: AbortSignal): Promise<void> {
    this.#draining ??= this.#drain(limitMs, hurry);
    return this.#draining;
  }

  close(): Promise<void> {
    return this.drain(0);
  }

  async #process(
    job: Job<UtteranceJob>,
    token: string | undefined,
    lock: AbortSignal | undefined,
  ): Promise<void> {
    if (this.#draining !== undefined) {
      // BullMQ's paused worker still takes the job it had begun to wait for.
      await giveBack(job, token);
    }
    const run = new AbortController();
    const onLockLost = () => run.abort(new GatewayError("lease.lost"));
    const unwatch = job.attemptsStarted > 1 ? renew(job, token, onLockLost) : obey(lock, onLockLost);
    this.#runs.add(run);
    try {
      const { clock = ownClock } = this.#options;
      await this.#options.run(
        { ...job.data, enqueuedAtMs: clock.toLocal(job.data.enqueuedAtMs) },
        run.signal,
      );
    } catch (err) {
      if (err instanceof GatewayError && err.code === "draining") await giveBack(job, token);
      this.#options.logger.error({ err, jobId: job.id }, "job failed");
    } finally {
      unwatch();
      this.#runs.delete(run);
      if (this.#runs.size === 0) this.#onIdle();
    }
  }

  async #drain(limitMs: number, hurry: AbortSignal | undefined): Promise<void> {
    await this.#worker.pause(true);
    if (!(await this.#idleWithin(limitMs, hurry))) {
      for (const run of this.#runs) run.abort(new GatewayError("draining"));
      await this.#idleWithin(this.#isRedisThere ? ABORT_LIMIT_MS : ABORT_LIMIT_AWAY_MS);
    }
    // Without Redis BullMQ would wait for it, to say goodbye, for as long as it is away.
    await this.#worker.close(this.#runs.size > 0 || !this.#isRedisThere);
  }

  /** Without it nothing can be reported. */
  get #isRedisThere(): boolean {
    return this.#options.redis.status === "ready";
  }

  async #idleWithin(limitMs: number, hurry?: AbortSignal): Promise<boolean> {
    if (this.#runs.size === 0 || hurry?.aborted) return this.#runs.size === 0;
    const { promise, resolve } = settleable<void>();
    const timer = setTimeout(resolve, limitMs);
    const onHurry = () => resolve();
    hurry?.addEventListener("abort", onHurry, { once: true });
    this.#onIdle = resolve;
    await promise;
    clearTimeout(timer);
    hurry?.removeEventListener("abort", onHurry);
    return this.#runs.size === 0;
  }
}

function obey(lock: AbortSignal | undefined, onLost: () => void): () => void {
  lock?.addEventListener("abort", onLost, { once: true });
  return () => lock?.removeEventListener("abort", onLost);
}

/**
 * BullMQ knows the jobs whose locks it renews by their ids alone. An older run of the same job that winds up in this
 * process would end the newer one's renewal, so that it stalls in turn, and so on; and the older one's lost lock would
 * be taken for the newer one's. So what has been begun before has its lock renewed here.
 */
function renew(job: Job<UtteranceJob>, token: string | undefined, onLost: () => void): () => void {
  let asking = false;
  const timer = setInterval(async () => {
    if (asking || token === undefined) return;
    asking = true;
    // While Redis can't be asked nothing is known.
    const held = await job.extendLock(token, LOCK_DURATION_MS).catch(() => undefined);
    asking = false;
    if (held === 0) onLost();
  }, LOCK_DURATION_MS / 4);
  return () => clearInterval(timer);
}

/** To the head of the queue, without its lock: another worker has it at once, not when the lock has run out. */
async function giveBack(job: Job<UtteranceJob>, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}
