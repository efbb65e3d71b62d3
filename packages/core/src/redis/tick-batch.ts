import type { GatewayError } from "@tts-labs/protocol/errors";
import type { Redis } from "ioredis";
import { isCluster, type RedisConnection } from "./client.ts";
import { holdWrites, type Leaves } from "./hold-writes.ts";
import { settleWithin } from "./settle-within.ts";
import { toStorageError } from "./storage-error.ts";

/** A command to be sent. */
export interface Command {
  readonly name: string;
  readonly args: readonly (string | number | Buffer)[];
  /** Answer in buffers, not strings. */
  readonly binary?: true;
}

/** The answer to one command: its value, or the error Redis gave instead. */
export type Reply = readonly [error: Error | null, value?: unknown];

interface Operation {
  readonly slot: number;
  readonly commands: readonly Command[];
  readonly resolve: (replies: readonly Reply[]) => void;
  readonly reject: (error: GatewayError) => void;
}

/** A pipeline is cut here, so that no single write or answer grows with the number of streams. */
const MAX_COMMANDS_PER_PIPELINE = 512;

/**
 * Gathers what all streams of this process ask in one turn of the event loop, and sends it in one write per
 * Redis node. It never waits for an earlier answer, as ioredis' auto-pipelining does, which made the median
 * latency 5–20 times worse.
 *
 * On a single Redis the commands are given to the connection one by one while its socket holds back what is
 * written, which costs half the CPU of ioredis' pipelines (docs/adr/0001-append-path.md). On a cluster they go
 * in a pipeline per node: commands given one by one would be redirected one by one, and overtake each other.
 */
export class TickBatch {
  readonly #redis: RedisConnection;
  #waiting: Operation[] = [];

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /**
   * The replies to these commands, sent in order. All keys must lie in `slot`.
   * @param leaves sooner, where their effect is waited for
   * @throws GatewayError `storage.*` when there was no reply at all
   */
  run(slot: number, commands: readonly Command[], leaves: Leaves = "end-of-turn"): Promise<readonly Reply[]> {
    const redis = this.#redis;
    if (!isCluster(redis)) return sendOneByOne(redis, commands, leaves);
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#send(redis.slots));
      this.#waiting.push({ slot, commands, resolve, reject });
    });
  }

  /**
   * The same in a pipeline of its own, for what failed before: ioredis follows a cluster's redirections only
   * for a pipeline that fails as a whole.
   */
  runAlone(slot: number, commands: readonly Command[]): Promise<readonly Reply[]> {
    const redis = this.#redis;
    if (!isCluster(redis)) return sendOneByOne(redis, commands);
    return new Promise((resolve, reject) => this.#sendTogether([{ slot, commands, resolve, reject }]));
  }

  #send(slots: readonly (readonly string[])[]): void {
    const byNode = new Map<string, Operation[]>();
    for (const operation of this.#waiting) {
      const node = slots[operation.slot]?.join(";") ?? `slot ${operation.slot}`;
      const operations = byNode.get(node);
      if (operations === undefined) byNode.set(node, [operation]);
      else operations.push(operation);
    }
    this.#waiting = [];
    for (const operations of byNode.values()) this.#sendTogether(operations);
  }

  #sendTogether(operations: readonly Operation[]): void {
    for (let begun = 0; begun < operations.length; ) {
      const first = begun;
      let size = 0;
      for (; begun < operations.length && size < MAX_COMMANDS_PER_PIPELINE; begun += 1) {
        size += operations[begun]?.commands.length ?? 0;
      }
      void this.#sendPipeline(operations.slice(first, begun));
    }
  }

  async #sendPipeline(operations: readonly Operation[]): Promise<void> {
    try {
      const pipeline = this.#redis.pipeline();
      for (const { commands } of operations) {
        for (const { name, args, binary } of commands) {
          if (binary) pipeline.callBuffer(name, ...args);
          else pipeline.call(name, ...args);
        }
      }
      const replies = (await settleWithin(pipeline.exec())) ?? [];
      let first = 0;
      for (const { commands, resolve } of operations) {
        resolve(replies.slice(first, first + commands.length));
        first += commands.length;
      }
    } catch (error) {
      for (const { reject } of operations) reject(toStorageError(error));
    }
  }
}

function sendOneByOne(
  redis: Redis,
  commands: readonly Command[],
  leaves: Leaves = "end-of-turn",
): Promise<readonly Reply[]> {
  holdWrites(redis, leaves);
  return new Promise((resolve) => {
    const replies = new Array<Reply>(commands.length);
    let owed = commands.length;
    const settle = (index: number, reply: Reply) => {
      replies[index] = reply;
      owed -= 1;
      if (owed === 0) resolve(replies);
    };
    for (const [index, { name, args, binary }] of commands.entries()) {
      const sent = binary ? redis.callBuffer(name, ...args) : redis.call(name, ...args);
      sent.then(
        (value) => settle(index, [null, value]),
        (error: Error) => settle(index, [error]),
      );
    }
  });
}
