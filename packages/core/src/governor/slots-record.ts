import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { Script } from "../redis/script.ts";

/** One of the provider's keys, and how many may generate with it at once. */
export interface KeySlots {
  /** Names the key without telling it. */
  readonly keyId: string;
  /** 0: any number. */
  readonly slots: number;
}

/** What a process tells in one exchange. Keys are told by their place in the list of keys. */
export interface Telling {
  /** `undefined` for one that holds nothing and so has nothing to lose. */
  readonly epoch: string | undefined;
  readonly dropped: readonly string[];
  readonly held: readonly Place[];
  readonly wanted: readonly Wanted[];
  readonly moving: readonly Place[];
  /** Whether slots of a key may be handed out now. */
  readonly mayServe: (keyId: string) => boolean;
}

export interface Wanted {
  readonly ticket: string;
  /** Since its utterance came: of one tenant's, the older is served first. */
  readonly ageMs: number;
  /** Whose turn it takes. */
  readonly turn: Turn;
}

/** Whose turn a ticket takes when slots are few. */
export interface Turn {
  /** "": where there are no tenants. */
  readonly tenant: string;
  /** Turns of this tenant for one of a tenant of weight 1. */
  readonly weight: number;
}

export const NO_TENANT: Turn = { tenant: "", weight: 1 };

export interface Place {
  readonly ticket: string;
  readonly key: number;
}

export interface Told {
  /** Names what Redis remembers; another one after it has forgotten. */
  readonly epoch: string;
  /** Tickets waiting in the whole fleet. */
  readonly queued: number;
  readonly lostLeases: number;
  /** Whosever they are. */
  readonly granted: readonly Place[];
  /** Own ones, with the key they have now. */
  readonly moved: readonly Place[];
}

const script = new Script("govern");
/** Longer than any lease; an unused provider leaves nothing behind. */
const KEYS_TTL_MS = 60_000;
/** Of one exchange, so that none is long; the next one goes on. */
const MAX_GRANTS = 128;

/**
 * The slots of one provider as Redis has them. Which keys are queued for together is part of the queue's name:
 * while a fleet's configuration is being changed, those who know other keys wait in another queue, and what is
 * held is counted together.
 */
export class SlotsRecord {
  readonly #redis: RedisConnection;
  readonly #keys: readonly KeySlots[];
  readonly #names: readonly string[];
  readonly #leaseMs: number;

  constructor(options: {
    readonly redis: RedisConnection;
    readonly keys: Keys;
    readonly provider: string;
    readonly keySlots: readonly KeySlots[];
    readonly leaseMs: number;
  }) {
    const { keys, provider, keySlots } = options;
    const pool = keySlots.map(({ keyId }) => keyId).join(".");
    this.#redis = options.redis;
    this.#keys = keySlots;
    this.#leaseMs = options.leaseMs;
    this.#names = [
      ...["state", "queue", "waiting", "lanes", "turns", "owners"].map((part) =>
        keys.slots(provider, `${pool}:${part}`),
      ),
      ...keySlots.map(({ keyId }) => keys.slots(provider, `held:${keyId}`)),
    ];
  }

  /** @throws GatewayError `storage.*`: it may or may not have happened, and may be told again */
  async exchange(telling: Telling): Promise<Told> {
    const { epoch = "", dropped, held, wanted, moving, mayServe } = telling;
    const places = (list: readonly Place[]) => list.flatMap(({ ticket, key }) => [ticket, key + 1]);
    const answer = await script.run(this.#redis, this.#names, [
      ...[epoch, crypto.randomUUID(), this.#leaseMs, KEYS_TTL_MS, MAX_GRANTS],
      ...this.#keys.map(({ keyId, slots }) => (mayServe(keyId) ? slots : -1)),
      ...[dropped.length, ...dropped, held.length, ...places(held)],
      ...[wanted.length, ...wanted.flatMap(toWords)],
      ...[moving.length, ...places(moving)],
    ]);
    return parseTold(answer);
  }
}

const toWords = ({ ticket, ageMs, turn: { tenant, weight } }: Wanted) => [
  ticket,
  Math.round(ageMs),
  weight,
  tenant,
];

function parseTold([epoch = "", queued, lostLeases, ...words]: readonly string[]): Told {
  const granted: Place[] = [];
  const moved: Place[] = [];
  for (let i = 0; i + 2 < words.length; i += 3) {
    const place = { ticket: words[i + 1] ?? "", key: Number(words[i + 2]) - 1 };
    (words[i] === "moved" ? moved : granted).push(place);
  }
  return { epoch, queued: Number(queued), lostLeases: Number(lostLeases), granted, moved };
}
