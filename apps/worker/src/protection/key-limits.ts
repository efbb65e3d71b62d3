import type { Logger } from "@tts-labs/core/logger";
import type { RedisConnection } from "@tts-labs/core/redis/client";
import type { ProviderKey } from "../elevenlabs/account/provider-keys.ts";

/** A key of the provider, and how many may generate with it at once as far as is known now; 0: any number. */
export interface LimitedKey {
  readonly keyId: string;
  readonly slots: number;
}

export interface KeyLimitsOptions {
  readonly keys: readonly ProviderKey[];
  readonly redis: Pick<RedisConnection, "hset" | "pexpire" | "hgetall">;
  /** Of the hash of what refusals have named, shared by all workers. */
  readonly name: string;
  readonly logger: Logger;
  /** A key's limit is now so many. */
  readonly changed?: (keyId: string, slots: number) => void;
}

/** What a refusal has named holds for so long after the last one: a plan may have grown meanwhile. */
const NAMED_TTL_MS = 3_600_000;
const LOOK_EVERY_MS = 5_000;

/**
 * How many may generate at once with each key. What an operator has configured is never exceeded, and `0` there means
 * any number, whatever is learnt. Where nothing is configured the provider's word counts: its plan, and above that the
 * number that its last refusal named. A refusal also lowers a configured number, since more would only be refused.
 */
export class KeyLimits {
  readonly #options: KeyLimitsOptions;
  readonly #planned = new Map<string, number>();
  #named: ReadonlyMap<string, number> = new Map();
  readonly #said = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeyLimitsOptions) {
    this.#options = options;
  }

  /** The keys in their order; each tells its limit as it is when asked. */
  get keys(): readonly LimitedKey[] {
    const slotsOf = (key: ProviderKey) => this.#slotsOf(key);
    return this.#options.keys.map((key) => ({
      keyId: key.keyId,
      get slots() {
        return slotsOf(key);
      },
    }));
  }

  /** Whether any key's limit may become known, or is. */
  get mayLimit(): boolean {
    return this.#options.keys.some(({ slots }) => slots !== 0);
  }

  /** The provider says that the key's plan allows so many. */
  planned(keyId: string, slots: number, from: string): void {
    this.#planned.set(keyId, slots);
    this.#say(from);
  }

  /** A refusal has named the number. All workers learn of it. */
  async named(keyId: string, slots: number): Promise<void> {
    if (this.#named.get(keyId) === slots) return;
    this.#named = new Map([...this.#named, [keyId, slots]]);
    this.#say("a refusal");
    const { redis, name, logger } = this.#options;
    try {
      await redis.hset(name, keyId, slots);
      await redis.pexpire(name, NAMED_TTL_MS);
    } catch (err) {
      logger.debug({ err }, "limit of a key not told to others");
    }
  }

  /** Learns what other workers have been told, now and from time to time. */
  async follow(): Promise<void> {
    const { redis, name, keys, logger } = this.#options;
    try {
      const told = await redis.hgetall(name);
      this.#named = new Map(
        keys.flatMap(({ keyId }) => {
          const slots = Number(told[keyId]);
          return Number.isInteger(slots) && slots > 0 ? [[keyId, slots] as const] : [];
        }),
      );
      this.#say("a refusal");
    } catch (err) {
      logger.debug({ err }, "limits of keys not read");
    }
    this.#timer = setTimeout(() => void this.follow(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Safe to call twice. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #slotsOf({ keyId, slots }: ProviderKey): number {
    if (slots === 0) return 0;
    const named = this.#named.get(keyId);
    if (slots !== undefined) return named === undefined ? slots : Math.min(slots, named);
    return named ?? this.#planned.get(keyId) ?? 0;
  }

  #say(from: string): void {
    for (const key of this.#options.keys) {
      const slots = this.#slotsOf(key);
      if ((this.#said.get(key.keyId) ?? key.slots ?? 0) === slots) continue;
      this.#said.set(key.keyId, slots);
      this.#options.changed?.(key.keyId, slots);
      const { keyId } = key;
      if (slots === 0)
        this.#options.logger.info({ keyId }, "a key's plan is no longer known to have a limit");
      else
        this.#options.logger.info({ keyId, slots, from }, "a key lets so many utterances generate at once");
    }
  }
}
