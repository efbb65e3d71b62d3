import type { Logger } from "../logger.ts";
import { isCluster, type RedisConnection } from "./client.ts";
import type { Keys } from "./keys.ts";
import { guardOf } from "./link-guard.ts";
import { settleWithin } from "./settle-within.ts";

/** One who may be woken. */
export interface Wakeable {
  ring(): void;
}

export interface OpenBellOptions {
  /** Rings others, with PUBLISH or on a cluster SPUBLISH. */
  readonly redis: RedisConnection;
  /** Hears for this process. Others may subscribe to channels of their own on it. */
  readonly subscriber: RedisConnection;
  readonly keys: Keys;
  readonly nodeId: string;
  readonly logger: Logger;
  readonly probeIntervalMs?: number;
}

const PROBE_INTERVAL_MS = 5_000;
/** After repeated silence, probes are judged only every so many intervals. */
const MAX_SILENT_INTERVALS = 10;

/**
 * Wake-ups between processes: each process hears one channel; a message lists those that are to be woken, so
 * that any number of wake-ups of one turn of the event loop costs one message per process.
 *
 * A bell is a hint and nothing else: a sleeper looks again by itself after a while. Still, a
 * subscription can be lost in silence, on a connection that looks healthy, to a node that no longer gets
 * what is published. So the process rings itself every few seconds; if it was published but not heard, it
 * subscribes again, and should that not help, connects again, ever more rarely.
 */
export class Bell {
  readonly #redis: RedisConnection;
  readonly #subscriber: RedisConnection;
  readonly #keys: Keys;
  readonly #nodeId: string;
  readonly #logger: Logger;
  readonly #channel: string;
  readonly #sharded: boolean;
  readonly #wakeables = new Map<string, Wakeable>();
  readonly #probing: NodeJS.Timeout;
  /** To be rung at the end of this turn: ids by node. */
  #ringing = new Map<string, string[]>();
  #lastId = 0;
  #heardAtMs = 0;
  #probedAtMs: number | undefined;
  #silences = 0;
  #intervalsToSkip = 0;
  #closed = false;

  constructor(options: OpenBellOptions) {
    this.#redis = options.redis;
    this.#subscriber = options.subscriber;
    this.#keys = options.keys;
    this.#nodeId = options.nodeId;
    this.#logger = options.logger;
    this.#channel = options.keys.bell(options.nodeId);
    this.#sharded = isCluster(options.redis);
    this.#subscriber.on(this.#sharded ? "smessage" : "message", this.#onMessage);
    if (!this.#sharded) this.#subscriber.on("ready", this.#onReady);
    this.#probing = setInterval(() => void this.#probe(), options.probeIntervalMs ?? PROBE_INTERVAL_MS);
    this.#probing.unref();
  }

  /** Gives a name under which any process can ring it; the entry is the owner's to `dismiss`. */
  enlist(wakeable: Wakeable): string {
    this.#lastId += 1;
    const id = this.#lastId.toString(36);
    this.#wakeables.set(id, wakeable);
    return `${this.#nodeId} ${id}`;
  }

  dismiss(member: string): void {
    this.#wakeables.delete(member.slice(member.lastIndexOf(" ") + 1));
  }

  /** Rings those named by `enlist`, here or elsewhere, at the end of this turn of the event loop. */
  ring(members: readonly string[]): void {
    for (const member of members) {
      const space = member.lastIndexOf(" ");
      const nodeId = member.slice(0, space);
      const ids = this.#ringing.get(nodeId);
      if (ids !== undefined) {
        ids.push(member.slice(space + 1));
        continue;
      }
      if (this.#ringing.size === 0) setImmediate(() => this.#publish());
      this.#ringing.set(nodeId, [member.slice(space + 1)]);
    }
  }

  /** The same at once, with what else is asked of Redis in this tick, and after it. */
  ringNow(members: readonly string[]): void {
    this.ring(members);
    this.#publish();
  }

  /** @throws GatewayError `storage.*` */
  async subscribe(): Promise<void> {
    const subscriber = this.#subscriber;
    await settleWithin(
      this.#sharded ? subscriber.ssubscribe(this.#channel) : subscriber.subscribe(this.#channel),
    );
  }

  /** Stops hearing. May be called twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#probing);
    this.#subscriber.off(this.#sharded ? "smessage" : "message", this.#onMessage);
    this.#subscriber.off("ready", this.#onReady);
    this.#wakeables.clear();
    const subscriber = this.#subscriber;
    if (subscriber.status !== "ready") return;
    await settleWithin(
      this.#sharded ? subscriber.sunsubscribe(this.#channel) : subscriber.unsubscribe(this.#channel),
    ).catch((error: unknown) => this.#logger.debug({ err: error }, "bell could not be unsubscribed"));
  }

  readonly #onMessage = (channel: string, message: string): void => {
    if (channel !== this.#channel) return;
    this.#heardAtMs = performance.now();
    this.#silences = 0;
    if (message === "") return;
    for (const id of message.split(",")) this.#wakeables.get(id)?.ring();
  };

  /** After a reconnect; on a cluster ioredis does it. Where it fails, the next probe notices. */
  readonly #onReady = (): void => {
    this.subscribe().catch((error: unknown) =>
      this.#logger.debug({ err: error }, "bell could not be subscribed"),
    );
  };

  #publish(): void {
    const ringing = this.#ringing;
    this.#ringing = new Map();
    for (const [nodeId, ids] of ringing) {
      this.#send(this.#keys.bell(nodeId), ids.join(",")).catch((error: unknown) =>
        this.#logger.debug({ err: error, nodeId }, "bell could not be rung"),
      );
    }
  }

  #send(channel: string, message: string): Promise<unknown> {
    return this.#sharded ? this.#redis.spublish(channel, message) : this.#redis.publish(channel, message);
  }

  async #probe(): Promise<void> {
    if (this.#intervalsToSkip > 0) {
      this.#intervalsToSkip -= 1;
      return;
    }
    if (this.#probedAtMs !== undefined && this.#heardAtMs < this.#probedAtMs) await this.#hearAgain();
    this.#probedAtMs = undefined;
    const atMs = performance.now();
    try {
      await settleWithin(this.#send(this.#channel, ""));
      this.#probedAtMs = atMs;
    } catch {
      // When publishing fails, silence says nothing about the subscription.
    }
  }

  async #hearAgain(): Promise<void> {
    this.#silences += 1;
    this.#intervalsToSkip = Math.min(2 ** (this.#silences - 1) - 1, MAX_SILENT_INTERVALS);
    this.#logger.warn({ silences: this.#silences }, "bell is not heard, subscribing again");
    try {
      if (this.#silences > 1) await this.#reconnect();
      await this.subscribe();
    } catch (error) {
      this.#logger.warn({ err: error }, "bell could not be subscribed");
    }
  }

  async #reconnect(): Promise<void> {
    const subscriber = this.#subscriber;
    // Destroyed, not ended: a dead link never answers a goodbye.
    guardOf(subscriber)?.cut("What was published is not heard.");
    if (isCluster(subscriber)) {
      await settleWithin(subscriber.sunsubscribe(this.#channel)).catch(() => undefined);
    }
  }
}

/** Hears from its return on. @throws GatewayError `storage.*` */
export async function openBell(options: OpenBellOptions): Promise<Bell> {
  const bell = new Bell(options);
  try {
    await bell.subscribe();
  } catch (error) {
    await bell.close();
    throw error;
  }
  return bell;
}
