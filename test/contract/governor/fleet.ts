import { randomBytes } from "node:crypto";
import { type GovernorOptions, SlotGovernor, type SlotLease } from "@tts-labs/core/governor/governor";
import type { KeySlots } from "@tts-labs/core/governor/slots-record";
import { silentLogger } from "@tts-labs/core/logger";
import { type Bell, openBell } from "@tts-labs/core/redis/bell";
import { closeRedis, isCluster, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";

/** One process of a fleet, with connections of its own. */
export interface Member {
  readonly governor: SlotGovernor;
  readonly redis: RedisConnection;
  readonly bell: Bell;
  /** Tickets waiting in the fleet, as Redis has them. */
  queued(): Promise<number>;
  /** Leases of a key, as Redis has them. */
  held(keyId?: string): Promise<number>;
  /** Falls silent, as a process that is killed or has lost Redis; or is heard again. */
  cut(isCut: boolean): void;
  close(): Promise<void>;
}

export type MemberOptions = Partial<Pick<GovernorOptions, "keySlots" | "settings" | "mayServe" | "observer">>;

/** Members that share slots over the Redis at `url`, under a key prefix of their own. */
export class Fleet {
  readonly keys = new Keys(`governor-${randomBytes(4).toString("hex")}`);
  readonly #url: string;
  readonly #members: Member[] = [];
  #joined = 0;

  constructor(url: string) {
    this.#url = url;
  }

  async join(slots: number | readonly KeySlots[], options: MemberOptions = {}): Promise<Member> {
    const logger = silentLogger;
    const redis = openRedis({ url: this.#url, purpose: "commands", logger });
    const subscriber = openRedis({ url: this.#url, purpose: "subscriber", logger });
    this.#joined += 1;
    const nodeId = `member-${this.#joined}`;
    const bell = await openBell({ redis, subscriber, keys: this.keys, nodeId, logger });
    const keySlots = typeof slots === "number" ? [{ keyId: "key1", slots }] : slots;
    let isCut = false;
    const governor = new SlotGovernor({
      redis: mutable(redis, () => isCut),
      bell,
      keys: this.keys,
      provider: "provider",
      keySlots,
      logger,
      ...options,
    });
    const close = async () => {
      await governor.close();
      await bell.close();
      await Promise.all([closeRedis(redis), closeRedis(subscriber)]);
    };
    const pool = keySlots.map(({ keyId }) => keyId).join(".");
    const member: Member = {
      governor,
      redis,
      bell,
      close,
      cut: (cut) => {
        isCut = cut;
      },
      queued: () => redis.zcard(this.keys.slots("provider", `${pool}:queue`)),
      held: (keyId = "key1") => redis.zcard(this.keys.slots("provider", `held:${keyId}`)),
    };
    this.#members.push(member);
    return member;
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.close()));
  }

  async keysIn(redis: RedisConnection): Promise<string[]> {
    const nodes = isCluster(redis) ? redis.nodes("master") : [redis];
    return (await Promise.all(nodes.map((node) => node.keys(`${this.keys.prefix}:*`)))).flat();
  }
}

export const acquire = (
  member: Member,
  signal: AbortSignal = new AbortController().signal,
  ageMs = 0,
): Promise<SlotLease> => member.governor.acquire(signal, ageMs);

/** `redis`, of which no script is heard any more once `isMute`. */
function mutable(redis: RedisConnection, isMute: () => boolean): RedisConnection {
  return new Proxy(redis, {
    get: (target, name) => {
      if (isMute() && (name === "evalsha" || name === "eval")) {
        return () => Promise.reject(new Error("Connection is closed."));
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
