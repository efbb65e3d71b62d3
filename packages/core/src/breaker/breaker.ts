import type { Logger } from "../logger.ts";
import { isCluster, type RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { retryStorage } from "../redis/retry.ts";
import { settleWithin } from "../redis/settle-within.ts";
import { Circuit } from "./circuit.ts";
import {
  type BreakerSettings,
  CircuitRecord,
  type CircuitSnapshot,
  DEFAULT_BREAKER,
  encodeChange,
  parseChange,
} from "./circuit-record.ts";
import { type BreakerObserver, silentObserver } from "./observer.ts";

export interface BreakerOptions {
  readonly redis: RedisConnection;
  /** Opened for `subscriber`; may be shared with others. */
  readonly subscriber: RedisConnection;
  readonly keys: Keys;
  /** One circuit each: a provider and one of its keys. */
  readonly names: readonly string[];
  readonly settings?: Partial<BreakerSettings>;
  readonly logger: Logger;
  readonly observer?: BreakerObserver;
}

/** The circuits of this process, each a mirror of what all processes share. */
export interface Breaker {
  /** @throws RangeError for a name that was not given */
  circuit(name: string): Circuit;
  /** Safe to call twice. */
  close(): Promise<void>;
}

const SUBSCRIBE_LIMIT_MS = 10_000;

/** Knows where its circuits stand from its return on. @throws GatewayError `storage.*` */
export async function openBreaker(options: BreakerOptions): Promise<Breaker> {
  const { redis, subscriber, keys, logger, observer = silentObserver } = options;
  const settings = { ...DEFAULT_BREAKER, ...options.settings };
  const sharded = isCluster(redis);
  const channel = keys.circuitChanges;
  const circuits = new Map<string, Circuit>();
  const publish = (name: string, snapshot: CircuitSnapshot) => {
    const message = encodeChange(name, snapshot);
    const sent = sharded ? redis.spublish(channel, message) : redis.publish(channel, message);
    sent.catch((err: unknown) => logger.debug({ err }, "circuit change not told"));
  };
  for (const name of options.names) {
    const record = new CircuitRecord(redis, keys, name, settings);
    circuits.set(
      name,
      new Circuit({ record, settings, observer, logger, publish: (snapshot) => publish(name, snapshot) }),
    );
  }
  const onMessage = (from: string, message: string) => {
    if (from !== channel) return;
    const { name, snapshot } = parseChange(message);
    circuits.get(name)?.take(snapshot);
  };
  const event = sharded ? "smessage" : "message";
  subscriber.on(event, onMessage);
  const look = () => Promise.all([...circuits.values()].map((circuit) => circuit.look()));
  const pulling = setInterval(() => void look(), settings.pullEveryMs);
  pulling.unref();
  const unsubscribe = async () => {
    clearInterval(pulling);
    subscriber.off(event, onMessage);
    if (subscriber.status !== "ready") return;
    await settleWithin(sharded ? subscriber.sunsubscribe(channel) : subscriber.unsubscribe(channel)).catch(
      (err: unknown) => logger.debug({ err }, "circuit changes could not be unsubscribed"),
    );
  };
  try {
    await retryStorage(SUBSCRIBE_LIMIT_MS, undefined, () =>
      settleWithin(sharded ? subscriber.ssubscribe(channel) : subscriber.subscribe(channel)),
    );
    await look();
  } catch (error) {
    await unsubscribe();
    throw error;
  }
  let closing: Promise<void> | undefined;
  return {
    circuit: (name) => {
      const circuit = circuits.get(name);
      if (circuit === undefined) throw new RangeError(`no circuit has the name ${name}`);
      return circuit;
    },
    close: () => {
      closing ??= unsubscribe();
      return closing;
    },
  };
}
