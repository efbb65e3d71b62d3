import { GatewayError } from "@tts-labs/protocol/errors";
import type { RedisConnection } from "./client.ts";
import type { Keys } from "./keys.ts";
import { guardOf } from "./link-guard.ts";
import { settleWithin } from "./settle-within.ts";
import { toStorageError } from "./storage-error.ts";

/** Longer than a healthy Redis ever takes, shorter than a balancer's patience. */
const LIMIT_MS = 1_000;

/** The connections a process works with. */
export interface CheckedConnections {
  readonly commands: RedisConnection;
  readonly queue: RedisConnection;
  readonly subscriber: RedisConnection;
}

/**
 * Whether this process can work with Redis now, asked through the connections that do the work: a link may be dead
 * while new ones are fine, and a server that answers a PING may take no writes. Askers at the same time share one
 * check.
 */
export class StorageCheck {
  readonly #connections: CheckedConnections;
  readonly #keys: Keys;
  #asking: Promise<GatewayError | undefined> | undefined;

  constructor(connections: CheckedConnections, keys: Keys) {
    this.#connections = connections;
    this.#keys = keys;
  }

  /** Why it can't; `undefined` when it can. Settles within about a second. */
  trouble(): Promise<GatewayError | undefined> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<GatewayError | undefined> {
    const { commands, queue, subscriber } = this.#connections;
    const { prefix, queuePrefix } = this.#keys;
    const writable = await Promise.all([
      whyNotWritable(commands, `${prefix}:probe`),
      whyNotWritable(queue, `${queuePrefix}:probe`),
    ]);
    // Connections on which the process waits for what others send: no command can be sent on them meanwhile.
    const unheard = [queue, subscriber].some((it) => guardOf(it)?.isHeard === false);
    return (
      writable.find((it) => it !== undefined) ?? (unheard ? new GatewayError("storage.timeout") : undefined)
    );
  }
}

async function whyNotWritable(redis: RedisConnection, key: string): Promise<GatewayError | undefined> {
  // What is asked of a connection that is away would wait in its queue until it is back.
  if (redis.status !== "ready") return new GatewayError("storage.unavailable");
  try {
    // A write, and refused like every other one, but an empty text at the start of no key leaves no key.
    await settleWithin(redis.setrange(key, 0, ""), LIMIT_MS);
    return undefined;
  } catch (error) {
    return toStorageError(error);
  }
}
