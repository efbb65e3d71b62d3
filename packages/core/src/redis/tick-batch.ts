import { GatewayError } from "../errors.ts";
import { type ChainableCommander, isCluster, type RedisConnection } from "./client.ts";
import { settleWithin } from "./settle-within.ts";
import { toStorageError } from "./storage-error.ts";

/** The answer to one command: its value, or the error Redis gave instead. */
export type Reply = readonly [error: Error | null, value?: unknown];

interface Operation {
  readonly slot: number;
  readonly issue: (pipeline: ChainableCommander) => void;
  readonly resolve: (replies: readonly Reply[]) => void;
  readonly reject: (error: GatewayError) => void;
}

/** A pipeline is cut here, so that no single write or answer grows with the number of streams. */
const MAX_COMMANDS_PER_PIPELINE = 512;

/**
 * Gathers what all streams of this process ask in one turn of the event loop, and sends it as one pipeline per
 * Redis node. Unlike ioredis' auto-pipelining it never waits for an earlier pipeline's answer, which made
 * the median latency 5–20 times worse.
 */
export class TickBatch {
  readonly #redis: RedisConnection;
  #waiting: Operation[] = [];

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /**
   * The replies to the commands that `issue` puts into the pipeline. All keys must lie in `slot`.
   * @throws GatewayError `storage.*` when there was no reply at all
   */
  run(slot: number, issue: (pipeline: ChainableCommander) => void): Promise<readonly Reply[]> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#send());
      this.#waiting.push({ slot, issue, resolve, reject });
    });
  }

  /**
   * The same in a pipeline of its own, for what failed before: ioredis follows a cluster's redirections only
   * for a pipeline that fails as a whole.
   */
  runAlone(slot: number, issue: (pipeline: ChainableCommander) => void): Promise<readonly Reply[]> {
    return new Promise((resolve, reject) => this.#sendTogether([{ slot, issue, resolve, reject }]));
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!isCluster(this.#redis)) {
      this.#sendTogether(waiting);
      return;
    }
    const { slots } = this.#redis;
    const byNode = new Map<string, Operation[]>();
    for (const operation of waiting) {
      const node = slots[operation.slot]?.join(";") ?? `slot ${operation.slot}`;
      const operations = byNode.get(node);
      if (operations === undefined) byNode.set(node, [operation]);
      else operations.push(operation);
    }
    for (const operations of byNode.values()) this.#sendTogether(operations);
  }

  #sendTogether(operations: readonly Operation[]): void {
    for (let begun = 0; begun < operations.length; ) {
      const pipeline = this.#redis.pipeline();
      const first = begun;
      const ends: number[] = [];
      for (; begun < operations.length && pipeline.length < MAX_COMMANDS_PER_PIPELINE; begun += 1) {
        operations[begun]?.issue(pipeline);
        ends.push(pipeline.length);
      }
      void this.#settle(pipeline, operations.slice(first, begun), ends);
    }
  }

  async #settle(
    pipeline: ChainableCommander,
    operations: readonly Operation[],
    ends: readonly number[],
  ): Promise<void> {
    try {
      const replies = await settleWithin(pipeline.exec());
      if (replies === null) throw new GatewayError("storage.unavailable");
      for (const [index, { resolve }] of operations.entries()) {
        resolve(replies.slice(index === 0 ? 0 : ends[index - 1], ends[index]));
      }
    } catch (error) {
      for (const { reject } of operations) reject(toStorageError(error));
    }
  }
}
