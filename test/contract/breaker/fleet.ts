import { randomBytes } from "node:crypto";
import { type Breaker, openBreaker } from "@tts-labs/core/breaker/breaker";
import type { Circuit } from "@tts-labs/core/breaker/circuit";
import type { BreakerSettings } from "@tts-labs/core/breaker/circuit-record";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { GatewayError } from "@tts-labs/protocol/errors";

/** A circuit as one process has it. */
export interface Member {
  readonly circuit: Circuit;
  readonly breaker: Breaker;
  readonly redis: RedisConnection;
  /** Scripts this process has run. */
  readonly asked: () => number;
  /** From now on its Redis does not answer, or does again. */
  cut(isCut: boolean): void;
}

/** Nobody looks by itself within a test: what is known, was told. */
const SETTINGS: BreakerSettings = { faults: 3, openMs: 300, probeMs: 500, pullEveryMs: 60_000 };

export class Fleet {
  readonly keys = new Keys(`breaker-${randomBytes(4).toString("hex")}`);
  readonly #url: string;
  readonly #closers: (() => Promise<unknown>)[] = [];

  constructor(url: string) {
    this.#url = url;
  }

  async join(settings: Partial<BreakerSettings> = {}): Promise<Member> {
    const logger = silentLogger;
    const redis = openRedis({ url: this.#url, purpose: "commands", logger });
    const subscriber = openRedis({ url: this.#url, purpose: "subscriber", logger });
    let [asked, isCut] = [0, false];
    const watched = watch(redis, () => {
      asked += 1;
      return isCut;
    });
    const breaker = await openBreaker({
      redis: watched,
      subscriber,
      keys: this.keys,
      names: ["key1"],
      logger,
      settings: { ...SETTINGS, ...settings },
    });
    this.#closers.push(async () => {
      await breaker.close();
      await Promise.all([closeRedis(redis), closeRedis(subscriber)]);
    });
    return {
      circuit: breaker.circuit("key1"),
      breaker,
      redis,
      asked: () => asked,
      cut: (cut) => {
        isCut = cut;
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.map((close) => close()));
  }
}

/** Sees every script of `redis`, and may have it fail as without a connection. */
function watch(redis: RedisConnection, fails: () => boolean): RedisConnection {
  return new Proxy(redis, {
    get: (target, name) => {
      if ((name === "evalsha" || name === "eval") && fails()) {
        return () => Promise.reject(new Error("Connection is closed."));
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** One request that ends in this error, or well. */
export async function request(member: Member, error?: GatewayError): Promise<void> {
  const permit = await member.circuit.admit();
  if (error === undefined) permit.succeeded();
  else permit.failed(error);
}

export const fault = (): GatewayError => new GatewayError("provider.fault");
